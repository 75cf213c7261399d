"""
The driver is unbound while blocks are partially plugged. Without it nobody could keep their
unplugged pages from use after an offline and online, so such blocks may not go offline any more.
"""

import re

import pytest
from conftest import MIB, check, elsewhere
from test_virtio_mem import BLOCK_PAGES, MOVABLE, pin_page, unplugged, wait_for, zone_guest

DRIVER = "/sys/bus/virtio/drivers/virtio_mem"


@pytest.fixture(params=["movable", "kernel", *elsewhere("movable", "kernel")])
def guest(request):
    """A guest for each test: the driver cannot be bound again to a device that has memory."""
    guest = zone_guest("virtio-mem-unbind", request.param)
    yield guest
    guest.stop()


def unbind(guest):
    """Returns the name of the device."""
    device = guest.vm.run(f"cd {DRIVER} && echo virtio[0-9]*").strip()
    guest.vm.run(f"echo {device} > {DRIVER}/unbind")
    guest.good = False
    return device


def test_unbind_with_partial_blocks(guest, memory):
    memory.resize(448 * MIB)
    memory.resize(440 * MIB)
    *whole, partial = sorted(memory.block_states())
    before = check(memory, offline=unplugged(440), never_onlined=unplugged(448))

    device = unbind(guest)

    after = memory.state()
    offline = before.block(partial)["offline"]
    assert not after.refcounted
    assert after.block(partial)["offline"] == offline
    assert after.growth == before.growth
    if after.debugfs:
        assert after.block(partial)["skippable"] == 0
        assert after.block(partial)["never_onlined"] == unplugged(448)

    # refused at once: no endless loop that only the alarm would end
    assert memory.hotplug("offline", partial, seconds=30) == "EBUSY"
    again = memory.state()
    assert again.block(partial)["offline"] == offline and not again.refcounted

    # a block that has all its pages can come and go, unless the kernel has taken one of them for itself
    full = next(block for block in whole if memory.hotplug("offline", block) == "ok")
    assert memory.hotplug(f"online_{guest.zone}", full) == "ok"
    last = memory.state()
    assert last.block(full)["offline"] == 0 and last.growth == before.growth
    assert last.block(full)["buddy"] > BLOCK_PAGES // 2

    # the memory is in use: no second driver instance may come and unplug it
    code, _ = guest.vm.call(f"echo {device} > {DRIVER}/bind")
    assert code
    assert not memory.state().refcounted


def test_unbind_removes_offline_partial_blocks(guest, memory):
    """Nobody would know what to leave out when they are onlined later."""
    memory.resize(448 * MIB)
    partial = max(memory.block_states())
    assert memory.hotplug("offline", partial) == "ok"
    unbind(guest)
    assert sorted(memory.block_states().values()) == ["online"] * 3
    assert partial not in memory.block_states()
    state = memory.state()
    assert state.offline == 0
    assert state.growth == 384 * MIB


@MOVABLE
def test_a_new_device_cannot_take_the_memory(guest, memory):
    """The driver has reset the device; now it comes back, or one that takes its place does."""
    memory.resize(200 * MIB)
    partial = max(memory.block_states())
    path = guest.vm.run(f"readlink -f {DRIVER}/virtio[0-9]*")
    parent = path.split("/")[-2]
    device = unbind(guest)
    guest.vm.run("dmesg -c > /dev/null")
    code, output = guest.vm.call(f"echo {device} > {DRIVER}/bind")
    assert code and "resource busy" in output
    assert "reloading the driver is not supported" in guest.vm.run("dmesg")
    again = (f"for on in 0 1; do echo $on > /sys/bus/ccw/devices/{parent}/online; done" if "/css" in path
             else f"echo 1 > /sys/bus/pci/devices/{parent}/remove; echo 1 > /sys/bus/pci/rescan")
    guest.vm.run(f"dmesg -c > /dev/null; {again}")
    assert re.search(r"virtio_mem virtio\d+: probe with driver virtio_mem failed with error -16",
                     guest.vm.run("dmesg"))
    state = memory.state()
    assert state.total("offline", state.blocks) == unplugged(200)
    assert state.growth == 200 * MIB == state.plugged
    assert memory.hotplug("offline", partial, seconds=30) == "EBUSY"


@MOVABLE
def test_an_empty_device_can_be_bound_again(guest, memory):
    """Also when the driver had partial blocks before."""
    memory.resize(200 * MIB)
    memory.resize(0)
    device = unbind(guest)
    guest.vm.run(f"echo {device} > {DRIVER}/bind")
    for mib in (448, 130):
        memory.resize(mib * MIB)
        check(memory, offline=unplugged(mib))
    partial = max(memory.block_states())
    assert memory.hotplug("offline", partial) == "ok"
    assert memory.hotplug(f"online_{guest.zone}", partial) == "ok"
    check(memory, offline=unplugged(130))
    memory.resize(0)
    assert memory.memtotal() == memory.base


@MOVABLE
def test_unbind_with_several_partial_blocks(guest, memory):
    """Each of them has to be remembered."""
    memory.resize(320 * MIB)
    blocks = sorted(memory.block_states())
    for block in blocks[1:]:
        pin_page(memory, block)
    # half of the first block, and the subblock of each pinned page
    memory.request(68 * MIB)
    wait_for(lambda: memory.info()["size"] == 68 * MIB)
    wait_for(lambda: memory.memtotal() == memory.base + 68 * MIB)
    before = check(memory, offline=316 * 256)
    partial = [block["block"] for block in before.partial_blocks()]
    assert len(partial) == 3
    guest.vm.run("kill $(pidof pin)")
    unbind(guest)
    for block in partial:
        assert memory.hotplug("offline", block, seconds=30) == "EBUSY"
    after = memory.state()
    assert after.offline == before.offline and not after.refcounted
