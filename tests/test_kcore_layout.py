"""/proc/kcore has the struct page of each page, wherever there are holes in the memory map."""

import json

import pytest
from conftest import MIB, Guest
from lab.balloon import Balloon

# 8 pages in the middle of boot memory. Those of struct page on both sides are in the same page.
HOLE, BEYOND = "memmap=32K$0x10008000", 0x10010000


@pytest.fixture(scope="module")
def guest():
    guest = Guest("kcore-layout", HOLE, ["-device", "virtio-balloon-pci,id=b0"])
    yield guest
    guest.stop()


def test_struct_pages_beyond_a_small_hole(memory):
    """pagestate compares what it finds in /proc/kcore with other sources: here, pages of a balloon."""
    assert "10008000-1000ffff : Reserved" in memory.vm.run("cat /proc/iomem")
    balloon = Balloon(memory)
    balloon.resize(256 * MIB)
    blocks = json.loads(memory.vm.run("pagestate --json"))["blocks"]
    balloon.resize(0)
    assert sum(block["offline"] + block["movable_offline"] for block in blocks
               if (block["start_pfn"] + block["pages"]) * 4096 > BEYOND) > 1000
