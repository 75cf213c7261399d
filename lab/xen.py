"""Dom0 of Xen under QEMU, PV or PVH: a guest like any other, with a hypervisor below it.

Xen is that of Debian, from the package for the release that this machine runs. It has the first
serial port, and writes to it what dom0 writes to hvc0; the agent has the second.
"""

import dataclasses
import gzip
import platform
import re
from pathlib import Path

from lab import apt, files
from lab.arch import X86
from lab.paths import CACHE
from lab.vm import VM

# smap=off: QEMU 7.2 lets dom0 die on its first iretq. The IOMMU and what PVH does without: Xen
# 4.17 has no dom0 in the way of QEMU's CPU otherwise.
PV = dataclasses.replace(X86, console="hvc0", early="earlyprintk=xen", qemu=(
    "qemu-system-x86_64", "-machine", "pc", "-cpu", "max,la57=off,smap=off"))
PVH = dataclasses.replace(X86, console="hvc0", early="earlyprintk=xen", qemu=(
    "qemu-system-x86_64", "-machine", "q35", "-device", "amd-iommu",
    "-cpu", "max,la57=off,smap=off,rdtscp=off,xsave=off"))

LIBC = Path("/lib64/ld-linux-x86-64.so.2"), Path("/lib/x86_64-linux-gnu/libc.so.6")

PACKAGE = r"xen-hypervisor-[0-9.]+-amd64"
OPTIONS = "console=com1 com1=115200 loglvl=all guest_loglvl=all"


def hypervisor():
    """The path of Xen, fetched on first use."""
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    path = CACHE / "xen" / suite / "xen"
    with files.locked(CACHE / ".lock"):
        if not path.exists():
            package = apt.newest(PACKAGE, suite, "amd64")
            deb, _ = apt.download(package, None, suite, apt.DEBS, "amd64", 3)
            files.write(path, gzip.decompress(apt.content(deb, r"boot/xen-[0-9.]+-amd64\.gz")))
    return path


# The store's server, and all that it is linked with; {} is Xen's version.
STORE_PACKAGES = ("xen-utils-{}", "libxenmisc{}", "libxencall1", "libxendevicemodel1",
                  "libxenevtchn1", "libxenforeignmemory1", "libxengnttab1", "libxentoolcore1",
                  "libxentoollog1")
STORE_FILES = (r"lib/xen-[0-9.]+/bin/xenstored|lib/[^/]+/libxen(ctrl|call|devicemodel|evtchn|"
               r"foreignmemory|gnttab|toolcore|toollog)\.so\.[0-9.]+")


def store():
    """
    The paths of Xen's store, xenstored, and of the libraries that it needs, fetched on first use.
    Of the dynamic linker and the C library as well: they are those of this machine.
    """
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    directory = CACHE / "xen" / suite / "store"
    with files.locked(CACHE / ".lock"):
        if not (directory / "xenstored").exists():
            version = re.search(r"[0-9.]+", apt.newest(PACKAGE, suite, "amd64"))[0]
            for package in STORE_PACKAGES:
                deb, _ = apt.download(package.format(version), None, suite, apt.DEBS, "amd64", 1)
                for name, data in apt.contents(deb, STORE_FILES):
                    files.write(directory / _soname(name), data)
            for path in LIBC:
                files.write(directory / path.name, path.read_bytes())
    return sorted(path for path in directory.iterdir() if not path.name.startswith("."))


def _soname(name):
    """libxencall.so.1 for libxencall.so.1.3; those of libxenmisc keep Xen's version."""
    match = re.fullmatch(r"(lib\w+\.so\.\d+)(\.\d+)(\.\d+)?", Path(name).name)
    if not match:
        return Path(name).name
    return match[1] + (match[2] if match[3] else "")


class Dom0(VM):
    """
    `dom0_mem`: what Xen gives it at boot, and with ",max:" how far its memory map goes. QEMU's
    machine needs more than that, for Xen.
    """

    def __init__(self, name, kernel, dom0_mem, *, pvh=False, memory="2G", options="", **more):
        self._options = f"{OPTIONS} dom0_mem={dom0_mem} {'dom0=pvh ' * pvh}{options}".strip()
        more.setdefault("timeout", 300)
        super().__init__(name, kernel, arch=PVH if pvh else PV, memory=memory,
                         accelerator="tcg", **more)

    def _boot(self, kernel, archive, append):
        """Linux and its initramfs are modules of Xen. In their list, a comma is written twice."""
        linux = f"{kernel} {append}".replace(",", ",,")
        return ["-kernel", str(hypervisor()), "-append", self._options,
                "-initrd", f"{linux},{str(archive).replace(',', ',,')}"]
