"""kernel/series and kernel/patches: reading them, and making commits of them."""

import hashlib
import re
import tempfile
from pathlib import Path

from lab.errors import LabError
from lab.git import GitError, git
from lab.paths import KERNEL, shown

SERIES = KERNEL / "series"
PATCHES = KERNEL / "patches"
STEPS = "refs/lab/steps"     # of a repository: each patch, on what it was applied to


def series():
    """The patches in order, as (name, heading of its sub-series or None)."""
    heading, entries = None, []
    for line in SERIES.read_text().splitlines() if SERIES.exists() else ():
        line = line.strip()
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line:
            entries.append((line, heading))
    return entries


def apply(repository, base, mutation=None):
    """Make commits of the series on `base` in a repository and return the last one.

    A mutation is one more patch, which breaks what a test is to notice.

    No work tree is touched, so that a checkout from the series before to this one
    writes only the files that differ, and make rebuilds only what it must. The
    committer is the author: the same series gives the same commits everywhere.
    """
    files = [PATCHES / name for name, _ in series()]
    for file in files:
        if not file.is_file():
            raise LabError(f"kernel/series names {file.name}, which is not in kernel/patches")
    return _apply(repository, base, [*files, mutation] if mutation else files)


def apply_alone(repository, base, names):
    """The same with some patches of the series, without those between them."""
    return _apply(repository, base, [PATCHES / name for name in names])


def _apply(repository, base, files):
    """Begins where this series differs from those that have been applied before: each step has a ref."""
    there = git(repository, "for-each-ref", "--format=%(refname) %(objectname)", f"{STEPS}/")
    done = dict(line.split() for line in there.splitlines())
    commit, made = base.commit, {}
    with tempfile.TemporaryDirectory() as directory:
        env = {"GIT_INDEX_FILE": f"{directory}/index"}
        for file in files:
            ref = f"{STEPS}/{_key(commit, file)}"
            if ref in done:
                commit = done[ref]
                continue
            if not made:
                git(repository, "read-tree", commit, env=env)
            commit = made[ref] = _commit(repository, base, commit, file, Path(directory), env)
    for ref, made_commit in made.items():
        git(repository, "update-ref", ref, made_commit)
    return commit


def _key(commit, file):
    return hashlib.sha256(commit.encode() + file.read_bytes()).hexdigest()


def _commit(repository, base, parent, file, directory, env):
    message, diff = directory / "message", directory / "diff"
    info = git(repository, "mailinfo", "-b", "--encoding=UTF-8", message, diff,
               data=file.read_bytes())
    fields = dict(re.findall(r"^(Author|Email|Subject|Date): (.*)$", info, re.M))
    if len(fields) < 4 or not diff.stat().st_size:
        raise LabError(f"{shown(file)}: not a patch in git's mail format")
    try:
        git(repository, "apply", "--cached", "--whitespace=nowarn", diff, env=env)
    except GitError as error:
        raise LabError(f"{shown(file)} does not apply to Linux {base.version}: "
                       f"{error}") from None
    who = {f"GIT_{role}_{what}": fields[key] for role in ("AUTHOR", "COMMITTER")
           for what, key in (("NAME", "Author"), ("EMAIL", "Email"), ("DATE", "Date"))}
    text = f"{fields['Subject']}\n\n{message.read_text()}"
    tree = git(repository, "write-tree", env=env)
    return git(repository, "commit-tree", tree, "-p", parent, data=text.strip().encode()
               + b"\n", env=who)
