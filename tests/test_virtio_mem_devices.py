"""
Two devices beside each other, on one NUMA node or on one each: what happens to the memory of one is
nothing to the other.
"""

import re

import pytest
from conftest import MIB, Guest, check
from lab.vm import virtio_mem
from test_virtio_mem import last_block, unplugged
from test_virtio_mem_unbind import DRIVER

NODES = [argument for node in (0, 1) for argument in (
    "-object", f"memory-backend-ram,id=boot{node},size=512M",
    "-numa", f"node,nodeid={node},memdev=boot{node}{',cpus=0-1' if not node else ''}")]


@pytest.fixture(scope="module", params=[0, 1], ids=["one_node", "two_nodes"])
def guest(request):
    """The second device is on node 0 or 1."""
    node = request.param
    guest = Guest(f"virtio-mem-devices-{node}", "memhp_default_state=online_movable",
                  args=[*(NODES if node else []), *virtio_mem("vmem1", "2G", node=node)],
                  beside=["vmem1"])
    guest.nodes = [0, node]
    yield guest
    guest.stop()


@pytest.fixture
def memories(guest, memory):
    return guest.memories


def node_memtotal(vm, node):
    text = vm.run(f"cat /sys/devices/system/node/node{node}/meminfo")
    return int(re.search(r"MemTotal: +(\d+) kB", text)[1]) << 10


def check_both(memories, *sizes):
    for memory, mib in zip(memories, sizes):
        state = check(memory, offline=unplugged(mib))
        assert state.plugged == mib * MIB


def test_each_node_counts_its_own(guest, memories):
    base = {node: node_memtotal(guest.vm, node) for node in guest.nodes}
    for sizes in ((322, 130), (250, 0), (0, 34)):
        for memory, mib in zip(memories, sizes):
            memory.resize(mib * MIB)
        check_both(memories, *sizes)
        for node in base:
            grown = sum(mib for mib, home in zip(sizes, guest.nodes) if home == node)
            assert node_memtotal(guest.vm, node) == base[node] + grown * MIB
        for memory, node in zip(memories, guest.nodes):
            blocks = guest.vm.run(f"ls /sys/devices/system/node/node{node}").split()
            assert {f"memory{block}" for block in memory.block_states()} <= {*blocks}


def test_both_at_once_under_load(guest, memories):
    for memory in memories:
        memory.resize(200 * MIB)
    guest.vm.run("memtest start 200 --procs=2", timeout=120)
    for sizes in ((322, 130), (190, 258)):
        for memory, mib in zip(memories, sizes):
            memory.request(mib * MIB)
        for memory, mib in zip(memories, sizes):
            memory.wait(mib * MIB)
        check_both(memories, *sizes)
        guest.vm.run("memtest status")
    guest.vm.run("memtest stop", timeout=120)


def test_partial_blocks_of_both(memories):
    """Each driver instance gets its own unplugged pages back when a block is onlined."""
    sizes = 448, 134
    for memory, mib in zip(memories, sizes):
        memory.resize(mib * MIB)
    blocks = [last_block(memory) for memory in memories]
    for memory, block in zip(memories, blocks):
        assert memory.hotplug("offline", block) == "ok"
    for memory in memories:
        check(memory, offline=0)
    for memory, block in zip(memories, blocks):
        assert memory.hotplug("online_movable", block) == "ok"
    check_both(memories, *sizes)


@pytest.mark.parametrize("guest", [1], indirect=True, ids=["two_nodes"])
def test_one_is_unbound(guest, memories):
    """The other goes on, and still keeps its unplugged pages when a block is onlined."""
    first, second = memories
    for memory in memories:
        memory.resize(200 * MIB)
    devices = guest.vm.run(f"cd {DRIVER} && echo virtio[0-9]*").split()
    addresses = {device: guest.vm.run(f"basename $(dirname $(readlink -f {DRIVER}/{device}))")
                 for device in devices}
    gone, stays = sorted(devices, key=addresses.get)    # PCI slots are given in order
    guest.good = False
    guest.vm.run(f"echo {gone} > {DRIVER}/unbind")
    assert first.hotplug("offline", last_block(first), seconds=30) == "EBUSY"

    block = last_block(second)
    assert second.hotplug("offline", block) == "ok"
    assert second.hotplug("online_movable", block) == "ok"
    for mib in (100, 330):
        second.resize(mib * MIB)
        state = second.state()
        assert not state.refcounted and not state.miscounts()
        assert state.total("offline", state.blocks) == unplugged(mib)
    assert first.state().total("offline", first.state().blocks) == unplugged(200)
    assert stays in guest.vm.run(f"ls {DRIVER}")
