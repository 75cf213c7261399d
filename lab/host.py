"""The Debian packages that a command needs: install those that are missing."""

import os
import re
import shutil
import subprocess

from lab.arch import ARCHS, X86
from lab.errors import LabError
from lab.progress import say

TREE = ["git"]
BUILD = TREE + ["build-essential", "flex", "bison", "bc", "perl", "libelf-dev",
                "libssl-dev", "ccache"]
GUEST = BUILD + [*X86.packages, "busybox-static"]
PICTURE = ["librsvg2-bin", "fonts-dejavu-core"]
LINT = BUILD + ["shellcheck", "python3-pyflakes", "mandoc", "coccinelle"]
DOCS = ["python3-sphinx"]
CROSS = {name: [package for package in arch.packages if package.startswith("gcc-")]
         for name, arch in ARCHS.items()}
MODEL = ["build-essential", "spin"]
BENCH = GUEST + ["gnuplot-nox"]

PACKAGES = {
    "tree": TREE, "export": TREE, "build": BUILD, "boot": GUEST,
    "demo": GUEST + PICTURE, "bench": BENCH, "lint": LINT + DOCS + CROSS["powerpc"],
    "series": TREE + ["perl"], "rebase": TREE,
    "bisect": GUEST + sum(CROSS.values(), []),
    "check": sorted({*GUEST, *PICTURE, *LINT, *MODEL, "python3-pytest"}),
}

# What only a named part of the tests needs.
PARTS = {"mails": ["b4"], "bench": ["gnuplot-nox"], "fuzz": ["clang", "libclang-rt-dev"],
         "mutations": ARCHS["powerpc"].packages,
         "upstream": ["bash-static", "libcap-dev", "libnuma-dev", "liburing-dev", *ARCHS["powerpc"].packages]}


def install(command, archs=(), part=None):
    """
    Install what `command` needs for guests of `archs` and this machine lacks, saying what; `part`: of
    the tests, True: all.
    """
    wanted = [*PACKAGES.get(command, ()), *(package for arch in archs for package in arch.packages),
              *(package for name in PARTS if part in (True, name) for package in PARTS[name])]
    missing = [package for package in wanted if not _installed(package)]
    if not missing:
        return
    say(f"installing Debian packages: {' '.join(missing)}")
    become_root = [] if os.geteuid() == 0 else ["sudo"]
    if become_root and not shutil.which("sudo"):
        raise LabError(f"not root and no sudo; as root: apt-get install {' '.join(missing)}")
    # Lock::Timeout: somebody else may be installing, too.
    apt = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-q",
           "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"]
    # The lists may be as old as the machine, or not be there at all. A failure here may
    # come from a source that is not needed: it is told if the packages do not come.
    _, update = _run([*apt, "update"])
    code, install = _run([*apt, "install", "--yes", "--no-install-recommends", *missing])
    if code:
        why = re.search(r"^(?:[EW]: |sudo: ).*", update + install, re.M)
        raise LabError(f"cannot install {' '.join(missing)}: "
                       f"{why[0] if why else f'apt-get ends with {code}'}")


def need_tools(*names):
    """A clear line for a machine whose packages are there but whose PATH is not."""
    for name in names:
        if not shutil.which(name):
            raise LabError(f"{name} is not in PATH; ./run installs it on Debian")


def _installed(package):
    try:
        status = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", package],
                                capture_output=True, text=True).stdout
    except FileNotFoundError:
        return True     # not Debian: need_tools() tells what is missing
    return status.startswith("ii")


def _run(command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace")
    return result.returncode, result.stdout
