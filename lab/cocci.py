"""Coccinelle: the rule of the series that finds code going around the offline page interface."""

import re
import subprocess

from lab import host, tree
from lab.errors import LabError
from lab.git import git
from lab.paths import BUILD

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
    result = subprocess.run(
        ["spatch", "--very-quiet", "--no-show-diff", "-D", "report", "--no-includes",
         "--include-headers", "--cocci-file", rule, *paths],
        cwd=directory, capture_output=True, text=True, errors="replace")
    if result.returncode or result.stderr.strip():
        raise LabError(f"spatch: {(result.stderr.strip().splitlines() or ['failed'])[0]}")
    return [(match[1], int(match[2]), match[3]) for match in
            re.finditer(r"^(\S+?):(\d+):\S+ WARNING: (.*)$", result.stdout, re.M)]
