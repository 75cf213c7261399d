"""
What stock Linux does wrong around memory hotplug and balloons (docs/stock-bugs.md). test_stock_has_bugs.py
expects each test to fail on the stock kernel, with the symptom that its patch describes.
"""

import re
import time

import pytest
from conftest import MIB, Guest
from lab.balloon import Balloon
from lab.vm import virtio_mem
from test_virtio_mem import BLOCK_PAGES, wait_for

GIB = 1 << 30
PAGE = 4096
MEMORY = "/sys/devices/system/memory"
NODES = "/sys/devices/system/node"
UNPOISON = "/sys/kernel/debug/hwpoison/unpoison-pfn"
GIGANTIC = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"

pytestmark = pytest.mark.part("stock-bugs", default=True)

# Without allocation profiling: on stock its warning would hide the others.
APPEND = "memhp_default_state=online_movable sysctl.vm.mem_profiling=never"
TWO_NODES = ["-object", "memory-backend-ram,id=n0,size=512M",
             "-object", "memory-backend-ram,id=n1,size=512M",
             "-numa", "node,nodeid=0,memdev=n0,cpus=0-1", "-numa", "node,nodeid=1,memdev=n1"]
BALLOON = ["-device", "virtio-balloon-pci,id=b0"]
ONE_NODE = (APPEND, [], {"modules": ["contig_page", "empty_zone"]})
# A page that is not what it was when it was freed is a splat.
REPORTING = (f"{APPEND} page_poison=1",
             ["-device", "virtio-balloon-pci,id=b0,free-page-reporting=on"])


@pytest.fixture(scope="module")
def guest(request):
    """The device, and all CPUs, are in the first of two nodes."""
    append, args, *more = getattr(request, "param", (APPEND, [*TWO_NODES, *BALLOON]))
    guest = Guest("stock-bugs-hotplug", append, args, **dict(*more))
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


@pytest.mark.parametrize("guest", [("memhp_default_state=online_movable", [])], indirect=True, ids=["profiling"])
def test_tags_of_skipped_pages(memory):
    """What virtio-mem has allocated and was forgotten with its block is allocated no more."""
    def allocated():
        return sum(int(line.split()[0]) for line in memory.vm.run("cat /proc/allocinfo").splitlines()
                   if "virtio_mem.c:" in line)

    before = allocated()
    memory.resize(128 * MIB)
    memory.resize(64 * MIB)
    block, = memory.block_states()
    assert allocated() - before >= 64 * MIB
    assert memory.hotplug("offline", block) == "ok"
    assert memory.hotplug("online_movable", block) == "ok"
    memory.resize(0)
    assert allocated() - before < MIB


class GoingOffline:
    """A memory block that is going offline, for as long as somebody holds one of its pages."""

    def __init__(self, memory):
        memory.resize(256 * MIB)
        self.vm, first = memory.vm, memory.start // PAGE
        output = self.vm.run(f"pin {first} {256 * MIB // PAGE} 512", timeout=120)
        pfn, self._pid = re.match(r"pfn=(\w+) pid=(\d+)", output).groups()
        self._pinned = int(pfn, 16)
        self.block = self._pinned // BLOCK_PAGES
        self.last_page = (self.block + 1) * BLOCK_PAGES - 1

    def begin(self):
        self._offlining = self.vm.start(f"hotplug offline {self.block} 60")
        wait_for(lambda: f"migrating pfn {self._pinned:x}" in self.vm.run("dmesg"))

    def end(self):
        time.sleep(2)       # whoever waits for it does so by now
        self.vm.run(f"kill {self._pid}")
        assert self._offlining.wait(120)[1].split()[0] == "ok"

    def soft_offline(self, pfn):
        return self.vm.start(f"echo {pfn * PAGE:#x} >{MEMORY}/soft_offline_page")


def test_soft_offline_of_a_page_that_is_going_offline(memory):
    """It waits for memory offlining; then there is no page any more."""
    going = GoingOffline(memory)
    going.begin()
    poisoning = going.soft_offline(going.last_page)
    going.end()
    code, output = poisoning.wait(60)
    assert code and "Input/output error" in output
    assert memory.hotplug("online_movable", going.block) == "ok"


def test_unpoisoning_a_page_that_is_going_offline(memory):
    """It waits for soft-offlining of another page, which waits for memory offlining."""
    going = GoingOffline(memory)
    other, = {*memory.block_states()} - {going.block}
    assert going.soft_offline(going.last_page).wait(60) == (0, "")
    going.begin()
    poisoning = going.soft_offline((other + 1) * BLOCK_PAGES - 1)
    time.sleep(2)
    unpoisoning = memory.vm.start(f"echo {going.last_page:#x} >{UNPOISON}")
    going.end()
    assert poisoning.wait(60) == (0, "")
    code, output = unpoisoning.wait(60)
    assert code and "Input/output error" in output
    memory.vm.run(f"echo {(other + 1) * BLOCK_PAGES - 1:#x} >{UNPOISON}")


