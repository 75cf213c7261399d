"""The base kernel: one commit in a repository in the cache.

It comes from Debian's package, by way of the mirror that this machine's apt
uses, or from a tarball or git tree that the user names. Author and date of the
commit are fixed, so that the same source is the same commit everywhere.
"""

import contextlib
import hashlib
import lzma
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from lab import apt, files
from lab.errors import LabError
from lab.git import git, resolve
from lab.paths import CACHE, KERNEL
from lab.progress import Progress, say

REPOSITORY = CACHE / "linux.git"
IDENTITY = "Linux <linux> 0 +0000"


@dataclass(frozen=True)
class Base:
    commit: str
    version: str    # 7.3.4


def pin():
    """What kernel/base says, as a dictionary."""
    lines = (KERNEL / "base").read_text().splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def get(named=None):
    """The base kernel: from a tarball or git tree `named` by the user, or the package."""
    with files.locked(CACHE / ".lock"):
        _make_repository()
        if not named:
            return _package()
        return _meant(_named(named))


def any_version(named):
    """A Linux of whatever version, from a tarball, a package or a git tree."""
    with files.locked(CACHE / ".lock"):
        _make_repository()
        return _named(named)


def package():
    """Debian's package that kernel/base names, or its successor: the file, downloaded if it must be."""
    pinned = pin()
    debs = CACHE / "downloads"
    deb = debs / f"{pinned['package']}_{pinned['package-version']}_all.deb"
    if deb.exists() and _sha256(deb) != pinned["sha256"]:
        deb.unlink()
    if not deb.exists():
        deb, version = apt.download(pinned["package"], pinned["package-version"],
                                    pinned["suite"], debs)
        if version != pinned["package-version"]:
            say(f"warning: {pinned['package']} {pinned['package-version']} is gone "
                f"from {pinned['suite']}, using {version}")
        elif _sha256(deb) != pinned["sha256"]:
            deb.unlink()
            raise LabError(f"{deb.name}: wrong checksum, kernel/base wants "
                           f"{pinned['sha256'][:16]}...; thrown away")
    return deb


def changed_by_debian(deb):
    """
    The files in a package that Debian's patches have changed or added, by their dates: dpkg-source gives
    the files that it patches the date of that moment, all others keep the one that the original
    tarball has for each of its files, the release of this Linux.
    """
    progress = Progress(f"reading the dates in {Path(deb).name}")
    dates = {}
    with _reading(Path(deb).name), _package_content(deb) as tar:
        for count, member in enumerate(tar):
            if member.isreg() or member.issym():
                dates[_name(member)] = member.mtime
            progress.tick(f"{count} files")
    progress.done()
    release = min(dates.values(), default=0)
    changed = sorted(name for name, date in dates.items() if date != release)
    # One tarball made at one moment: were the dates others, they would say nothing.
    if len(changed) > len(dates) / 2:
        raise LabError(f"{Path(deb).name}: the dates of its files do not tell which Debian has changed")
    return changed


def version(repository, commit):
    """Of the kernel in a commit, as 7.3.4."""
    makefile = git(repository, "show", f"{commit}:Makefile")
    try:
        return ".".join(re.search(rf"^{key} = (\d+)$", makefile, re.M)[1]
                        for key in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))
    except TypeError:
        raise LabError("no Linux kernel") from None


def _named(named):
    path = Path(named).absolute()
    if path.is_dir():
        return _base(_from_git(path), path)
    if path.is_file():
        return _base(_from_file(path), path)
    raise LabError(f"source {named}: no such file or git tree")


def _make_repository():
    REPOSITORY.mkdir(parents=True, exist_ok=True)
    if not (REPOSITORY / "HEAD").exists():
        git(REPOSITORY, "init", "--quiet", "--bare", ".")
    for left in REPOSITORY.glob("objects/pack/tmp_*"):
        left.unlink()


def _base(commit, origin):
    """The commit as a Base, if it is a Linux."""
    try:
        return Base(commit, version(REPOSITORY, commit))
    except LabError:
        raise LabError(f"source {origin}: no Linux kernel in it") from None


