"""Which lines of which files of the kernel the series touches."""

import re

from lab import tree
from lab.git import git, resolve


def functions(*patterns):
    """{path: line ranges of the functions, in C files, that the series changes}."""
    return _ranges("--function-context", *patterns)


def lines(*patterns):
    """{path: line ranges that the series changes}."""
    return _ranges("--no-function-context", *patterns)


def files(*patterns, by=None):
    """The files that the series, or the commit `by`, adds or changes."""
    return _names("AM", *patterns, by=by)


def added(*patterns):
    """The files that the base does not have."""
    return set(_names("A", *patterns))


def _names(which, *patterns, by=None):
    since, until = (f"{by}^", by) if by else (_base(), "HEAD")
    return git(tree.LINUX, "diff", "--no-renames", "--name-only", f"--diff-filter={which}", since, until,
               "--", *patterns).splitlines()


def _base():
    return resolve(tree.LINUX, tree.BASE)


def _ranges(context, *patterns):
    diff = git(tree.LINUX, "diff", "-U0", context, "--no-renames", "--diff-filter=AM",
               "--dst-prefix=b/", _base(), "HEAD", "--", *patterns)
    found, path = {}, None
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
            found[path] = []
        elif match := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            start = int(match[1])
            found[path].append(range(start, start + int(match[2] or 1)))
    return found
