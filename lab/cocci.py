"""Coccinelle: the rule of the series that finds code going around the offline page
interface, and the other rules of the kernel."""

import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import host, tree
from lab.errors import LabError
from lab.git import git
from lab.paths import BUILD
from lab.progress import Progress

RULE = "scripts/coccinelle/api/offline_page.cocci"
# What a file has that has anything to do with it. mm/ may do what the rule finds elsewhere.
WORDS = r"Page(Movable)?Offline|offline_page|generic_online_page|PGTY_(movable_)?offline"
ELSEWHERE = ["--", "*.c", "*.h", ":!mm", ":!tools", ":!Documentation"]


def candidates(name):
    """The files of a tree, "linux" or "stock", that the rule could say something about."""
    return git(BUILD / name, "grep", "-lE", WORDS, *ELSEWHERE).split()


def findings(paths, directory):
    """[(file, line, what)] that the rule says about files in a directory."""
    host.need_tools("spatch")
    rule = tree.LINUX / RULE
    if not rule.exists():
        raise LabError(f"the series has no {RULE}")
    output = _spatch(rule, ["--no-includes", "--include-headers"], paths, directory)
    return [(match[1], int(match[2]), match[3]) for match in
            re.finditer(r"^(\S+?):(\d+):\S+ WARNING: (.*)$", output, re.M)]


def findings_of_the_kernel(paths):
    """[(file, line, what)] that the other rules of the kernel, each with the options that it names, say
    about files of build/linux."""
    host.need_tools("spatch")
    rules = [rule for rule in sorted((tree.LINUX / "scripts/coccinelle").rglob("*.cocci"))
             if rule != tree.LINUX / RULE and re.search(r"^virtual .*\breport\b", rule.read_text(), re.M)
             and "script:ocaml" not in rule.read_text()]      # two, for which OCaml would be needed
    if not rules:
        raise LabError("the kernel has no Coccinelle rules")

    def report(rule, folder):
        options = re.search(r"^// Options:(.*)$", rule.read_text(), re.M)
        output = _spatch(rule, options[1].split() if options else [],
                         ["-I", tree.LINUX / "include", "--dir", "."], folder)
        return {(match[1], int(match[2]), f"{rule.name}: {match[3]}") for match in
                re.finditer(r"^(?:\./)?(\S+?):(\d+):\S+ (.*)$", output, re.M)}

    progress = Progress("coccinelle")
    found = set()
    # Files that are named are all one to spatch, those of a folder are looked at one by one.
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        for path in paths:
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tree.LINUX / path, Path(folder) / path)
        for count, said in enumerate(pool.map(lambda rule: report(rule, folder), rules), 1):
            found |= said
            progress.tick(f"{count} of {len(rules)} rules")
    progress.done()
    return sorted(found)


def _spatch(rule, options, paths, directory):
    """What a rule reports."""
    result = subprocess.run(
        ["spatch", "--very-quiet", "--no-show-diff", "-D", "report", *options, "--cocci-file", rule, *paths],
        cwd=directory, capture_output=True, text=True, errors="replace")
    # A file that it cannot do is no failure to spatch; warnings are about the rule.
    problems = [line for line in result.stderr.splitlines() if line and not line.startswith("warning: ")]
    if result.returncode or problems:
        raise LabError(f"spatch: {rule.name}: {(problems or ['failed'])[0]}")
    return result.stdout
