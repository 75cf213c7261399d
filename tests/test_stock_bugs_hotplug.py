"""
What stock Linux does wrong around memory hotplug and balloons (docs/stock-bugs.md). test_stock_has_bugs.py
expects each test to fail on the stock kernel, with the symptom that its patch describes.
"""

import re
import time

import pytest
from conftest import MIB, Guest
from lab.balloon import Balloon
from test_virtio_mem import BLOCK_PAGES, wait_for

GIB = 1 << 30
PAGE = 4096
MEMORY = "/sys/devices/system/memory"
NODES = "/sys/devices/system/node"
GIGANTIC = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"

pytestmark = pytest.mark.part("stock-bugs", default=True)

# Without allocation profiling: on stock its warning would hide the others.
APPEND = "memhp_default_state=online_movable sysctl.vm.mem_profiling=never"
TWO_NODES = ["-object", "memory-backend-ram,id=n0,size=512M",
             "-object", "memory-backend-ram,id=n1,size=512M",
             "-numa", "node,nodeid=0,memdev=n0,cpus=0-1", "-numa", "node,nodeid=1,memdev=n1"]
BALLOON = ["-device", "virtio-balloon-pci,id=b0"]
# A page that is not what it was when it was freed is a splat.
REPORTING = (f"{APPEND} page_poison=1",
             ["-device", "virtio-balloon-pci,id=b0,free-page-reporting=on"])


@pytest.fixture(scope="module")
def guest(request):
    """The device, and all CPUs, are in the first of two nodes."""
    append, args = getattr(request, "param", (APPEND, [*TWO_NODES, *BALLOON]))
    guest = Guest("stock-bugs-hotplug", append, args=args)
    yield guest
    guest.stop()


def test_allocation_of_a_range_that_is_going_offline(memory):
    """Where it fails, it must not undo what it has not done: offlining would never end."""
    memory.resize(GIB, timeout=300)
    assert memory.start % GIB == 0
    vm, first = memory.vm, memory.start // PAGE
    output = vm.run(f"pin {first} {GIB // PAGE} 512", timeout=120)
    pfn, pid = re.match(r"pfn=(\w+) pid=(\d+)", output).groups()
    block = int(pfn, 16) // BLOCK_PAGES

    offlining = vm.start(f"hotplug offline {block} 60")
    wait_for(lambda: "migrating pfn" in vm.run("dmesg"))    # isolated, and cannot get further
    vm.run("echo 1 >/proc/sys/vm/movable_gigantic_pages")
    assert vm.run(f"echo 1 >{GIGANTIC}; cat {GIGANTIC}", timeout=120).strip() == "0"
    vm.run(f"kill {pid}")

    assert offlining.wait(120)[1].split()[0] == "ok"
    assert memory.hotplug("online_movable", block) == "ok"
    # nor is the block isolated now, nor any other
    vm.run(f"echo 1 >{GIGANTIC}", timeout=120)
    assert vm.run(f"cat {GIGANTIC}; echo 0 >{GIGANTIC}").strip() == "1"


def balloon_pages_of_nodes(memory):
    """By node: what its counter says, and what its memory blocks hold."""
    counters = memory.vm.run(f"echo 1 >/proc/sys/vm/stat_refresh; cat {NODES}/node*/meminfo")
    counted = {int(node): int(kib) << 10
               for node, kib in re.findall(r"Node (\d+) Balloon: +(\d+) kB", counters)}
    links = memory.vm.run(f"ls -d {NODES}/node*/memory*")
    node_of = {int(block): int(node)
               for node, block in re.findall(r"node(\d+)/memory(\d+)$", links, re.M)}
    state = memory.state()
    found = dict.fromkeys(counted, 0)
    for block in state.blocks + state.others:
        pages = sum(block[kind] or 0 for kind in ("offline", "movable_offline"))
        found[node_of[block["block"]]] += pages * PAGE
    return counted, found


def test_balloon_pages_that_move_to_another_node(memory):
    memory.resize(128 * MIB)
    block, = memory.block_states()
    balloon = Balloon(memory)
    balloon.resize(32 * MIB)
    counted, found = balloon_pages_of_nodes(memory)
    assert counted == found
    assert found[0] == 32 * MIB

    assert memory.hotplug("offline", block) == "ok"
    counted, found = balloon_pages_of_nodes(memory)
    assert found == {0: 0, 1: 32 * MIB}
    assert counted == found
    balloon.resize(0)
    assert balloon_pages_of_nodes(memory)[0] == {0: 0, 1: 0}


def test_refused_zone_is_forgotten(memory):
    """A block that is online cannot be onlined to a zone, not even the next time."""
    memory.resize(384 * MIB)
    _, block, _ = sorted(memory.block_states())
    assert memory.vm.call(f"echo online_kernel >{MEMORY}/memory{block}/state")[0]
    assert memory.hotplug("offline", block) == "ok"
    memory.vm.run(f"echo 1 >{MEMORY}/memory{block}/online")
    memory.hidden.pop(block)
    assert memory.state().block(block)["zone"] == "Movable"


@pytest.mark.parametrize("guest", [REPORTING], indirect=True, ids=["page_poison"])
def test_free_page_reporting_after_suspend(guest, memory):
    """The device may throw away free pages only if Linux does not mind that they become zero."""
    vm = memory.vm
    assert "Free page reporting enabled" in vm.run("dmesg")
    use_memory(vm)
    assert not guest.new_splats()
    vm.run("echo devices >/sys/power/pm_test && echo freeze >/sys/power/state", timeout=300)
    use_memory(vm)
    assert not guest.new_splats()


def use_memory(vm):
    """Twice: the device gets free pages after two seconds, Linux looks when it takes them."""
    for _ in range(2):
        vm.run("dd if=/dev/zero of=/tmp/data bs=1M count=256 2>/dev/null; rm /tmp/data",
               timeout=300)
        time.sleep(8)


@pytest.fixture
def profiled():
    guest = Guest("stock-bugs-profiled", "memhp_default_state=online_movable")
    yield guest.fresh()
    guest.stop()


def test_onlining_with_allocation_profiling(profiled):
    """Nothing is in the kernel log (conftest.no_splats)."""
    profiled.resize(128 * MIB)
    assert profiled.memtotal() == profiled.base + 128 * MIB
