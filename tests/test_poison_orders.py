"""
Pages of each state are poisoned, before or after their memory is plugged, unplugged, taken offline and
brought back, in each order. A poisoned page never is free again, what Linux counts is right at each step,
the page can be unpoisoned where it is the kernel's, and in the end all of the memory is whole.
"""

import itertools

import pytest
from conftest import MIB, Guest, check
from lab.balloon import Balloon
from test_stock_bugs_poison import (BLOCK, BUDDY_FLAG, HWPOISON_FLAG, OFFLINE, PAGE, UNPOISON, flags,
                                    hard_poison, some_page)
from test_virtio_mem import wait_for

pytestmark = pytest.mark.part("poison")

PAGES = BLOCK // PAGE
PARTLY, WHOLE = 192 * MIB, 256 * MIB        # of two blocks
BALLOON = "f9"
ORDERS = list(itertools.permutations(["poison", "plug", "unplug", "cycle"]))
OF_BALLOON = list(itertools.permutations(["poison", "plug", "deflate", "cycle"]))
ANON = "[13579bdf]...$"                     # bit 12 of /proc/kpageflags, and bit 10
BUDDY = "[4567cdef]..$"


@pytest.fixture(scope="module")
def guest():
    guest = Guest("poison-orders", "memhp_default_state=online_movable",
                  args=["-device", "virtio-balloon-pci,id=b0"])
    yield guest
    guest.stop()


class Poisoned:
    """One page of a partly plugged block, and what becomes of it."""

    def __init__(self, memory, find):
        self.memory, self.vm = memory, memory.vm
        self.balloon = Balloon(memory)
        self.poisoned = False
        memory.resize(PARTLY)
        self.block, self.pfn = find(self)

    # The steps

    def poison(self):
        """Of an offline block, there is no page to poison."""
        if not self.online():
            code, _ = self.vm.call(f"echo {self.pfn * PAGE:#x} >/sys/devices/system/memory/hard_offline_page")
            assert code
            return
        hard_poison(self.memory, self.pfn)
        self.poisoned = True

    def plug(self):
        self.memory.poke(WHOLE) if self.online() else self.reach(WHOLE)

    def unplug(self):
        self.memory.poke(PARTLY) if self.online() else self.reach(PARTLY)

    def deflate(self):
        self.balloon.resize(0)

    def cycle(self):
        """Poison never keeps a block from going offline; it stays there then."""
        assert self.memory.hotplug("offline", self.block, seconds=60) == "ok"
        assert self.memory.hotplug("online_movable", self.block) == ("EHWPOISON" if self.poisoned else "ok")

    # What has to be true

    def check(self):
        """A look at all pages takes its time, and comes in the end."""
        assert self.memory.poisoned_pages() == self.poisoned
        if not self.online():
            return
        assert self.memory.growth() == self.memory.info()["size"]
        if self.poisoned:
            assert flags(self.memory, self.pfn) & (BUDDY_FLAG | HWPOISON_FLAG) == HWPOISON_FLAG

    def end(self):
        """Unpoison the page if that is possible, and give everything back."""
        if self.poisoned and self.online():
            if self.is_offline():       # it is not the kernel's
                assert self.unpoison() == 1
                self.memory.poke(WHOLE)
            self.deflate()
            self.check()
            assert self.unpoison() == 0
            assert self.memory.poisoned_pages() == 0
            self.poisoned = False
            self.cycle()                # so that the page is free
        if self.online():
            check(self.memory)
        self.vm.run("for pid in $(pidof memtest); do kill -9 $pid; done; rm -f /tmp/memtest.state")
        self.deflate()
        self.memory.hidden = {}
        self.memory.poke(0)
        wait_for(lambda: self.memory.poisoned_pages() == 0)
        assert self.memory.memtotal() == self.memory.base

    # Looks

    def online(self):
        return self.memory.block_states().get(self.block) == "online"

    def is_offline(self):
        """Logically."""
        return bool(flags(self.memory, self.pfn) & 1 << 23)

    def unpoison(self):
        return self.vm.call(f"echo {self.pfn:#x} >{UNPOISON}")[0]

    def reach(self, size):
        """The device does; Linux cannot tell while blocks of it are offline."""
        self.memory.request(size)
        wait_for(lambda: self.memory.info()["size"] == size)

    def page_with(self, bits):
        first = self.block * PAGES
        lines = self.vm.run(f"dd if=/proc/kpageflags bs=262144 skip={first // 32768} count=1 2>/dev/null | "
                            f"od -A n -v -t x8 -w8 | grep -n '{bits}' | sed -n 20p")
        return first + int(lines.split(":")[0]) - 1


def never_onlined(page):
    block = max(page.memory.block_states())
    return block, some_page(page.memory, block, OFFLINE)


def skippable(page):
    """It was the kernel's before."""
    page.memory.resize(WHOLE)
    page.memory.resize(PARTLY)
    [block] = [block["block"] for block in page.memory.state().partial_blocks()]
    return block, some_page(page.memory, block, OFFLINE)


def free(page):
    page.block = max(page.memory.block_states())
    return page.block, page.page_with(BUDDY) + 1


def in_use(page):
    page.block = max(page.memory.block_states())
    page.vm.run("memtest start 170 --procs=1", timeout=120)      # more than the other block has
    pfn = page.page_with(ANON)
    # It would touch the page, and die.
    page.vm.run("for pid in $(pidof memtest); do kill -STOP $pid; done")
    return page.block, pfn


def movable_offline(page):
    page.balloon.resize(160 * MIB)
    block = max(page.memory.block_states())
    return block, some_page(page.memory, block, BALLOON)


CASES = [(find, order) for find in (never_onlined, skippable, free, in_use) for order in ORDERS]
CASES += [(movable_offline, order) for order in OF_BALLOON]


@pytest.mark.parametrize("find, order", [
    pytest.param(find, order, id=f"{find.__name__}-{'-'.join(order)}") for find, order in CASES])
def test_order(memory, find, order):
    page = Poisoned(memory, find)
    page.check()
    for step in order:
        getattr(page, step)()
        page.check()
    page.end()
