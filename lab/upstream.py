"""
Is what the series applies to what Linux itself has? The base is Debian's package, to which Debian has
applied patches of its own. Compared with a tarball or git tree of Linux that the user names;
kernel/upstream keeps the result, for the cover letters.
"""

import textwrap

from lab import source, tree
from lab.errors import LabError
from lab.files import write
from lab.git import git, resolve
from lab.paths import KERNEL, shown
from lab.progress import say

RECORD = KERNEL / "upstream"


def check(named):
    """Compare, and write kernel/upstream; return the files that differ."""
    tree.make("linux")
    base, other = tree.base(), source.any_version(named)
    if other.version != base.version:
        raise LabError(f"{named}: is Linux {other.version}, the base is {base.version}")
    paths = _touched(base)
    differing = [path for path in paths if resolve(tree.LINUX, f"{base.commit}:{path}")
                 != resolve(source.REPOSITORY, f"{other.commit}:{path}")]
    lines = ["# Written by ./run series --upstream: the files of the base that the series touches, beside "
             "Linux itself.", f"base {_content(base)}",
             *(f"{'differs' if path in differing else 'equal'} {path}" for path in paths)]
    write(RECORD, "\n".join(lines) + "\n")
    say(f"{len(paths) - len(differing)} of {len(paths)} touched files are as in Linux "
        f"{other.version}; {shown(RECORD)}")
    return differing


def statement(pin):
    """For the cover letter."""
    package = f"Debian's {pin['package']} {pin['package-version']}"
    record = _record()
    if not record:
        return (f"It was made on {package}, which has patches of Debian's own. That the touched files "
                f"are those of Linux {pin['version']} was not checked.")
    differing = [path for kind, path in record if kind == "differs"]
    if not differing:
        return (f"It was made on {package}. Each of the {len(record)} files of it that the whole "
                f"series touches is the same as in Linux {pin['version']}.")
    return (f"It was made on {package}. Of the {len(record)} files of it that the whole series "
            f"touches, these differ from Linux {pin['version']}: {', '.join(differing)}.")


def paragraph(text):
    return textwrap.fill(text, 72, break_long_words=False, break_on_hyphens=False)


def _touched(base):
    """The files of the base that the series changes or removes."""
    return git(tree.LINUX, "diff", "--name-only", "--no-renames", "--diff-filter=MD", base.commit,
               "HEAD").splitlines()


def _content(base):
    return git(tree.LINUX, "rev-parse", f"{base.commit}^{{tree}}")


def _record():
    """[(equal or differs, path)], if it is about this series on this base."""
    if not RECORD.exists():
        return []
    first, *found = [tuple(line.split()) for line in RECORD.read_text().splitlines()
                     if not line.startswith("#")]
    base = tree.base()
    if first != ("base", _content(base)) or [path for _, path in found] != _touched(base):
        return []
    return found
