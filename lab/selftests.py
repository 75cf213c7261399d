"""
The selftests of a kernel tree, built from that very tree for a guest: linked statically, together with
the shell that their scripts need. Nothing is written among the sources: they are copied first.
"""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from lab import files, kernel
from lab.errors import LabError
from lab.paths import BUILD, CACHE, LOGS, shown
from lab.progress import Progress

BASH = Path("/bin/bash-static")
SELFTESTS = "tools/testing/selftests"
# What the Makefile and the programs of mm refer to
SOURCES = ("mm/gup_test.h", "lib/test_hmm_uapi.h", "tools/include", f"{SELFTESTS}/lib.mk",
           f"{SELFTESTS}/kselftest.h", f"{SELFTESTS}/kselftest_harness.h", f"{SELFTESTS}/mm",
           f"{SELFTESTS}/memory-hotplug", f"{SELFTESTS}/pidfd/pidfd.h", f"{SELFTESTS}/x86/check_cc.sh",
           f"{SELFTESTS}/x86/trivial_64bit_program.c", f"{SELFTESTS}/x86/trivial_32bit_program.c",
           f"{SELFTESTS}/x86/trivial_program.c")

# In the guest
PLACE = "/selftests"


def build(name, config):
    """A tar of PLACE with the selftests of tree `name`, and of /bin/bash."""
    if not BASH.exists():
        raise LabError("bash is missing: install bash-static")
    kernel.build(name, config)
    objects = kernel.objects_of(name, config)
    folder = objects / "selftests"
    archive = folder / "selftests.tar"
    with files.locked(objects / ".lock"):
        stamp = kernel.built(objects)
        if stamp and kernel.read(folder / "lab-built") == stamp:
            return archive
        kernel.make("headers", name, config, "headers")
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "out").mkdir(parents=True)
        _copy(BUILD / name, folder / "src")
        _make(name, folder, objects / "usr/include")
        _pack(folder, archive)
        if stamp:
            files.write(folder / "lab-built", stamp)
    return archive


def _copy(tree, to):
    for source in SOURCES:
        (to / source).parent.mkdir(parents=True, exist_ok=True)
        if (tree / source).is_dir():
            shutil.copytree(tree / source, to / source)
        else:
            shutil.copy2(tree / source, to / source)


def _make(name, folder, headers):
    """All of mm; memory-hotplug is a script."""
    log = LOGS / f"selftests-{name}.log"
    progress = Progress(f"build selftests of {name}")
    command = ["make", f"-j{os.cpu_count()}", "-C", folder / "src" / SELFTESTS / "mm",
               f"OUTPUT={folder / 'out'}", "CC=ccache gcc", "USERCFLAGS=-static -s -w",
               f"KHDR_INCLUDES=-isystem {headers}", "all"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as file:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                              env=os.environ | {"CCACHE_DIR": str(CACHE / "ccache"), "LC_ALL": "C"})
    if done.returncode:
        errors = [line for line in log.read_text(errors="replace").splitlines() if "rror" in line]
        raise LabError(f"selftests of {name}: {errors[0] if errors else 'make failed'}; log {shown(log)}")
    progress.done()


def _pack(folder, archive):
    scripts = folder / "src" / SELFTESTS
    with tarfile.open(archive, "w") as tar:
        tar.add(BASH, "bin/bash")
        for path in sorted((folder / "out").iterdir()):
            tar.add(path, f"{PLACE}/mm/{path.name}")
        for path in sorted([*scripts.glob("mm/*.sh"), *scripts.glob("memory-hotplug/*.sh")]):
            tar.add(path, f"{PLACE}/{path.relative_to(scripts)}")
