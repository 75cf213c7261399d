"""
When a memory block cannot go offline because of a logically offline page, the kernel says which page
it is, in one line.
"""

import re

import pytest
from conftest import MIB, check
from test_virtio_mem import BLOCK_PAGES, unplugged, zone_guest
from test_virtio_mem_unbind import unbind

LINE = re.compile(r"\] memory(\d+) cannot go offline: PFN 0x([0-9a-f]+) is logically offline "
                  r"\(([\w ]+), not skippable\)(.*)")


@pytest.fixture(params=["movable", "kernel"])
def guest(request):
    """A guest for each test: the driver cannot be bound again."""
    guest = zone_guest("offline-refused", request.param)
    yield guest
    guest.stop()


def refused(vm, memory, block):
    """What the log says while the block is refused: [(block, PFN, state, rest of the line)]."""
    vm.splats()     # the console is up to date
    before = len(vm.console())
    assert memory.hotplug("offline", block, seconds=30) == "EBUSY"
    vm.splats()
    log = vm.console()[before:]
    assert "page dumped because" not in log, "one line is enough"
    return [(int(number), int(pfn, 16), state, rest)
            for number, pfn, state, rest in LINE.findall(log.replace("\r", ""))]


def test_page_is_named(guest, memory):
    memory.resize(448 * MIB)
    *_, partial = sorted(memory.block_states())
    check(memory, offline=unplugged(448), never_onlined=unplugged(448))
    unbind(guest)

    # which of them isolation meets first is its own business
    end = (partial + 1) * BLOCK_PAGES
    [(number, pfn, state, rest)] = refused(guest.vm, memory, partial)
    assert number == partial and end - unplugged(448) <= pfn < end
    assert (state, rest) == ("never onlined", " in System RAM (virtio_mem)")


@pytest.mark.parametrize("guest", ["movable"], indirect=True)
def test_page_that_was_unplugged_is_named(guest, memory):
    memory.resize(512 * MIB)
    memory.resize(440 * MIB)
    *_, partial = sorted(memory.block_states())
    unbind(guest)

    [(number, pfn, state, rest)] = refused(guest.vm, memory, partial)
    end = (partial + 1) * BLOCK_PAGES
    assert number == partial and end - unplugged(440) <= pfn < end
    assert state == "taken offline"
    assert rest == " in System RAM (virtio_mem)"


@pytest.mark.parametrize("guest", ["movable"], indirect=True)
def test_message_is_ratelimited(guest, memory):
    memory.resize(448 * MIB)
    *_, partial = sorted(memory.block_states())
    unbind(guest)
    guest.vm.run(f"for i in $(seq 100); do hotplug offline {partial} 30; done; true", timeout=300)
    guest.vm.splats()
    lines = LINE.findall(guest.vm.console())
    assert 1 <= len(lines) < 100


@pytest.mark.parametrize("guest", ["movable"], indirect=True)
def test_skippable_pages_are_not_reported(guest, memory):
    memory.resize(448 * MIB)
    *_, partial = sorted(memory.block_states())
    assert memory.hotplug("offline", partial) == "ok"
    guest.vm.splats()
    assert not LINE.search(guest.vm.console())
