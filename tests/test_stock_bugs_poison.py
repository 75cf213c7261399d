"""
What stock Linux does wrong with poisoned pages (docs/stock-bugs.md). test_stock_has_bugs.py expects each
test to fail on the stock kernel, with the symptom that its patch describes.
"""

import re

import pytest
from conftest import BLOCK, MIB, TREE, Guest
from lab.balloon import Balloon
from test_virtio_mem import wait_for

PAGE = 4096
MEMORY = "/sys/devices/system/memory"
UNPOISON = "/sys/kernel/debug/hwpoison/unpoison-pfn"
OFFLINE, ZSMALLOC = "f1", "f6"
BALLOON = OFFLINE if TREE == "stock" else "f9"
LRU_FLAG, BUDDY_FLAG, HWPOISON_FLAG = 1 << 5, 1 << 10, 1 << 19     # of /proc/kpageflags

pytestmark = pytest.mark.part("stock-bugs", default=True)


@pytest.fixture(scope="module", params=[""], ids=[""])
def guest(request):
    """Without allocation profiling: on stock its warning would hide the others."""
    guest = Guest("stock-bugs-poison", "memhp_default_state=online_movable sysctl.vm.mem_profiling=never "
                  f"{request.param}", modules=["marked_chunk"], args=["-device", "virtio-balloon-pci,id=b0"])
    yield guest
    guest.stop()


@pytest.fixture
def balloon(memory, block):
    """Inflated by 32 MiB: Linux takes ZONE_MOVABLE first."""
    balloon = Balloon(memory)
    balloon.resize(32 * MIB)
    yield balloon
    balloon.resize(0)


@pytest.fixture
def zram(memory, block):
    """What cannot be compressed takes a page for each page."""
    vm = memory.vm
    vm.run("echo 32M >/sys/block/zram0/disksize && "
           "dd if=/dev/urandom of=/dev/zram0 bs=1M count=32 conv=fsync 2>/dev/null", timeout=120)
    yield
    vm.run("echo 1 >/sys/block/zram0/reset")


