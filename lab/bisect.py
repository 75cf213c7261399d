"""
Does each patch of the series leave a kernel that compiles with everything off, and one that boots and
passes its own tests with everything on? Does it add a warning of sparse or of gcc with W=1? Does the tip compile
in every configuration that matters? Do the patches that go into a tree of their own need those of another?
docs/results/bisect.json has the verdicts: each is written as soon as it is there, and counts for as long
as what was compiled stays the same, so that a run goes on where the last one ended, and a changed patch
costs only those from it on.
"""

import functools
import hashlib
import json
import subprocess
import time
from dataclasses import dataclass

from lab import combinations, kernel, kunit, objects, series, sparse, touched, tree
from lab.errors import LabError
from lab.files import write
from lab.git import git
from lab.paths import ROOT, shown
from lab.progress import say

RECORD = ROOT / "docs/results/bisect.json"
TABLE = RECORD.with_suffix(".md")

# What a kernel is not made of; without KUnit, not of these tests either.
ELSEWHERE = ("Documentation", "MAINTAINERS")
TESTS = "mm/tests"
# What is compiled with everything off
OFF = ("mm/", "fs/proc/", "kernel/", "drivers/base/", "arch/x86/mm/")
# A failure of the machine says nothing about a patch.
MACHINE = ("no space left", "terminated", "killed", "disk full", "cannot allocate memory")


@dataclass(frozen=True)
class Step:
    kind: str           # off, boot, warn, tip or group
    name: str           # the patch, the combination, or the group of patches for one tree
    commit: str
    config: str         # the fragment
    more: str = ""      # more lines of that kind


def bisect(pattern=None, most=None, again=False):
    """Take the steps that have no verdict yet, `most` of them at most; return the exit code."""
    tree.make("linux")
    if not tree.exported():
        raise LabError("build/linux has work that is not exported: ./run export first")
    record = _read()
    if again:
        record = {key: entry for key, entry in record.items() if entry["result"] == "ok"}
    all_steps = {_key(step): step for step in steps()}
    chosen = {key: step for key, step in all_steps.items()
              if not pattern or pattern in f"{step.kind}: {step.name}"}
    if not chosen:
        raise LabError(f"no step matches {pattern}")
    todo = [key for key in chosen if key not in record]
    for number, key in enumerate(todo[:most], 1):
        step = chosen[key]
        say(f"bisect: {number} of {len(todo)}, {step.kind}: {step.name}")
        start = time.monotonic()
        result = _verdict(step)
        if result != "ok":
            say(f"bisect: {step.kind}: {step.name}: {result}")
        record = _read() | {key: {"kind": step.kind, "name": step.name, "result": result,
                                  "seconds": round(time.monotonic() - start)}}
        _write(record, all_steps)
    failed = [key for key in chosen if record.get(key, {}).get("result", "ok") != "ok"]
    left = [key for key in chosen if key not in record]
    say(f"bisect: {len(chosen) - len(failed) - len(left)} good, {len(failed)} bad, "
        f"{len(left)} to be done; {shown(TABLE)}")
    return int(bool(failed))


def steps():
    """All of them, those first that are quick and find most."""
    commits = tree.commits()
    if not commits:
        raise LabError("the series has no patch")
    names = dict(line.split(" ", 1) for line in git(
        tree.LINUX, "log", "--format=%H %s", f"{tree.BASE}..HEAD").splitlines())
    tip = commits[-1]
    for config in ("riscv", "nommu", "i386", "s390", "arm64", "ppc64le"):
        yield Step("tip", config, tip, config)
    for name, lines in {**combinations.modular(), **combinations.of_x86()}.items():
        yield Step("tip", name, tip, "combinations", lines)
    yield from _groups()
    for commit in commits:
        yield Step("off", names[commit], commit, "off")
    for commit in commits:
        yield Step("boot", names[commit], commit, "on")
    for commit in commits:
        yield Step("warn", names[commit], commit, sparse.CONFIGS[0])


def _groups():
    """The patches that go into one tree, on the base without those of the others."""
    for name, last in series.alone().items():
        paths = git(tree.LINUX, "diff", "--name-only", tree.BASE, last).splitlines()
        powerpc = all(path.startswith("arch/powerpc/") for path in paths)
        yield Step("group", name, last, "ppc64le" if powerpc else "on")


def _verdict(step):
    """ok, or what is wrong."""
    tree.at(step.commit)
    try:
        {"off": _off, "boot": _boot, "warn": _warn, "tip": _tip, "group": _tip}[step.kind](step)
    except LabError as error:
        if any(word in str(error).lower() for word in MACHINE):
            raise
        return str(error)
    return "ok"


