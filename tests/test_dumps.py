"""
Dumps leave offline pages out: by QEMU from outside, and by a second kernel after a crash; filtered by the
makedumpfile of each Debian release that can. What is in a dump we read ourselves.
"""

import pytest
from conftest import MIB, TREE, Guest, image
from lab import dump, makedumpfile
from lab.arch import X86
from lab.balloon import PAGE, Balloon
from lab.dumpfile import DumpFile

pytestmark = pytest.mark.part("dumps")

PAGES = 1000        # of each kind, by the test module filled_pages
IN_BALLOON = b"page in balloon\0"
# makedumpfile of Debian 13 takes no page of Linux 7.3 for offline, or free (docs/dumps.md).
SUITES = ["bookworm", "forky"]


class Pages:
    """What the guest says of its offline pages: sets of page frames."""

    def __init__(self, vm):
        self.plain, self.balloon, self.flags = set(), set(), {}
        if TREE == "stock":     # one type, and no list in debugfs
            for line in vm.run("pagestate --ranges").splitlines():
                pfn, number, *_ = line.split()
                self.plain |= set(range(int(pfn, 16), int(pfn, 16) + int(number)))
            return
        for line in vm.run("cat /sys/kernel/debug/offline_pages").splitlines():
            pfn, number, kind, flags, *_ = line.split()
            if not pfn.startswith("0x"):
                continue
            pages = set(range(int(pfn, 16), int(pfn, 16) + int(number)))
            (self.balloon if kind == "movable_offline" else self.plain).update(pages)
            self.flags[flags] = self.flags.get(flags, 0) + len(pages)


def take_offline(memory):
    """Pages of all kinds; 64 MiB of virtio-mem never online, 8 MiB no longer."""
    memory.resize(448 * MIB)
    memory.resize(440 * MIB)
    Balloon(memory).resize(64 * MIB)
    memory.vm.run(f"insmod /lib/modules/filled_pages.ko pages={PAGES}")
    pages = Pages(memory.vm)
    if TREE == "stock":
        assert len(pages.plain) == (72 + 64) * MIB // PAGE + 2 * PAGES
    else:
        assert len(pages.plain) == 72 * MIB // PAGE + PAGES
        assert len(pages.balloon) == 64 * MIB // PAGE + PAGES
        assert pages.flags["never_onlined,skippable"] == 64 * MIB // PAGE
        assert pages.flags["skippable"] == 8 * MIB // PAGE
    return pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dumps")
