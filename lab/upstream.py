"""
Is what the series applies to what Linux itself has? The base is Debian's package, to which Debian has
applied patches of its own. Either it is compared with a tarball or git tree of Linux that the user names,
or the dates of the files in the package tell which of them Debian has changed. kernel/upstream keeps the
result, for the cover letters.
"""

import textwrap
from pathlib import Path

from lab import source, tree
from lab.errors import LabError
from lab.files import write
from lab.git import git
from lab.paths import KERNEL, shown
from lab.progress import say

RECORD = KERNEL / "upstream"


def check(named=None):
    """
    Find the files of the base that are not as in Linux itself, and write kernel/upstream. `named`: a Linux,
    or the package that the base was made of, which is Debian's if nothing is named.
    """
    tree.make("linux")
    base = tree.base()
    named = Path(named or source.package())
    dates = named.suffix == ".deb"
    changed = _by_dates(base, named) if dates else _by_content(base, named)
    lines = ["# Written by ./run series --upstream: the files of the base that are not as in Linux itself.",
             f"base {_content(base)}", f"by {'dates' if dates else 'content'}", *changed]
    write(RECORD, "\n".join(lines) + "\n")
    touched = _touched(base)
    say(f"{len(set(touched) - set(changed))} of {len(touched)} touched files are as in Linux "
        f"{base.version}; {shown(RECORD)}")


def statement(pin):
    """For the cover letter."""
    package = f"It was made on Debian's {pin['package']} {pin['package-version']}"
    base = tree.base()
    how, changed = _record(base)
    touched = _touched(base)
    differing = ", ".join(path for path in touched if path in changed)
    linux, others = f"Linux {pin['version']}", f"the {len(touched)} files of it that the whole series touches"
    if not how:
        return (f"{package}, which has patches of Debian's own. That the touched files are those of {linux} "
                f"was not checked.")
    if how == "content":
        return (f"{package}. Of {others}, these differ from {linux}: {differing}." if differing
                else f"{package}. Each of {others} is the same as in {linux}.")
    return (f"{package}. By their dates in the package, of {others} Debian's patches have changed "
            f"{differing or 'none'}; the {'others are' if differing else 'files are all'} as in {linux}.")


def paragraph(text):
    return textwrap.fill(text, 72, break_long_words=False, break_on_hyphens=False)


def _by_content(base, named):
    other = source.any_version(named)
    if other.version != base.version:
        raise LabError(f"{named}: is Linux {other.version}, the base is {base.version}")
    return git(source.REPOSITORY, "diff", "--name-only", "--no-renames", "--diff-filter=AMT",
               other.commit, base.commit).splitlines()


def _by_dates(base, package):
    if source.any_version(package).commit != base.commit:
        raise LabError(f"{package.name}: build/linux is not made of this package: name Linux "
                       f"{base.version} itself, a tarball or git tree")
    return source.changed_by_debian(package)


def _touched(base):
    """The files of the base that the series changes or removes."""
    return git(tree.LINUX, "diff", "--name-only", "--no-renames", "--diff-filter=MD", base.commit,
               "HEAD").splitlines()


def _content(base):
    return git(tree.LINUX, "rev-parse", f"{base.commit}^{{tree}}")


def _record(base):
    """(content or dates, files that differ), if kernel/upstream is about this base."""
    if not RECORD.exists():
        return None, []
    first, how, *changed = [line for line in RECORD.read_text().splitlines() if not line.startswith("#")]
    if first != f"base {_content(base)}":
        return None, []
    return how.removeprefix("by "), changed
