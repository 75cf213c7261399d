"""Everything that can be said about the sources without booting them."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import cocci, export, files, host, kernel, patches, tree
from lab.errors import LabError
from lab.git import git, resolve
from lab.paths import GUEST, KERNEL, OFFMAP, ROOT, TESTS, shown
from lab.progress import say

EXCEPTIONS = KERNEL / "checkpatch-exceptions"
CONFIGS = ("guest", "debug")


def lint(quick=False):
    """Run all checks, each to its end; return the exit code."""
    host.need_tools("mandoc", "perl", "shellcheck", "sparse")
    tree.make("linux")
    checks = [patches_checked, exported, symbols_known, python, shell, man_pages, coccinelle]
    if not quick:
        checks.append(sparse)
    found = 0
    # Nearly all of the time goes to other programs: one beside the other.
    pool = ThreadPoolExecutor()
    for check, lines in zip(checks, pool.map(lambda check: list(check()), checks)):
        say(f"lint: {check.__doc__}: {f'{len(lines)} findings' if lines else 'ok'}")
        for line in lines:
            print(line)
        found += len(lines)
    return int(bool(found))


def patches_checked():
    """checkpatch --strict over the series, the guest's programs, offmap and the test modules"""
    script = tree.LINUX / "scripts/checkpatch.pl"
    command = ["perl", script, "--strict", "--terse", "--show-types", "--color=never"]
    names = [patches.PATCHES / name for name, _ in patches.series()]
    programs = sorted([*GUEST.glob("*.c"), *OFFMAP.rglob("*.[ch]"),
                       *(TESTS / "modules").glob("*.[ch]")])
    share = os.cpu_count() or 1
    runs = [[*command, *names[first::share]] for first in range(min(share, len(names)))]
    runs.append([*command, "-f", *programs])
    with ThreadPoolExecutor(share) as pool:
        output = "".join(pool.map(lambda run: _output(run, cwd=tree.LINUX), runs))
    for left in tree.LINUX.glob(".checkpatch-camelcase.*"):
        left.unlink()
    allowed, used = _exceptions(), set()
    for line in output.splitlines():
        match = re.match(r"(.*?):\d+: (?:ERROR|WARNING|CHECK):(\w+): ", line)
        if not match:
            continue
        keys = {(name, match[2]) for name in (Path(match[1]).name, "*.patch" if
                match[1].endswith(".patch") else "*.c")} & allowed
        used |= keys
        if not keys:
            yield line.replace(f"{ROOT}/", "")
    for name, kind in sorted(allowed - used):
        yield f"{shown(EXCEPTIONS)}: {name} {kind} is not needed"


def _exceptions():
    """Lines of "FILE TYPE reason"; FILE may be *.patch or *.c."""
    lines = EXCEPTIONS.read_text().splitlines() if EXCEPTIONS.exists() else []
    return {tuple(line.split(maxsplit=2)[:2]) for line in lines
            if line and not line.startswith("#")}


def exported():
    """kernel/ is what ./run export would write"""
    return export.differences()


def symbols_known():
    """every symbol in kernel/configs exists"""
    for path in sorted((KERNEL / "configs").iterdir()):
        for symbol in kernel.symbols(path.read_text()):
            if not kernel.known("linux", symbol):
                yield f"{shown(path)}: the kernel has no {symbol}"


def python():
    """Python: compiles, and pyflakes"""
    sources = [path for folder in ("lab", "tests", "bench")
               for path in sorted((ROOT / folder).rglob("*.py"))]
    for path in sources:
        try:
            compile(path.read_bytes(), path, "exec")
        except SyntaxError as error:
            yield f"{shown(path)}:{error.lineno}: {error.msg}"
    yield from _output([sys.executable, "-P", "-m", "pyflakes", *sources]
                       ).replace(f"{ROOT}/", "").splitlines()


def shell():
    """shell: shellcheck"""
    scripts = [ROOT / "run", ROOT / ".ci/run", GUEST / "init"]
    yield from _output(["shellcheck", "--format=gcc", *scripts]
                       ).replace(f"{ROOT}/", "").splitlines()


def man_pages():
    """manual pages: mandoc"""
    yield from _output(["mandoc", "-T", "lint", "-W", "warning", *sorted(OFFMAP.glob("*.8"))]
                       ).replace(f"{ROOT}/", "").splitlines()


def coccinelle():
    """the rule of the series: nobody goes around the offline page interface"""
    for path, line, what in cocci.findings(cocci.candidates("linux"), tree.LINUX):
        yield f"{path}:{line}: {what}"


def sparse():
    """sparse over the files that the series touches"""
    touched = _touched_functions()
    compiled = {config: [] for config in CONFIGS}
    kernel.build("linux", "guest")
    for path in sorted(touched):
        for config in CONFIGS:
            if (kernel.objects_of("linux", config) / path).with_suffix(".o").exists():
                compiled[config].append(path)
                break
        else:
            say(f"lint: sparse: {path} is compiled neither in {' nor in '.join(CONFIGS)}")
    for config, paths in compiled.items():
        if not paths:
            continue
        objects = [str(Path(path).with_suffix(".o")) for path in paths]
        with files.locked(kernel.objects_of("linux", config) / ".lock"):
            log = kernel.make("sparse", "linux", config, "C=2", *objects)
        for line in dict.fromkeys(log.read_text(errors="replace").splitlines()):
            match = re.match(r"(?:\.\./)?(\S+?):(\d+):\d+: (?:warning|error): ", line)
            if match and any(int(match[2]) in lines for lines in touched.get(match[1], ())):
                yield line.removeprefix("../")


def _touched_functions():
    """{path of a .c file: line ranges of the functions that the series changes}.

    What sparse says about the rest of such a file is the base kernel's own.
    """
    base = resolve(tree.LINUX, tree.BASE)
    diff = git(tree.LINUX, "diff", "-U0", "--function-context", "--no-renames",
               "--diff-filter=AM", "--dst-prefix=b/", base, "HEAD", "--", "*.c")
    touched, path = {}, None
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
            touched[path] = []
        elif match := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            start = int(match[1])
            touched[path].append(range(start, start + int(match[2] or 1)))
    return touched


def _output(command, cwd=None):
    """What a checker prints; it exits with 1 when it has found something."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True,
                            errors="replace")
    if result.returncode > 1 or (result.returncode and not result.stdout):
        raise LabError(f"{command[0]} failed: {result.stderr.strip().splitlines()[-1:]}")
    return result.stdout