def _meant(base):
    """The base, if it is a Linux that the series can be meant for."""
    wanted = pin()["version"]
    if base.version.rpartition(".")[0] != wanted.rpartition(".")[0]:
        raise LabError(f"source: is Linux {base.version}, "
                       f"the series is for {wanted.rpartition('.')[0]}.y")
    if base.version != wanted:
        say(f"warning: the base is Linux {base.version}, the series was made for {wanted}")
    return base


# From the package

def _package():
    pinned = pin()
    known = resolve(REPOSITORY, f"refs/base/{pinned['sha256']}")
    if known:
        return _meant(_base(known, pinned["package"]))
    deb = package()
    return _meant(_base(_from_file(deb), deb.name))


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Into the repository

def _from_git(path):
    """The content of HEAD of the user's tree, without its history."""
    tree = resolve(path, "HEAD^{tree}")
    if not tree:
        raise LabError(f"source {path}: not a git tree with a commit")
    if git(path, "status", "--porcelain", "--untracked-files=no"):
        say(f"warning: uncommitted changes in {path} are not used")
    archive = ["git", "-c", "safe.directory=*", "-C", path, "archive", "--prefix=linux/", "HEAD"]
    return _import(tree, path.name, lambda: _output_of(archive))


def _from_file(path):
    """The content of a tarball, or of the one in a Debian package."""
    return _import(_sha256(path), path.name,
                   lambda: _package_content(path) if path.suffix == ".deb"
                   else tarfile.open(path, "r|*"))


def _import(key, label, opened):
    """The commit of that key; if there is none yet, of the archive that `opened` gives."""
    ref = f"refs/base/{key}"
    if not resolve(REPOSITORY, ref):
        files.need_space(CACHE, 2)
        with _reading(label), opened() as tar:
            _fast_import(tar, ref, Progress(f"unpacking {label}"))
    return resolve(REPOSITORY, ref)


@contextlib.contextmanager
def _reading(label):
    """Whatever is wrong with an archive is an error that names it."""
    try:
        yield
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        raise LabError(f"cannot unpack {label}: {error}") from None


@contextlib.contextmanager
def _output_of(command):
    """The tar archive that a command writes."""
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
                yield tar
        finally:
            process.kill()


@contextlib.contextmanager
def _package_content(path):
    """The tarball inside a package linux-source-7.3."""
    with _output_of(["dpkg-deb", "--fsys-tarfile", path]) as package:
        for member in package:
            if re.search(r"/linux-source-[^/]*\.tar\.", member.name):
                with tarfile.open(fileobj=package.extractfile(member), mode="r|*") as tar:
                    yield tar
                return
    raise LabError(f"{path.name}: no kernel source in it")


def _name(member):
    """In the tree: without the folder that the archive puts around it."""
    return member.name.removeprefix("./").partition("/")[2]


def _fast_import(tar, ref, progress):
    """Stream the archive into one commit: no file is written but the pack."""
    importer = subprocess.Popen(
        ["git", "-c", "core.compression=1", "-C", REPOSITORY, "fast-import", "--quiet",
         "--done", "--depth=0"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    out = importer.stdin
    try:
        out.write(f"commit {ref}\ncommitter {IDENTITY}\ndata 5\nbase\n\n".encode())
        for count, member in enumerate(tar):
            name = _name(member)
            if member.issym():
                mode, data = "120000", member.linkname.encode()
            elif member.isreg():
                mode = "100755" if member.mode & 0o100 else "100644"
                data = tar.extractfile(member).read()
                if name == ".gitignore":
                    # Debian's makes git blind to every file that a patch adds.
                    data = data.partition(b"#\n# Debian packaging: ignore")[0]
            else:
                continue
            out.write(f"M {mode} inline {name}\ndata {len(data)}\n".encode())
            out.write(data)
            out.write(b"\n")
            progress.tick(f"{count} files")
        out.write(b"done\n")
        out.close()
        problem = importer.stderr.read()
    except BrokenPipeError:
        problem = importer.stderr.read() or b"git fast-import ended early"
    except BaseException:
        importer.kill()
        raise
    finally:
        importer.wait()
    if importer.returncode:
        raise LabError(f"git fast-import: {problem.decode().strip().splitlines()[0]}")
    progress.done()
