"""CONFIG_BALLOON_MIGRATION=n: balloon pages cannot be moved, and offlining their block says so."""

import pytest
from conftest import MIB, Guest, check
from lab.balloon import Balloon
from test_virtio_mem import BLOCK_MIB

pytestmark = pytest.mark.part("configs")


@pytest.fixture(scope="module")
def guest():
    guest = Guest("balloon-nomigration", "memhp_default_state=online_kernel", config="nomigration",
                  args=["-machine", "max-ram-below-4g=512M", "-device", "virtio-balloon-pci,id=b0"])
    yield guest
    guest.stop()


def test_offlining_is_refused(memory):
    memory.resize(BLOCK_MIB * MIB)
    block = min(memory.block_states())
    balloon = Balloon(memory)
    balloon.resize(900 * MIB)
    state = check(memory, offline=0)
    assert not balloon.problems(state)
    inflated = state.block(block)["movable_offline"]
    assert inflated > 1000
    for _ in range(3):
        assert memory.hotplug("offline", block, seconds=20) == "EBUSY"
    state = check(memory, offline=0)
    assert not balloon.problems(state)
    assert state.block(block)["movable_offline"] == inflated
    balloon.resize(0)
    check(memory, offline=0)
    assert memory.memtotal() == memory.base + BLOCK_MIB * MIB
