"""A package from a suite, or for an architecture, that the machine does not use, without
touching its apt.

apt is run with lists, cache and sources of our own. The mirror is the one that
the machine itself uses, the signatures are checked as ever.
"""

import os
import platform
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

from lab import files
from lab.errors import LabError
from lab.paths import CACHE
from lab.progress import Progress

HOME = CACHE / "apt"
DEBS = CACHE / "downloads"
KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg",
            "/usr/share/keyrings/debian-archive-keyring.pgp")


def download(package, version, suite, directory, architecture="all", megabytes=160):
    """Fetch that version, or the newest there is; return (path, version)."""
    files.need_space(directory, 1)
    mirror = _mirror()
    _configure(mirror, suite, architecture)
    _apt("apt-get", "update", error=f"no network? cannot read {suite} from {mirror}")
    versions = _versions(package)
    if not versions:
        raise LabError(f"{package} is not in {suite} of {mirror}")
    if version not in versions:
        version = versions[0]
    path = directory / f"{package}_{version.replace(':', '%3a')}_{architecture}.deb"
    progress = Progress(f"downloading {package} {version} ({megabytes} MB)")
    _apt("apt-get", "download", f"{package}={version}", cwd=directory,
         error=f"cannot download {package} {version} from {mirror}",
         while_waiting=lambda: progress.tick(f"{_megabytes(path)} MB"))
    progress.done()
    return path, version


def foreign_file(package, architecture, name):
    """A file of a package for another architecture, of the release that this machine runs.

    Return its path in the cache.
    """
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    path = CACHE / "foreign" / f"{suite}-{architecture}" / Path(name).name
    with files.locked(CACHE / ".lock"):
        if not path.exists():
            deb, _ = download(package, None, suite, DEBS, architecture, 1)
            files.write(path, content(deb, re.escape(name)))
            path.chmod(0o755)
    return path


def unpacked(package, suite):
    """
    A folder with a package of another release and all that it depends on, the C library too, as on
    a machine that runs that release; nothing is installed. lab/tools.py runs programs from there.
    """
    path = CACHE / "unpacked" / f"{suite}-{package}"
    with files.locked(CACHE / ".lock"):
        if not path.exists():
            mirror = _mirror()
            _configure(mirror, suite, "all")
            _apt("apt-get", "update", error=f"no network? cannot read {suite} from {mirror}")
            with tempfile.TemporaryDirectory(dir=HOME) as folder:
                debs = Path(folder)
                (debs / "partial").mkdir()
                progress = Progress(f"downloading {package} of {suite} and what it depends on")
                _apt("apt-get", "install", "--download-only", "--yes", "--no-install-recommends",
                     "-o", f"Dir::Cache::archives={debs}", "-o", "Debug::NoLocking=1", package,
                     error=f"cannot download {package} of {suite} from {mirror}",
                     while_waiting=lambda: progress.tick(f"{len([*debs.glob('*.deb')])} packages"))
                temporary = debs / "root"
                for deb in sorted(debs.glob("*.deb")):
                    subprocess.run(["dpkg-deb", "-x", deb, temporary], check=True)
                path.parent.mkdir(exist_ok=True)
                temporary.rename(path)
            progress.done()
    return path


def newest(pattern, suite, architecture):
    """The name of the package that matches, with the highest version in its name."""
    mirror = _mirror()
    _configure(mirror, suite, architecture)
    _apt("apt-get", "update", error=f"no network? cannot read {suite} from {mirror}")
    found = _apt("apt-cache", "search", "--names-only", f"^{pattern}$",
                 error=f"cannot look up {pattern}")
    names = [line.split()[0] for line in found.splitlines()]
    if not names:
        raise LabError(f"no package {pattern} is in {suite} of {mirror}")
    return max(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def content(deb, pattern):
    """Of the first file in a package that matches."""
    for _, data in contents(deb, pattern):
        return data
    raise LabError(f"{deb.name}: no {pattern} in it")


def contents(deb, pattern):
    """(name, data) of all files that match, which are in /usr or not, as the release has it."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb],
                          stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
            for member in tar:
                name = member.name.removeprefix("./").removeprefix("usr/")
                if member.isreg() and re.fullmatch(pattern, name):
                    yield name, tar.extractfile(member).read()


def suites_with(package, suites):
    """[(version, suite)] of a package, the newest first."""
    found, mirror = [], _mirror()
    for suite in suites:
        _configure(mirror, suite, "all")
        _apt("apt-get", "update", error=f"no network? cannot read {suite} from {mirror}")
        found += [(version, suite) for version in _versions(package)]
    return sorted(found, key=lambda each: [int(number) for number in re.findall(r"\d+", each[0])],
                  reverse=True)


def _mirror():
    """The address of Debian's archive in the machine's own configuration.

    Not from "apt-get indextargets", which is silent until the first update.
    """
    try:
        output = subprocess.run(["apt-get", "--print-uris", "update"],
                                capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise LabError("apt-get is missing: name a kernel source with SOURCE=") from None
    for uri, release in re.findall(r"^'(.*)/dists/(.*)/InRelease'", output, re.M):
        # Backports are beside the release itself, not beside its security updates.
        if "security" not in uri + release:
            return uri
    raise LabError("apt knows no Debian mirror: name a kernel source with SOURCE=")


def _configure(mirror, suite, architecture):
    keyring = next((path for path in KEYRINGS if Path(path).exists()), None)
    if not keyring:
        raise LabError("Debian's archive keys are missing: install debian-archive-keyring")
    for directory in ("lists/partial", "cache/archives/partial"):
        (HOME / directory).mkdir(parents=True, exist_ok=True)
    files.write(HOME / "status", "")
    files.write(HOME / "sources.list",
                f"deb [signed-by={keyring}] {mirror} {suite} main\n")
    foreign = "" if architecture == "all" else f'APT::Architecture "{architecture}";\n'
    files.write(HOME / "apt.conf", f"""\
{foreign}Dir::State "{HOME}";
Dir::State::lists "{HOME}/lists";
Dir::State::status "{HOME}/status";
Dir::Cache "{HOME}/cache";
Dir::Etc::sourcelist "{HOME}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
APT::Update::Post-Invoke {{}};
APT::Update::Post-Invoke-Success {{}};
""")


def _apt(*command, error, cwd=None, while_waiting=lambda: None):
    """Run apt with our configuration; `error` says in a line what went wrong."""
    process = subprocess.Popen(
        command, cwd=cwd, env=os.environ | {"APT_CONFIG": f"{HOME}/apt.conf", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = None
    try:
        while output is None:
            try:
                output, _ = process.communicate(timeout=1)
            except subprocess.TimeoutExpired:
                while_waiting()
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        lines = output.strip().splitlines()
        why = next((line for kind in "EW" for line in lines if line.startswith(f"{kind}: ")),
                   lines[-1] if lines else "failed")
        raise LabError(f"{error}: {why[:200]}")
    return output


def _versions(package):
    table = _apt("apt-cache", "madison", package, error=f"cannot look up {package}")
    return [line.split("|")[1].strip() for line in table.splitlines() if "|" in line]


def _megabytes(path):
    for candidate in (path, HOME / "cache/archives/partial" / path.name):
        if candidate.exists():
            return candidate.stat().st_size // 1000000
    return 0