# A node of its own, so that nobody else has pages there; slab_max_order: small ones.
SLAB = (f"{APPEND.replace('movable', 'kernel')} slab_max_order=0",
        ["-object", "memory-backend-ram,id=n0,size=1G", "-numa", "node,nodeid=0,memdev=n0,cpus=0-1",
         "-numa", "node,nodeid=1", *virtio_mem("vmem1", "2G", node=1)],
        {"beside": ["vmem1"], "modules": ["slab_page"]})


@pytest.mark.parametrize("guest", [SLAB], indirect=True, ids=["slab"])
def test_slab_page(guest, memory):
    """A page of the slab allocator has no reference. It is not free, and does not go."""
    vm, memory = memory.vm, guest.memories[1]
    memory.resize(512 * MIB)
    block = max(memory.block_states())
    vm.run(f"insmod /lib/modules/slab_page.ko nid=1 start_pfn={block * BLOCK_PAGES} "
           f"nr_pages={BLOCK_PAGES}", timeout=300)
    assert memory.hotplug("offline", block, seconds=20) == "EBUSY"
    vm.run("rmmod slab_page")
    assert memory.hotplug("offline", block, seconds=20) == "ok"


@pytest.mark.parametrize("guest", [ONE_NODE], indirect=True, ids=[""])
def test_contiguous_memory_of_a_zone_that_begins_in_a_pageblock(guest, memory):
    """Whole pageblocks are isolated for it, and the first one is not all in the zone."""
    memory.vm.run("insmod /lib/modules/contig_page.ko")
    pfn, start = (int(memory.vm.run(f"cat /sys/module/contig_page/parameters/{name}"))
                  for name in ("pfn", "zone_start"))
    assert start % 512 and pfn >= 512


@pytest.mark.parametrize("guest", [ONE_NODE], indirect=True, ids=[""])
def test_zone_without_memory_keeps_its_lists(memory):
    """Those per CPU: somebody may be looking at them. It takes them again when it gets memory."""
    vm = memory.vm
    memory.resize(128 * MIB)
    [block] = memory.block_states()
    vm.run(f"insmod /lib/modules/empty_zone.ko pfn={block * BLOCK_PAGES}")
    for _ in range(2):
        memory.resize(0)
        reused = vm.run("cat /sys/module/empty_zone/parameters/reused", timeout=120).strip()
        memory.resize(128 * MIB)
        assert reused == "N"
    vm.run("rmmod empty_zone")


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


@pytest.mark.parametrize("guest", [(APPEND, [])], indirect=True, ids=["compaction"])
def test_compaction_while_the_last_block_goes(memory):
    """Its free scanner starts at the end of the zone, which is not where it was any more."""
    vm = memory.vm
    memory.resize(512 * MIB)
    *_, last = sorted(memory.block_states())
    # First what compaction has to look at, page by page, and leaves where it is; then what it moves.
    vm.run("echo 0 >/proc/sys/vm/compact_unevictable_allowed && mkdir -p /tmp/stays /tmp/moves && "
           "mount -t tmpfs -o noswap,size=1G stays /tmp/stays && "
           "mount -t tmpfs -o size=1G moves /tmp/moves && "
           "dd if=/dev/zero of=/tmp/stays/data bs=1M count=300 && "
           "dd if=/dev/zero of=/tmp/moves/data bs=1M count=32", timeout=300)
    assert memory.hotplug("offline", last) == "ok"
    compaction = vm.start("while :; do echo 1 >/proc/sys/vm/compact_memory; done")
    try:
        vm.run(f"for i in $(seq 10); do hotplug online_movable {last} 60 && "
               f"hotplug offline {last} 60 || exit; done", timeout=300)
    finally:
        compaction.kill()
        compaction.wait()
        vm.run("umount /tmp/stays /tmp/moves && echo 1 >/proc/sys/vm/compact_unevictable_allowed")
    assert memory.hotplug("online_movable", last) == "ok"


@pytest.mark.parametrize("guest", [(APPEND, [], {"modules": ["kernel_pages"]})], indirect=True,
                         ids=["zonelists"])
@pytest.mark.parametrize("bulk", [0, 1])
def test_allocation_while_a_zone_comes_and_goes(memory, bulk):
    """The kernel's own pages come from the only other zone: the second in the list of zones, or the first."""
    vm = memory.vm
    memory.resize(128 * MIB)
    [block] = memory.block_states()
    vm.run(f"insmod /lib/modules/kernel_pages.ko bulk={bulk}")
    vm.run(f"for i in $(seq 50); do hotplug offline {block} 60 && "
           f"hotplug online_movable {block} 60 || exit; done", timeout=300)
    vm.run("rmmod kernel_pages")


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
