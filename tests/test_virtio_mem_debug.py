"""
With each of the boot parameters that have the allocator look after pages more closely: memory that
comes and goes by the device has to look as they want it, whichever way it took.
"""

import re

import pytest
from conftest import MIB, Guest, check
from test_virtio_mem import BLOCK_PAGES, SUBBLOCK_PAGES, last_block, unplugged

pytestmark = pytest.mark.part("debug-options")

# Each with a shell command that fails if the parameter is not in force.
PARAMETERS = {
    "page_owner=on": "test -r /sys/kernel/debug/page_owner",
    "debug_pagealloc=on": "grep -q '^DirectMap2M: *0 kB' /proc/meminfo",
    "init_on_free=1": "dmesg | grep -q 'heap free:on'",
    "page_poison=1": "true",    # its effect is seen below
}


@pytest.fixture(scope="module", params=PARAMETERS)
def guest(request):
    guest = Guest(f"virtio-mem-{request.param.partition('=')[0]}",
                  f"memhp_default_state=online_movable {request.param}")
    guest.parameter = request.param
    yield guest
    guest.stop()


def check_free_pages(guest, memory):
    """What they contain, wherever that is told by the parameter."""
    wanted = {"init_on_free=1": "zero", "page_poison=1": "poison"}.get(guest.parameter)
    for block in memory.block_states() if wanted else []:
        text = guest.vm.run(f"readmem {block * BLOCK_PAGES} {BLOCK_PAGES}", timeout=120)
        found = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", text)}
        assert found.pop(wanted)
        assert not any(found.values()), text


def test_memory_comes_and_goes(guest, memory):
    """Memory that never was in the buddy, that was, and that was in use."""
    guest.vm.run(PARAMETERS[guest.parameter])
    memory.resize(200 * MIB)
    check(memory, offline=unplugged(200), never_onlined=unplugged(200))
    check_free_pages(guest, memory)
    guest.vm.run("memtest start 300 --procs=2", timeout=300)
    guest.vm.run("memtest stop", timeout=300)
    memory.resize(198 * MIB)
    memory.resize(204 * MIB)
    check(memory, offline=unplugged(204), never_onlined=unplugged(204))
    memory.resize(100 * MIB)
    state = check(memory, offline=unplugged(100), never_onlined=0)
    assert state.total("offline") > SUBBLOCK_PAGES
    memory.resize(128 * MIB)
    check(memory, offline=0)
    check_free_pages(guest, memory)


def test_partial_block_offline_and_online(guest, memory):
    memory.resize(130 * MIB)
    memory.resize(120 * MIB)
    block = last_block(memory)
    assert memory.hotplug("offline", block) == "ok"
    assert memory.hotplug("online_movable", block) == "ok"
    check(memory, offline=unplugged(120), never_onlined=unplugged(120))
    check_free_pages(guest, memory)
    memory.resize(256 * MIB)
    check_free_pages(guest, memory)


def test_under_load(guest, memory):
    memory.resize(300 * MIB)
    guest.vm.run("memtest start 160 --procs=2", timeout=300)
    for mib in (210, 330, 258):
        memory.resize(mib * MIB)
        check(memory, offline=unplugged(mib))
        guest.vm.run("memtest status")
    guest.vm.run("memtest stop", timeout=300)
