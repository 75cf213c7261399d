"""
Balloon pages: logically offline, of a type of their own, with a reference. After each step the device,
nr_balloon_pages, Balloon: in meminfo, struct page, /proc/kpageflags and debugfs agree, and MemTotal is
what it should be; pages of virtio-mem in the same guest have no reference, as ever.
"""

import random
import re
import time

import pytest
from conftest import MIB, Guest, check
from lab.balloon import PAGE, Balloon
from lab.physmem import PhysicalMemory
from test_virtio_mem import BLOCK_MIB, unplugged, wait_for

SEED = 20261123


def balloon_guest(name, append="", properties="", args=()):
    return Guest(f"balloon-{name}", f"memhp_default_state=online_movable {append}",
                 args=["-device", f"virtio-balloon-pci,id=b0{properties}", *args])


@pytest.fixture(scope="module")
def guest():
    guest = balloon_guest("basic")
    yield guest
    guest.stop()


@pytest.fixture
def balloon(memory):
    balloon = Balloon(memory)
    yield balloon
    balloon.resize(0)


def look(memory, balloon, **expected):
    """One look at the guest, where nothing may be wrong."""
    state = check(memory, **expected)
    assert not balloon.problems(state)
    return state


def balloon_flags(memory):
    """The flags of all runs of balloon pages, from debugfs."""
    lines = memory.vm.run("cat /sys/kernel/debug/offline_pages").splitlines()
    return {line.split()[3] for line in lines if line.split()[2] == "movable_offline"}


def balloon_ranges(memory):
    """(first PFN, pages, lowest and highest refcount) of each run of balloon pages."""
    lines = memory.vm.run("cat /sys/kernel/debug/offline_pages").splitlines()
    return [(int(pfn, 16), int(pages), int(low), int(high)) for pfn, pages, kind, _, low, high in
            (line.split() for line in lines if line[:2] == "0x") if kind == "movable_offline"]


