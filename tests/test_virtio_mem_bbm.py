"""The device in big-block mode, here two memory blocks each: all of a big block, or nothing."""

import time

import pytest
from conftest import MIB, Guest, check
from test_virtio_mem import BLOCK_PAGES, Sampler, notifier_error, pin_page, wait_for

BIG = 256 * MIB
TRIES = 30


@pytest.fixture(scope="module")
def guest():
    guest = Guest("virtio-mem-bbm", "memhp_default_state=online_movable virtio_mem.force_bbm=1 "
                                    f"virtio_mem.bbm_block_size={BIG}")
    yield guest
    guest.stop()


def test_only_whole_big_blocks(memory):
    memory.request(700 * MIB)
    memory.wait(2 * BIG)
    check(memory, offline=0)
    assert len(memory.block_states()) == 4


def test_under_load(memory):
    memory.resize(3 * BIG)
    memory.vm.run("memtest start 320 --procs=2", timeout=120)
    for size in (2 * BIG, 3 * BIG, 2 * BIG):
        memory.resize(size)
        check(memory, offline=0)
        memory.vm.run("memtest status")
    memory.vm.run("memtest stop", timeout=120)
    memory.resize(0)
    assert memory.memtotal() == memory.base


def test_unplug_with_one_of_its_blocks_offline(memory):
    memory.resize(BIG)
    assert memory.hotplug("offline", max(memory.block_states())) == "ok"
    memory.hidden = {}
    memory.resize(0)
    assert memory.memtotal() == memory.base


def test_rollback_when_a_page_is_busy(memory):
    """The first memory block is offline already when the second one turns out to be busy."""
    memory.resize(BIG)
    pin = pin_page(memory, max(memory.block_states()))
    failed_unplug(memory)
    memory.vm.run(f"kill {pin}")
    memory.poke(0)
    assert memory.memtotal() == memory.base


def test_rollback_when_offlining_fails(memory):
    """All of the big block is offline already when a notifier refuses."""
    memory.resize(BIG)
    with notifier_error(memory, "MEM_GOING_OFFLINE"):
        failed_unplug(memory)
    memory.poke(0)
    assert memory.memtotal() == memory.base


def seen(sampler, seconds):
    """The pages are offline for a moment only: it may be between two looks."""
    end = time.monotonic() + seconds
    while not sampler.ranges and time.monotonic() < end:
        time.sleep(0.1)
    return bool(sampler.ranges)


def failed_unplug(memory):
    """Fails and takes everything back; on the way offline pages were seen, without a refcount."""
    with Sampler(memory) as sampler:
        for _ in range(TRIES):
            memory.request(0)
            if seen(sampler, seconds=2):
                break
            memory.request(BIG)     # asked anew, the driver tries at once
        else:
            raise AssertionError(f"no offline page was seen in {TRIES} tries")
        memory.request(BIG)         # no further try
        time.sleep(1)
        wait_for(lambda: memory.memtotal() == memory.base + BIG and
                 set(memory.block_states().values()) == {"online"})
    assert not sampler.refcounted
    state = check(memory, offline=0)
    assert state.plugged == BIG and len(state.online_blocks) == 2
    assert sum(block["buddy"] for block in state.blocks) > BLOCK_PAGES