def some_page(memory, block, kind):
    """The PFN of a page of this type in the block."""
    first = block * BLOCK // PAGE
    pages = [int(line.split()[0], 16)
             for line in memory.vm.run(f"pagestate --of-type {kind}", timeout=120).splitlines()]
    mine = [pfn for pfn in pages if first <= pfn < first + BLOCK // PAGE]
    assert mine, f"no page of type {kind} in block {block}"
    return mine[len(mine) // 2]


def soft_offline(memory, pfn):
    memory.vm.run(f"echo {pfn * PAGE:#x} >{MEMORY}/soft_offline_page")
    assert flags(memory, pfn) & HWPOISON_FLAG


def hard_poison(memory, pfn):
    """The kernel cannot recover such a page and says so; it is poisoned all the same."""
    memory.vm.call(f"echo {pfn * PAGE:#x} >{MEMORY}/hard_offline_page")
    assert flags(memory, pfn) & HWPOISON_FLAG


def unpoison(memory, pfn):
    memory.vm.run(f"echo {pfn:#x} >{UNPOISON}")
    assert not flags(memory, pfn) & HWPOISON_FLAG


def flags(memory, pfn):
    return int(memory.vm.run(f"dd if=/proc/kpageflags bs=8 skip={pfn} count=1 2>/dev/null | "
                             "od -A n -t x8"), 16)


def take_offline(memory, block, lost=0):
    """It ends, by itself, and takes off MemTotal what the block had there."""
    assert memory.hotplug("offline", block, seconds=20) == "ok"
    assert memory.memtotal() == memory.base - lost
    # what is poisoned stays poisoned
    assert memory.hotplug("online", block) == "EHWPOISON"


def goes_and_comes(memory, block):
    """The block, with all of its pages."""
    assert memory.hotplug("offline", block, seconds=20) == "ok"
    assert memory.hotplug("online", block) == "ok"
    assert memory.memtotal() == memory.base + BLOCK


def test_soft_offlined_balloon_page(memory, block, balloon):
    soft_offline(memory, some_page(memory, block, BALLOON))
    assert balloon.pages() * PAGE == balloon.size() == 32 * MIB     # it got another one
    take_offline(memory, block, lost=32 * MIB)


def test_soft_offlined_zsmalloc_page(memory, block, zram):
    soft_offline(memory, some_page(memory, block, ZSMALLOC))
    take_offline(memory, block)


def test_soft_offlined_balloon_page_is_unpoisoned(memory, block, balloon):
    pfn = some_page(memory, block, BALLOON)
    soft_offline(memory, pfn)
    unpoison(memory, pfn)
    assert memory.hotplug("offline", block, seconds=20) == "ok"
    assert memory.hotplug("online", block) == "ok"
    assert memory.memtotal() == memory.base + BLOCK - 32 * MIB


def test_poisoned_balloon_page(memory, block, balloon):
    """It is still the balloon's, and migrates like the others."""
    hard_poison(memory, some_page(memory, block, BALLOON))
    take_offline(memory, block, lost=32 * MIB)
    assert balloon.pages() * PAGE == balloon.size() == 32 * MIB


def test_poisoned_zsmalloc_page(memory, block, zram):
    """Nobody can read what is in it, so it cannot move, and offlining says so."""
    hard_poison(memory, some_page(memory, block, ZSMALLOC))
    assert memory.hotplug("offline", block, seconds=20) == "EBUSY"
    memory.vm.run("echo 1 >/sys/block/zram0/reset")
    take_offline(memory, block)


def test_page_freed_while_poisoned_is_unpoisoned(memory, block, zram):
    """It is free then, and not lost to everybody."""
    pfn = some_page(memory, block, ZSMALLOC)
    hard_poison(memory, pfn)
    memory.vm.run("echo 1 >/sys/block/zram0/reset")
    unpoison(memory, pfn)
    goes_and_comes(memory, block)


PAGE_OWNER = pytest.mark.parametrize("guest", ["page_owner=on"], indirect=True, ids=["page_owner"])


def counts_some(memory):
    """Page owner counts the pages of each stack that allocates some, and one more: never none."""
    return "refcount went to 0" not in memory.vm.run("dmesg")


@PAGE_OWNER
def test_page_freed_while_poisoned_is_counted_once(memory, block, zram):
    pfn = some_page(memory, block, ZSMALLOC)
    hard_poison(memory, pfn)
    memory.vm.run("echo 1 >/sys/block/zram0/reset")
    unpoison(memory, pfn)
    assert counts_some(memory)


@pytest.fixture
def file_page(memory, block):
    """The PFN of a page of a file."""
    memory.vm.run("mkdir -p /tmp/files && mount -t tmpfs none /tmp/files && "
                  "dd if=/dev/zero of=/tmp/files/data bs=1M count=32 2>/dev/null")
    first = block * BLOCK // PAGE
    yield next(pfn for pfn in range(first, first + BLOCK // PAGE, 256) if flags(memory, pfn) & LRU_FLAG)
    memory.vm.run("umount /tmp/files")


@PAGE_OWNER
def test_soft_offlined_page_is_counted_once(memory, file_page):
    """It is freed when it has been migrated, and once more when it is unpoisoned."""
    soft_offline(memory, file_page)
    unpoison(memory, file_page)
    assert counts_some(memory)


def test_poisoned_offline_page(memory):
    """It was never counted, so it cannot be lost."""
    memory.resize(BLOCK // 2)
    block = min(memory.block_states())
    hard_poison(memory, some_page(memory, block, OFFLINE))
    take_offline(memory, block)


@pytest.fixture
def unsplit(memory, block):
    """
    A huge page; the poisoned page in it and the process that has it mapped. It could not be split
    when it was poisoned, as the process held it.
    """
    output = memory.vm.run(f"thp {block * BLOCK // PAGE} {BLOCK // PAGE}")
    pfn, pid = re.match(r"pfn=(\w+) pid=(\d+)", output).groups()
    code, _ = memory.vm.call(f"echo {int(pfn, 16) * PAGE:#x} >{MEMORY}/hard_offline_page")
    assert code and f"{pfn}: recovery action for unsplit thp: Failed" in memory.vm.run("dmesg")
    return int(pfn, 16), pid


def test_poisoned_huge_page(memory, block, unsplit):
    """It can be split later."""
    _, pid = unsplit
    memory.vm.run(f"kill -USR1 {pid}")
    take_offline(memory, block)
    memory.vm.run(f"kill {pid}")


def test_poisoned_part_of_a_huge_page_is_not_freed(memory, block, unsplit):
    """The others are. What is small is soon in use again, hence one of the larger half."""
    pfn, pid = unsplit
    memory.vm.run(f"kill {pid}")
    wait_for(lambda: flags(memory, pfn + 256) & BUDDY_FLAG)
    assert flags(memory, pfn) & (BUDDY_FLAG | HWPOISON_FLAG) == HWPOISON_FLAG

    unpoison(memory, pfn)
    goes_and_comes(memory, block)


@pytest.mark.parametrize("order", [9, 10])
def test_chunk_with_a_poisoned_page_is_not_lost(memory, block, order):
    """Order 9 is for the per-CPU lists, 10 is not."""
    memory.vm.run(f"insmod /lib/modules/marked_chunk.ko order={order}")
    pfn = int(memory.vm.run("cat /sys/module/marked_chunk/parameters/pfn"))
    memory.vm.run("rmmod marked_chunk")
    assert flags(memory, pfn) & BUDDY_FLAG
    goes_and_comes(memory, block)