def _off(step):
    """The directories of the series compile."""
    kernel.configure("bisect", step.config)
    kernel.make("build", "bisect", step.config, *OFF)


def _boot(step):
    """It boots, and its own tests pass, as far as there are any yet."""
    kernel.configure("bisect", step.config)
    image = kernel.objects_of("bisect", step.config) / kernel.arch_of(step.config).image
    kernel.make("build", "bisect", step.config, image.name)
    kunit.check("bisect", image)


def _warn(step):
    """The .c files that it touches give no warning that stock does not give."""
    found, left = sparse.findings("bisect", touched.files("*.c", by=step.commit))
    found += sparse.new("bisect", step.config, left)    # its first user is another patch
    if found:
        raise LabError("; ".join(f"{path}:{line}: {message}" for path, line, message in found))


def _tip(step):
    """What the series touches compiles, and would link; of a group, with nothing else of the series."""
    machine = kernel.arch_of(step.config)
    kernel.configure("bisect", step.config, step.more)
    paths = objects.of("bisect", step.config, machine)
    # Whole directories where the architecture is another one; the combinations differ in little.
    kernel.make("build", "bisect", step.config, *(paths if step.more else _folders(paths)))
    for path, symbol in objects.missing("bisect", step.config, machine, paths):
        raise LabError(f"{path} calls {symbol}(), which nobody has here")


def _folders(paths):
    """mm/ whole, and so on; of kernel/, most of which has nothing to do with it, the objects."""
    return sorted({path if path.startswith("kernel/") else f"{path.rpartition('/')[0]}/"
                   for path in paths if not path.startswith("mm/tests/")})


def _key(step):
    """What decides about the verdict: the sources, the configuration, the compiler."""
    machine = kernel.arch_of(step.config)
    compiler = _compiler(machine)
    fragments = kernel.fragments(step.config)
    compiled = sources(step.commit, step.kind == "warn" or "CONFIG_KUNIT=y" in fragments)
    directories = OFF if step.kind == "off" else ()
    return hashlib.sha256("\n".join([*compiled, compiler, step.kind, step.name, fragments, step.more,
                                     *directories]).encode()).hexdigest()


@functools.cache
def sources(commit, with_tests):
    """What a commit is compiled from, as git ls-tree says it."""
    found = git(tree.LINUX, "ls-tree", commit).splitlines()
    without = ELSEWHERE
    if not with_tests:
        folder = TESTS.partition("/")[0]
        found += git(tree.LINUX, "ls-tree", commit, f"{folder}/").splitlines()
        without += (folder, TESTS)
    return [line for line in found if line.partition("\t")[2] not in without]


@functools.cache
def _compiler(machine):
    return subprocess.run([f"{machine.prefix}gcc", "--version"], capture_output=True,
                          text=True).stdout.partition("\n")[0]


def _read():
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def _write(record, all_steps):
    """What the series has no step for any more is forgotten."""
    record = {key: record[key] for key in all_steps if key in record}
    write(RECORD, json.dumps(record, indent=1) + "\n")
    write(TABLE, _table(record, all_steps))


def _table(record, all_steps):
    lines = ["# Each patch, the tip in many configurations, and what goes into one tree", "",
             "Written by `./run bisect`; what each column means is in `docs/bisect.md`. A dash: not run "
             "for the series as it is.", ""]
    done = {kind: {step.name: record.get(key, {}).get("result", "\N{EN DASH}")
                   for key, step in all_steps.items() if step.kind == kind}
            for kind in ("off", "boot", "warn", "tip", "group")}
    for kind, found in done.items():
        good = sum(result == "ok" for result in found.values())
        bad = sum(result not in ("ok", "\N{EN DASH}") for result in found.values())
        lines.append(f"- {kind}: {good} good, {bad} bad, {len(found) - good - bad} not run")
    lines += ["", "| patch | off: compiles | boot: with everything on, boots and passes its tests | "
                  "warn: no new warning |", "|---|---|---|---|"]
    lines += [f"| {name} | {result} | {done['boot'][name]} | {done['warn'][name]} |"
              for name, result in done["off"].items()]
    lines += ["", "| configuration of the tip | compiles, would link |", "|---|---|"]
    lines += [f"| {name} | {result} |" for name, result in done["tip"].items()]
    lines += ["", "| patches for one tree | apply alone, compile, would link |", "|---|---|"]
    lines += [f"| {name} | {result} |" for name, result in done["group"].items()]
    return "\n".join(lines) + "\n"
