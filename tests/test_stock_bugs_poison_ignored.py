"""
What stock Linux does wrong with poisoned pages that memory_failure() could do nothing about, and with
counting them (docs/stock-bugs.md). test_stock_has_bugs.py expects each test to fail on the stock kernel,
with the symptom that its patch describes.
"""

import re

import pytest
from conftest import BLOCK, Guest, insert, parameter
from test_stock_bugs_poison import (
    BUDDY_FLAG,
    HWPOISON_FLAG,
    PAGE,
    flags,
    goes_and_comes,
    hard_poison,
    take_offline,
    unpoison,
)
from test_virtio_mem import wait_for

ORDER = 10      # MAX_PAGE_ORDER
HEAD_FLAG, LRU_FLAG = 1 << 15, 1 << 5

pytestmark = pytest.mark.part("stock-bugs", default=True)


@pytest.fixture(scope="module")
def guest():
    """Without allocation profiling: on stock its warning would hide the others."""
    guest = Guest("stock-bugs-poison-ignored",
                  "memhp_default_state=online_movable sysctl.vm.mem_profiling=never",
                  modules=["poison_reported", "poison_chunk", "large_blocks"])
    yield guest
    guest.stop()


def free_or_poisoned(memory, pfn):
    """Which of both flags the page has. It should be one."""
    return flags(memory, pfn) & (BUDDY_FLAG | HWPOISON_FLAG)


def free_pages_differ(memory):
    """What the free lists of ZONE_MOVABLE hold, and what is counted."""
    output = memory.vm.run("echo 1 >/proc/sys/vm/stat_refresh; grep Movable /proc/buddyinfo; "
                           "grep -A 1 Movable /proc/zoneinfo")
    chunks = re.search(r"zone +Movable +(.*)", output).group(1).split()
    listed = sum(int(number) << order for order, number in enumerate(chunks))
    return listed - int(re.search(r"pages free +(\d+)", output).group(1))


@pytest.fixture
def reported(request, memory, block):
    """The page that was poisoned while it was reported, at an offset into its chunk."""
    before = memory.poisoned_pages()
    insert(memory, "poison_reported", start_pfn=block * BLOCK // PAGE, nr_pages=BLOCK // PAGE,
           offset=request.param)
    wait_for(lambda: parameter(memory, "poison_reported", "pfn") != "0")
    pfn = int(parameter(memory, "poison_reported", "pfn"))
    memory.vm.run("rmmod poison_reported")      # waits until all have been put back
    assert memory.poisoned_pages() == before + 1
    return pfn


@pytest.mark.parametrize("reported", [0, 77, 1 << ORDER], indirect=True, ids=["first", "middle", "last"])
def test_page_is_poisoned_while_it_is_reported(memory, block, reported):
    """It is not among the free pages afterwards, and they are counted right."""
    assert free_or_poisoned(memory, reported) == HWPOISON_FLAG
    assert flags(memory, reported ^ 256) & BUDDY_FLAG       # the other half: what is small is soon in use
    wait_for(lambda: not free_pages_differ(memory), timeout=20)
    take_offline(memory, block)


@pytest.mark.parametrize("reported", [77], indirect=True, ids=["middle"])
def test_page_poisoned_while_it_was_reported_is_unpoisoned(memory, block, reported):
    before = memory.poisoned_pages()
    assert free_or_poisoned(memory, reported) == HWPOISON_FLAG
    unpoison(memory, reported)
    assert memory.poisoned_pages() == before - 1
    wait_for(lambda: not free_pages_differ(memory), timeout=20)
    goes_and_comes(memory, block)


@pytest.mark.parametrize("offset, compound", [(77, 0), (0, 1)], ids=["pages", "compound"])
def test_poisoned_part_of_kernel_memory_is_not_freed(memory, offset, compound):
    """The other half of the chunk is: the largest part without poison."""
    before = memory.poisoned_pages()
    insert(memory, "poison_chunk", offset=offset, compound=compound)
    pfn = int(parameter(memory, "poison_chunk", "pfn"))
    memory.vm.run("rmmod poison_chunk")
    assert free_or_poisoned(memory, pfn + offset) == HWPOISON_FLAG
    assert flags(memory, pfn + (1 << ORDER) - 1) & BUDDY_FLAG
    assert memory.poisoned_pages() == before + 1
    unpoison(memory, pfn + offset)
    assert memory.poisoned_pages() == before


@pytest.fixture
def cached(memory, block):
    """The poisoned page of a block device with blocks of four pages, in a block; what is written stays dirty."""
    vm = memory.vm
    vm.run("echo 96M >/sys/block/zram0/disksize && cd /proc/sys/vm && "
           "echo 0 >dirty_writeback_centisecs && echo 90 >dirty_ratio && echo 80 >dirty_background_ratio")
    insert(memory, "large_blocks", path="/dev/zram0")
    vm.run("dd if=/dev/zero of=/dev/zram0 bs=1M count=64 2>/dev/null", timeout=120)
    first = block * BLOCK // PAGE
    output = vm.run(f"dd if=/proc/kpageflags bs=8 skip={first} count={BLOCK // PAGE} 2>/dev/null | "
                    "od -v -A n -t x8 -w8", timeout=120)
    heads = [first + i for i, value in enumerate(output.split())
             if int(value, 16) & (HEAD_FLAG | LRU_FLAG) == HEAD_FLAG | LRU_FLAG]
    assert heads, "no large folios in the block"
    yield heads[len(heads) // 2] + 1
    vm.run("rmmod large_blocks && echo 1 >/sys/block/zram0/reset && cd /proc/sys/vm && "
           "echo 500 >dirty_writeback_centisecs && echo 20 >dirty_ratio && echo 10 >dirty_background_ratio",
           timeout=120)


def test_poisoned_folio_that_is_never_split(memory, block, cached):
    """It cannot go as long as it is the only one that has the data, and offlining says so."""
    hard_poison(memory, cached)
    assert "recovery action for unsplit thp: Failed" in memory.vm.run("dmesg | tail -20")
    assert memory.hotplug("offline", block, seconds=20) == "EBUSY"
    memory.vm.run("sync", timeout=120)
    take_offline(memory, block)
