"""
Hibernation saves no offline page, and a guest whose balloon is inflated is the same after it. The image
is on a disk that we read: pages that are filled with a text are in it, or are not.
"""

import collections
import mmap
import types

import pytest
from conftest import MIB, TREE, image
from lab import dump, modules
from lab.balloon import PAGE, Balloon
from lab.vm import VM

pytestmark = pytest.mark.part("dumps")     # the kernel for dumps

PAGES = 1000
TEXTS = {"offline": b"page is offline\0", "balloon": b"page in balloon\0", "used": b"page is in use.\0"}
HWPOISON_FLAG = 1 << 19     # of /proc/kpageflags


@pytest.fixture
def swap(tmp_path):
    return tmp_path / "swap"


@pytest.fixture
def vm(swap):
    built = modules.build(TREE, "dump", "filled_pages")
    with VM("hibernation", image("dump"), memory="512M", modules=[built],
            args=["-device", "virtio-balloon-pci,id=b0", *dump.disk(swap, room="1G")],
            append="resume=/dev/vda hibernate=nocompress") as vm:
        vm.run("mkswap /dev/vda && swapon /dev/vda && echo reboot >/sys/power/disk")
        vm.qmp("set-action", reboot="reset")
        yield vm


def hibernate(vm):
    """Saves the guest, which boots again and goes on where it was."""
    vm.run("dmesg -c >/dev/null")
    resets = len(vm.events("RESET"))
    code, output = vm.start("echo disk >/sys/power/state").wait(300)
    assert (code, output) == (0, "")
    assert len(vm.events("RESET")) > resets
    return vm.run("dmesg")


def saved(swap):
    """How many pages of the disk have each of the texts, and nothing else."""
    found = collections.Counter()
    wanted = {text * (PAGE // len(text)): name for name, text in TEXTS.items()}
    with open(swap, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for name, text in TEXTS.items():
            at = content.find(text)
            while at >= 0:
                if at % PAGE == 0 and wanted.get(content[at:at + PAGE]):
                    found[name] += 1
                at = content.find(text, (at // PAGE + 1) * PAGE)
    return found


def flags_of(vm, pfn):
    """In /proc/kpageflags."""
    return int(vm.run(f"dd if=/proc/kpageflags bs=8 skip={pfn} count=1 2>/dev/null | "
                      f"od -An -tx8").strip(), 16)


def test_balloon_is_as_before(vm):
    """The driver empties the balloon to hibernate, and fills it again after that."""
    balloon = Balloon(types.SimpleNamespace(vm=vm))
    total = vm.run("grep MemTotal: /proc/meminfo")
    balloon.resize(100 * MIB)
    inflated = vm.run("grep MemTotal: /proc/meminfo")
    state = vm.run("pagestate")
    hibernate(vm)
    balloon.wait(100 * MIB)
    assert vm.run("grep MemTotal: /proc/meminfo") == inflated
    assert counts(vm.run("pagestate")) == counts(state)
    balloon.resize(0)
    assert vm.run("grep MemTotal: /proc/meminfo") == total


def counts(table):
    """Of movable and other offline pages, summed over the blocks that pagestate shows."""
    lines = [line.split() for line in table.splitlines()[1:-1]]
    return [sum(int(line[column]) for line in lines) for column in (6, 7)]


def test_offline_pages_are_not_saved(vm, swap):
    vm.run(f"insmod /lib/modules/filled_pages.ko pages={PAGES}")
    before = counts(vm.run("pagestate"))
    assert sum(before) == 2 * PAGES
    hibernate(vm)
    assert counts(vm.run("pagestate")) == before
    assert saved(swap) == {"used": PAGES}
    vm.run("rmmod filled_pages")
    assert sum(counts(vm.run("pagestate"))) == 0


def poison(vm):
    """One of the pages in use: a page of the kernel, which only gets the mark."""
    vm.run(f"insmod /lib/modules/filled_pages.ko pages={PAGES}")
    pfn = int(vm.run("cat /sys/module/filled_pages/parameters/used_pfn"))
    vm.call(f"echo {pfn:#x} >/sys/kernel/debug/hwpoison/corrupt-pfn")
    assert flags_of(vm, pfn) & HWPOISON_FLAG
    return pfn


def test_poisoned_page_that_is_in_use_is_saved(vm, swap):
    """Its owner knows nothing of the error, and finds what was there."""
    poison(vm)
    hibernate(vm)
    assert saved(swap) == {"used": PAGES}


def test_poisoned_page_that_nobody_has_is_not_saved(vm, swap):
    """A read of a page with an error in hardware can end the kernel."""
    pfn = poison(vm)
    vm.run("rmmod filled_pages")
    assert flags_of(vm, pfn) & HWPOISON_FLAG
    hibernate(vm)
    assert saved(swap) == {}
    assert flags_of(vm, pfn) & HWPOISON_FLAG
