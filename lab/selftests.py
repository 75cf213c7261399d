"""
The selftests of a kernel tree, built from that very tree for a guest: linked statically, together with
the shell that their scripts need. Nothing is written among the sources: they are copied first.
"""

import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

from lab import apt, files, kernel
from lab.errors import LabError
from lab.paths import BUILD, CACHE, LOGS, shown
from lab.progress import Progress

BASH = Path("/bin/bash-static")
SELFTESTS = "tools/testing/selftests"
# What the Makefile and the programs of mm refer to
SOURCES = ("mm/gup_test.h", "lib/test_hmm_uapi.h", "include/vdso/time64.h", "tools/include",
           f"{SELFTESTS}/lib.mk", f"{SELFTESTS}/clone3/clone3_selftests.h",
           f"{SELFTESTS}/kselftest.h", f"{SELFTESTS}/kselftest_harness.h", f"{SELFTESTS}/mm",
           f"{SELFTESTS}/memory-hotplug", f"{SELFTESTS}/pidfd/pidfd.h", f"{SELFTESTS}/x86/check_cc.sh",
           f"{SELFTESTS}/x86/trivial_64bit_program.c", f"{SELFTESTS}/x86/trivial_32bit_program.c",
           f"{SELFTESTS}/x86/trivial_program.c")
# What they are linked with, by Debian's packages
LIBRARIES = {"libcap-dev": ("include/sys/capability.h", "lib/.*/libcap.a"),
             "libnuma-dev": ("include/numa.*\\.h", "lib/.*/libnuma.a"),
             "liburing-dev": ("include/liburing.*\\.h", "lib/.*/liburing.a")}

# In the guest
PLACE = "/selftests"


def build(name, config):
    """A tar of PLACE with the selftests of tree `name`, and of /bin/bash."""
    kernel.build(name, config)
    objects, machine = kernel.objects_of(name, config), kernel.arch_of(config)
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
        _make(name, machine, folder, objects / "usr/include")
        _pack(folder, _bash(machine), archive)
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


def _make(name, machine, folder, headers):
    """All of mm; memory-hotplug is a script."""
    log = LOGS / f"selftests-{name}-{machine.name}.log"
    progress = Progress(f"build selftests {name}-{machine.name}")
    flags = "-static -s -w" + ("" if machine.native else " -isystem {0}/include -L{0}/lib".format(
        _libraries(machine)))
    command = ["make", f"-j{os.cpu_count()}", "-C", folder / "src" / SELFTESTS / "mm",
               f"ARCH={'x86_64' if machine.name == 'x86' else machine.name}",
               f"CROSS_COMPILE={machine.prefix}", f"CC=ccache {machine.prefix}gcc", f"USERCFLAGS={flags}",
               f"OUTPUT={folder / 'out'}", f"KHDR_INCLUDES=-isystem {headers}", "all"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as file:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                              env=os.environ | {"CCACHE_DIR": str(CACHE / "ccache"), "LC_ALL": "C"})
    if done.returncode:
        errors = [line for line in log.read_text(errors="replace").splitlines() if "rror" in line]
        raise LabError(f"selftests of {name}: {errors[0] if errors else 'make failed'}; log {shown(log)}")
    progress.done()


def _libraries(machine):
    """A folder with include and lib, of packages for another architecture."""
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    folder = CACHE / "foreign" / f"{suite}-{machine.debian}" / "selftests"
    with files.locked(CACHE / ".lock"):
        for package, (headers, library) in LIBRARIES.items():
            if (folder / package).exists():
                continue
            deb, _ = apt.download(package, None, suite, apt.DEBS, machine.debian, 1)
            for name, data in apt.contents(deb, f"{headers}|{library}"):
                files.write(folder / name if name.startswith("include") else
                            folder / "lib" / Path(name).name, data)
            files.write(folder / package, "")
    return folder


def _bash(machine):
    if not machine.native:
        return apt.foreign_file("bash-static", machine.debian, "bin/bash-static")
    if not BASH.exists():
        raise LabError("bash is missing: install bash-static")
    return BASH


def _pack(folder, bash, archive):
    scripts = folder / "src" / SELFTESTS
    with tarfile.open(archive, "w") as tar:
        tar.add(bash, "bin/bash")
        for path in sorted((folder / "out").iterdir()):
            tar.add(path, f"{PLACE}/mm/{path.name}")
        for path in sorted([*scripts.glob("mm/*.sh"), *scripts.glob("memory-hotplug/*.sh")]):
            tar.add(path, f"{PLACE}/{path.relative_to(scripts)}")