@pytest.mark.parametrize("mib", [2, 130, 512])
def test_inflate_and_deflate(memory, balloon, mib):
    for size in (mib, mib // 2, mib, 0):
        balloon.resize(size * MIB)
        look(memory, balloon, offline=0)
        assert sum(pages for _, pages, *_ in balloon_ranges(memory)) == size * MIB // PAGE
        assert memory.memtotal() == memory.base - size * MIB


def test_each_page_has_one_reference(memory, balloon):
    balloon.resize(64 * MIB)
    assert all(low == high == 1 for *_, low, high in balloon_ranges(memory))
    assert balloon_flags(memory) == {"movable_ops"}


def test_compaction_migrates_balloon_pages(memory, balloon):
    """
    Files and the balloon take turns in taking memory; when the files go, the balloon's pages are in
    the way of compaction.
    """
    fill = memory.vm.start("for i in $(seq 300); do dd if=/dev/zero of=/tmp/fill$i bs=64k count=16 "
                           "2>/dev/null; done")
    for mib in range(20, 320, 20):
        balloon.resize(mib * MIB)
    assert fill.wait(120)[0] == 0
    memory.vm.run("rm /tmp/fill*")
    before = balloon.event("balloon_migrate")
    memory.vm.run("echo 1 >/proc/sys/vm/compact_memory", timeout=120)
    assert balloon.event("balloon_migrate") > before
    look(memory, balloon, offline=0)
    assert all(low == high == 1 for *_, low, high in balloon_ranges(memory))
    assert balloon.size() == 300 * MIB


def test_block_with_balloon_pages_goes_offline(memory, balloon):
    """They migrate, and the balloon does not change."""
    memory.resize(BLOCK_MIB * MIB)
    block = min(memory.block_states())
    balloon.resize(64 * MIB)
    inside = look(memory, balloon).block(block)["movable_offline"]
    assert inside > 1000
    before = balloon.event("balloon_migrate")
    assert memory.hotplug("offline", block) == "ok"
    look(memory, balloon)
    assert balloon.size() == 64 * MIB
    assert balloon.event("balloon_migrate") - before == inside
    assert memory.hotplug("online_movable", block) == "ok"
    look(memory, balloon)


def test_partly_plugged_block_with_balloon_pages(memory, balloon):
    """Pages of both types in one block: some are skipped, the others migrate."""
    memory.resize(64 * MIB)
    block = min(memory.block_states())
    balloon.resize(32 * MIB)
    state = look(memory, balloon, offline=unplugged(64))
    assert state.block(block)["movable_offline"] > 1000
    assert memory.hotplug("offline", block) == "ok"
    look(memory, balloon, offline=0)
    assert memory.hotplug("online_movable", block) == "ok"
    look(memory, balloon, offline=unplugged(64))


def test_kcore_reads_neither_type(memory, balloon):
    """What is in the pages is not what /proc/kcore shows: zeros, for both types alike."""
    memory.resize(64 * MIB)
    balloon.resize(32 * MIB)
    pattern = b"pattern" * 512
    balloon_page = balloon_ranges(memory)[0][0] * PAGE
    unplugged_page = memory.start + 96 * MIB
    held = memory.vm.run(f"pin {memory.start // PAGE} {64 * MIB // PAGE} 950", timeout=120)
    pfn, pid = re.match(r"pfn=(\w+) pid=(\d+)", held).groups()
    plugged_page = int(pfn, 16) * PAGE
    with PhysicalMemory(memory.vm) as physical:
        for address in (balloon_page, unplugged_page, plugged_page):
            physical.write(address, pattern)
            assert physical.read(address, len(pattern)) == pattern
    seen = {address: memory.vm.run(f"pagestate --content {address // PAGE:#x}").strip()
            for address in (balloon_page, unplugged_page, plugged_page)}
    assert seen == {balloon_page: "zero", unplugged_page: "zero", plugged_page: "data"}
    memory.vm.run(f"kill {pid}")


def test_unbind_gives_everything_back(memory, balloon):
    balloon.resize(200 * MIB)
    driver = "/sys/bus/virtio/drivers/virtio_balloon"
    device = memory.vm.run(f"basename $(echo {driver}/virtio*)").strip()
    memory.vm.run(f"echo {device} >{driver}/unbind")
    balloon.wait(0)
    look(memory, balloon, offline=0)
    assert memory.memtotal() == memory.base
    memory.vm.run(f"echo {device} >{driver}/bind")
    # the device still wants what it wanted
    balloon.wait(200 * MIB)
    look(memory, balloon, offline=0)


@pytest.mark.part("torture")
def test_with_virtio_mem_under_load(memory, balloon):
    """Both devices resized at random while a workload verifies its data."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    memory.resize(256 * MIB)
    memory.vm.run("memtest start 200 --procs=2", timeout=120)
    for _ in range(12):
        if rng.random() < 0.5:
            memory.resize(rng.randrange(192, 512, 2) * MIB)
        else:
            balloon.resize(rng.randrange(0, 384) * MIB)
        state = look(memory, balloon)
        if rng.random() < 0.5:
            block = rng.choice(state.online_blocks)["block"]
            if memory.hotplug("offline", block, seconds=20) == "ok":
                look(memory, balloon)
                assert memory.hotplug("online_movable", block) == "ok"
                look(memory, balloon)
        memory.vm.run("memtest status")
    memory.vm.run("memtest stop", timeout=120)


class TestDeflateOnOOM:
    """The guest may take pages back when it needs them; they stay in MemTotal for that."""

    @pytest.fixture(scope="class")
    def guest(self):
        guest = balloon_guest("oom", properties=",deflate-on-oom=on")
        yield guest
        guest.stop()

    def test_workload_gets_its_memory(self, memory, balloon):
        balloon.managed = True
        available = int(memory.vm.run("awk '/^MemAvailable/ { print $2 }' /proc/meminfo")) // 1024
        balloon.resize((available - 150) * MIB)
        before = balloon.size()
        assert memory.memtotal() == memory.base
        memory.vm.run("memtest start 300 --procs=2", timeout=300)
        assert balloon.size() < before
        memory.vm.run("memtest stop", timeout=120)
        assert balloon.event("oom_kill") == 0
        assert not balloon.problems(memory.state())
        assert memory.memtotal() == memory.base


class TestReporting:
    """Free page reporting: the device takes free pages for a while; they stay free for the guest."""

    @pytest.fixture(scope="class")
    def guest(self):
        guest = balloon_guest("reporting", properties=",free-page-reporting=on")
        yield guest
        guest.stop()

    def test_with_inflating(self, memory, balloon):
        def resident():
            status = open(f"/proc/{memory.vm.pid}/status").read()
            return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024

        memory.vm.run("memtest start 400", timeout=300)
        balloon.resize(100 * MIB)
        used = resident()
        memory.vm.run("memtest stop", timeout=120)
        wait_for(lambda: used - resident() > 300 * MIB)
        look(memory, balloon, offline=0)
        balloon.resize(0)
        memory.vm.run("memtest start 600", timeout=300)
        memory.vm.run("memtest stop", timeout=120)
        look(memory, balloon, offline=0)
        assert memory.memtotal() == memory.base


class TestHinting:
    """Free page hinting: while QEMU migrates, the guest lends it free pages, which are not offline."""

    @pytest.fixture(scope="class")
    def guest(self):
        guest = balloon_guest("hinting", properties=",free-page-hint=on,iothread=io0",
                              args=["-object", "iothread,id=io0"])
        yield guest
        guest.stop()

    def test_with_inflating(self, memory, balloon):
        vm = memory.vm
        balloon.resize(100 * MIB)
        memory.resize(64 * MIB)
        vm.qmp("migrate-set-parameters", **{"max-bandwidth": 64 * MIB})
        vm.qmp("migrate", uri="exec:cat >/dev/null")
        time.sleep(1)
        balloon.request(160 * MIB)
        wait_for(lambda: vm.qmp("query-migrate").get("status") == "completed", timeout=180)
        vm.qmp("cont")
        balloon.wait(160 * MIB)
        look(memory, balloon, offline=unplugged(64))
        vm.run("memtest start 300", timeout=300)     # what was lent is there again
        vm.run("memtest stop", timeout=120)
        balloon.resize(0)
        assert memory.growth() == 64 * MIB


class TestPagePoison:
    """The guest poisons its free pages, and the device knows with what."""

    @pytest.fixture(scope="class")
    def guest(self):
        guest = balloon_guest("poison", append="page_poison=1",
                              properties=",page-poison=on,free-page-reporting=on")
        yield guest
        guest.stop()

    def test_inflate_and_deflate(self, memory, balloon):
        driver = "/sys/bus/virtio/drivers/virtio_balloon"
        features = memory.vm.run(f"cat {driver}/virtio*/features").strip()
        assert features[4] == "1", f"VIRTIO_BALLOON_F_PAGE_POISON is not negotiated: {features}"
        for mib in (300, 50, 200, 0):
            balloon.resize(mib * MIB)
            look(memory, balloon, offline=0)
        memory.vm.run("memtest start 400", timeout=300)
        memory.vm.run("memtest stop", timeout=120)
