"""
The kernel's work trees: build/linux (base + series), build/stock (base alone), build/mutant
(base + series + the patch that the environment variable MUTATION names, which breaks something) and
build/bisect (base + a part of the series: whatever commit is looked at).
"""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

from lab import files, patches, source
from lab.errors import LabError
from lab.git import git, resolve
from lab.paths import BUILD, KERNEL, shown
from lab.progress import say

LINUX = BUILD / "linux"
STOCK = BUILD / "stock"
MUTANT = BUILD / "mutant"
BISECT = BUILD / "bisect"

# What we remember in build/linux: the base, the commit that was last the same as
# kernel/, and what kernel/ was at that time (as the commits that it makes).
BASE, SYNCED, SERIES = "refs/lab/base", "refs/lab/synced", "refs/lab/series"


def make(name, named=None, force=False):
    """Bring a tree up to date with the base and the series; return its path.

    Work in build/linux that has not been exported is never overwritten, unless
    by `force`. What build/bisect is made from is what at() has checked out.
    """
    if name == "bisect":
        if not (BISECT / ".git").exists():
            raise LabError("there is no build/bisect: only ./run bisect and ./run bench steps make it")
        return BISECT
    path = {"linux": LINUX, "stock": STOCK, "mutant": MUTANT}.get(name)
    if not path:
        raise LabError(f"no tree is called {name}: linux, stock or mutant")
    with files.locked(BUILD / f".{name}.lock"):
        base = _base(named)
        if not (path / ".git").exists():
            _clone(path, base)
        _check_cache(path)
        _finish_interrupted(path)
        if not resolve(path, f"{base.commit}^{{commit}}"):
            git(path, "fetch", "--quiet", source.REPOSITORY, base.commit)
        wanted = base.commit
        if name != "stock":
            wanted = patches.apply(path, base, _mutation() if name == "mutant" else None)
        _move(path, base, wanted, force)
        files.write(BUILD / "base", f"{_pinned()} {base.commit} {base.version}\n")
    return path


def base():
    """What build/linux is made on."""
    commit = resolve(LINUX, BASE) if LINUX.is_dir() else None
    if not commit:
        raise LabError("there is no build/linux yet: ./run tree makes it")
    return source.Base(commit, source.version(LINUX, commit))


def commits(last="HEAD", before=BASE):
    """The commits in build/linux on its base, the first one first."""
    return git(LINUX, "rev-list", "--reverse", f"{before}..{last}").split()


def at(commit):
    """Check out a commit of build/linux in build/bisect, writing only the files that differ."""
    with files.locked(BUILD / ".bisect.lock"):
        if not (BISECT / ".git").exists():
            _clone(BISECT, _base())
        _finish_interrupted(BISECT)
        if not resolve(BISECT, f"{commit}^{{commit}}"):
            git(BISECT, "fetch", "--quiet", LINUX, commit)
        with _moving(BISECT):
            git(BISECT, "checkout", "--quiet", "--force", "--detach", commit)
    return BISECT


def _mutation():
    mutation = Path(os.environ.get("MUTATION", ""))
    if not mutation.is_file():
        raise LabError("the tree mutant needs MUTATION=FILE, one of tests/mutations")
    return mutation


def exported(path=LINUX):
    """Is there nothing in the tree that the next series would overwrite?"""
    return not dirty(path) and resolve(path, "HEAD") == resolve(path, SYNCED)


def mark_exported(base):
    """After an export: HEAD is what kernel/ holds."""
    git(LINUX, "update-ref", SERIES, patches.apply(LINUX, base))
    git(LINUX, "update-ref", SYNCED, "HEAD")


def dirty(path):
    return bool(git(path, "status", "--porcelain"))


def _base(named=None):
    """The base of this checkout: once named, a source is kept until kernel/base changes."""
    named = named or os.environ.get("SOURCE")
    record = BUILD / "base"
    if not named and record.exists():
        pinned, commit, version = record.read_text().split()
        if pinned == _pinned() and resolve(source.REPOSITORY, f"{commit}^{{commit}}"):
            return source.Base(commit, version)
    return source.get(named)


def _pinned():
    return hashlib.sha256((KERNEL / "base").read_bytes()).hexdigest()


def _clone(path, base):
    """Objects are shared with the repository in the cache: only the files take room."""
    files.need_space(BUILD, 4)
    say(f"checking out {shown(path)} (1.6 GB)")
    temporary = path.with_name(f".{path.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    git(BUILD, "clone", "--quiet", "--shared", "--no-checkout", source.REPOSITORY, temporary)
    git(temporary, "remote", "remove", "origin")
    files.write(temporary / ".git/info/exclude", "/obj-*/\n")
    git(temporary, "update-ref", SYNCED, base.commit)
    git(temporary, "update-ref", SERIES, base.commit)
    git(temporary, "checkout", "--quiet", "-B", "lab", base.commit)
    temporary.rename(path)


def _check_cache(path):
    if not resolve(path, "HEAD^{tree}"):
        raise LabError(f"{shown(path)} has lost its base, which is in {source.REPOSITORY}: "
                       f"remove {shown(path)}, or bring the cache back")


def _move(path, base, wanted, force):
    """Check out `wanted`, if the tree is not there already or further on."""
    head = resolve(path, "HEAD")
    if force or wanted not in (head, resolve(path, SERIES)):
        if not (force or exported(path)):
            raise LabError(f"{shown(path)} has work that is not exported, and the series or "
                           f"the base has changed: ./run export writes it to kernel/, "
                           f"./run tree --force throws it away")
        with _moving(path):
            git(path, "checkout", "--quiet", "--force", "-B", "lab", wanted)
        head = wanted
    if head == wanted:
        git(path, "update-ref", SYNCED, wanted)
    git(path, "update-ref", SERIES, wanted)
    git(path, "update-ref", BASE, base.commit)
    if not exported(path):
        say(f"{shown(path)} has work that is not exported")


@contextlib.contextmanager
def _moving(path):
    """Marks the tree while its files change."""
    marker = path / ".git/lab-moving"
    files.write(marker, "")
    yield
    marker.unlink()


def _finish_interrupted(path):
    """A checkout that was interrupted would look like changes of the user's."""
    marker = path / ".git/lab-moving"
    if marker.exists():
        (path / ".git/index.lock").unlink(missing_ok=True)
        git(path, "reset", "--quiet", "--hard")
        marker.unlink()
