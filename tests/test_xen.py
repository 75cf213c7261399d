"""
Xen's balloon, in dom0. After each step, the balloon's own numbers, nr_balloon_pages, struct page and
MemTotal agree, and no page in the balloon has a reference.

XEN_REFCOUNT=1 expects what stock Linux has, a reference for each, so that only other differences show.
"""

import json
import os
import random

import pytest
from conftest import TREE, image
from lab import modules, xen
from lab.xen import Dom0
from lab.xen_balloon import Program, XenBalloon

pytestmark = pytest.mark.part("xen")

REFCOUNT = int(os.environ.get("XEN_REFCOUNT", "0"))
SEED = 20261124
MIB = 1024                  # KiB
BOOT, MAX = 512 * MIB, 1024 * MIB
BOOT_PAGES = (MAX - BOOT) // 4
BLOCK_PAGES = 32768
ONLINE = "echo online_movable >/sys/devices/system/memory/auto_online_blocks"


class Guest:
    """A dom0 for several tests, each of which leaves it as it was."""

    lent_at_boot = 0

    def __init__(self, name, dom0_mem, config="xen", files=(), append="", **more):
        if TREE == "stock":
            config += "-stock"
        kernel = image(config)
        self.vm = Dom0(name, kernel, dom0_mem, append=f"kunit.enable=0 page_owner=on {append}", **more,
                       modules=[modules.build(TREE, config, "xen_lend"), *files])

    def __enter__(self):
        self.vm.__enter__()
        self.vm.run("insmod /lib/modules/xen_lend.ko")
        self.balloon = XenBalloon(self.vm)
        # Without the page tables of PV, the frames of the grant table are such pages.
        self.lent_at_boot = self.lent()
        self.balloon.request(self.balloon.read("info/current_kb"))
        self.start = self.look()
        return self

    def __exit__(self, *error):
        self.vm.__exit__(*error)

    def look(self, **expected):
        """Nothing may be wrong; expected: what the State has, e.g. offline=16384."""
        state = self.balloon.state()
        assert not state.problems(REFCOUNT)
        for name, value in expected.items():
            found = getattr(state, name)
            if found is not None:
                assert found == value, f"{name}: {found}, expected {value}"
        return state

    def blocks(self):
        """{number: what pagestate says}, of all memory blocks."""
        told = json.loads(self.vm.run("pagestate --json", timeout=300))
        return {block["block"]: block for block in told["blocks"]}

    def order(self, command):
        """To the test module."""
        return self.vm.run(f"echo {command} >/dev/xen_lend", timeout=300)

    def lent(self):
        return int(self.vm.run("cat /dev/xen_lend")) - self.lent_at_boot


def guest_fixture(*arguments, **options):
    @pytest.fixture(scope="class")
    def guest(self):
        with Guest(*arguments, **options) as guest:
            yield guest
    return guest


@pytest.fixture(autouse=True)
def as_before(request):
    """The guest is as it was at boot, and its kernel did not complain."""
    yield
    guest = request.node.funcargs["guest"]
    guest.balloon.resize(guest.start.current_kb)
    seen = guest.look(busy=0)
    assert guest.lent() == 0
    assert seen.total_kb == guest.start.total_kb
    assert not guest.vm.splats()


class Common:
    """What every dom0 can do."""

    sizes = 1, 64, 200      # MiB

    def test_down_and_up(self, guest):
        before = guest.look()
        for mib in self.sizes:
            guest.balloon.resize(before.current_kb - mib * MIB)
            guest.look(offline=before.offline + mib * 256, total_kb=before.total_kb - mib * MIB,
                       never_onlined=before.never_onlined)
            guest.balloon.resize(before.current_kb)
            guest.look(offline=before.offline, total_kb=before.total_kb)

    def test_random(self, guest):
        print(f"seed {SEED}")
        rng = random.Random(SEED)
        start = guest.look()
        for _ in range(8):
            kb = start.current_kb - rng.randrange(max(self.sizes) * MIB) // 4 * 4
            guest.balloon.resize(kb)
            guest.look(total_kb=start.total_kb - start.current_kb + kb)


class Lending:
    """Where the balloon has room for grants."""

    def test_lend_and_return(self, guest):
        before = guest.look()
        guest.balloon.resize(before.current_kb - 16 * MIB)
        inflated = guest.look(offline=before.offline + 4096)
        guest.order("lend 1000")
        assert guest.lent() == 1000
        guest.look(offline=inflated.offline - 1000, total_kb=inflated.total_kb)
        guest.order("return")
        assert guest.lent() == 0
        guest.look(offline=inflated.offline, total_kb=inflated.total_kb)

    def test_page_is_still_in_use(self, guest):
        """It is neither in the balloon nor given to anybody; when the reference goes, it comes back."""
        before = guest.look()
        guest.balloon.resize(before.current_kb - 16 * MIB)
        inflated = guest.look()
        guest.order("lend 8")
        guest.order("get 3")
        guest.order("get 5")
        guest.order("return")
        guest.look(offline=inflated.offline - 2, busy=2, total_kb=inflated.total_kb)
        assert guest.lent() == 2
        guest.order("put 5")
        guest.balloon.wait(lambda: guest.balloon.read("info/busy_kb") == 4, 30, "one page")
        guest.look(offline=inflated.offline - 1, busy=1)
        # All others go to the buddy, and back.
        guest.balloon.resize(before.current_kb)
        guest.balloon.resize(before.current_kb - 16 * MIB)
        guest.look(busy=1)
        guest.order("put 3")
        guest.balloon.wait(lambda: not guest.balloon.read("info/busy_kb"), 30, "the other page")
        guest.look(busy=0)
        assert guest.lent() == 0

    def test_lent_while_resized(self, guest):
        before = guest.look()
        guest.order("lend 700")
        guest.balloon.resize(before.current_kb - 32 * MIB)
        guest.look(total_kb=before.total_kb - 32 * MIB)
        guest.balloon.resize(before.current_kb - 8 * MIB)
        guest.order("return")
        guest.look(total_kb=before.total_kb - 8 * MIB)

    def test_block_with_balloon_pages_stays(self, guest):
        guest.balloon.resize(guest.start.current_kb - 64 * MIB)
        blocks = guest.blocks()
        # not one with a hole in it, which is refused for that
        block = max(blocks, key=lambda number: blocks[number]["offline"] or 0)
        _, answer = guest.vm.call(f"hotplug offline {block} 30", timeout=120)
        assert answer.split()[0] == "EBUSY"
        guest.look()


class Grants:
    """Grants of dom0 to itself, mapped to user space: PV only."""

    @pytest.mark.parametrize("pages", [1, 512])
    def test_grants_are_mapped(self, guest, pages):
        before = guest.look()
        guest.balloon.resize(before.current_kb - 16 * MIB)
        inflated = guest.look()
        with Program(guest.vm, f"map {pages}") as program:
            state = guest.look()
            if self.lends_to_gntdev:
                assert state.offline == inflated.offline - pages
            else:
                assert state.offline == inflated.offline
            assert state.total_kb == inflated.total_kb
        assert "verified" in program.job.output
        guest.look(offline=inflated.offline, total_kb=inflated.total_kb)

    def test_nobody_learns_of_the_room(self, guest):
        """The driver cannot tell where it is: nothing is lent, though the file stays open."""
        guest.balloon.resize(guest.start.current_kb - 16 * MIB)
        inflated = guest.look()
        with Program(guest.vm, "fault 100"):
            assert guest.lent() == 0
            guest.look(offline=inflated.offline)


class TestPV(Common, Lending, Grants):
    """Boot memory that Xen does not back at first: half of it is in the balloon from the start."""

    guest = guest_fixture("xen-pv", f"{BOOT}K,max:{MAX}K")
    lends_to_gntdev = True

    def test_boot_pages_are_adopted(self, guest):
        assert guest.start.offline == guest.start.never_onlined == BOOT_PAGES

    def test_both_origins_in_one_list(self, guest):
        """Boot pages go to the buddy, and what comes back are others."""
        guest.balloon.resize(guest.start.current_kb + 128 * MIB)
        guest.look(offline=BOOT_PAGES - 32768, total_kb=guest.start.total_kb + 128 * MIB)
        guest.balloon.resize(guest.start.current_kb)
        mixed = guest.look(offline=BOOT_PAGES, total_kb=guest.start.total_kb)
        assert mixed.never_onlined is None or 0 < mixed.never_onlined <= BOOT_PAGES - 32768

    def test_boot_pages_come_back_as_others(self, guest):
        """A page that was lent is not known as never onlined any more, and freed all the same."""
        before = guest.look()
        guest.order("lend 4096")
        guest.look(offline=BOOT_PAGES - 4096, total_kb=before.total_kb)
        guest.order("return")
        guest.look(offline=BOOT_PAGES, total_kb=before.total_kb)
        guest.balloon.resize(guest.start.current_kb + 64 * MIB)
        guest.look(total_kb=before.total_kb + 64 * MIB)


class TestFull:
    """A balloon that is empty at first, and two CPUs."""

    guest = guest_fixture("xen-full", f"{MAX}K,max:{MAX}K", smp=2)
    lends_to_gntdev = True

    def test_lend_what_is_not_there(self, guest):
        """The balloon takes what it lacks from the buddy."""
        guest.look(offline=0)
        guest.order("lend 500")
        guest.look(offline=0, total_kb=guest.start.total_kb - 2000)
        guest.order("return")
        guest.balloon.resize(guest.start.current_kb)
        guest.look(offline=0, total_kb=guest.start.total_kb)

    def test_hot_added_for_grants(self, guest):
        """
        More room than the balloon has pages: a memory block is added, and is balloon at first. Then all
        of it is populated, in ZONE_MOVABLE, but what is lent: these pages keep the block. The last
        test, because the block stays.
        """
        known, start = set(guest.blocks()), guest.start
        guest.vm.run(f"{ONLINE}; echo 1 >/proc/sys/xen/balloon/hotplug_unpopulated")
        guest.balloon.resize(start.current_kb - 192 * MIB)
        inflated = guest.look(offline=49152, never_onlined=0)
        with Program(guest.vm, "reserve 49168"):
            assert guest.lent() == 49168
            # Those that were lent last are of the new block.
            guest.look(offline=BLOCK_PAGES - 16, never_onlined=BLOCK_PAGES - 16,
                       total_kb=inflated.total_kb)
            guest.balloon.resize(inflated.current_kb + 4 * (BLOCK_PAGES - 16))
            guest.look(offline=0, total_kb=inflated.total_kb + 4 * (BLOCK_PAGES - 16))
            block, = set(guest.blocks()) - known
            _, answer = guest.vm.call(f"hotplug offline {block} 30", timeout=120)
            assert answer.split()[0] == "EBUSY"
            assert f"memory{block} cannot go offline: some of its pages are lent" in guest.vm.console()
        guest.look(offline=49168)
        guest.balloon.resize(start.current_kb)
        guest.look(offline=BLOCK_PAGES, total_kb=start.total_kb)
        guest.vm.run("echo 0 >/proc/sys/xen/balloon/hotplug_unpopulated")


class TestRace:
    """The same; the balloon adds memory for the page that it lends, which nobody onlines."""

    guest = guest_fixture("xen-race", f"{MAX}K,max:{MAX}K", smp=2)

    def test_failure_does_not_change_the_target(self, guest):
        guest.order("race 300000")
        assert guest.lent() == 0


class TestUnpopulated(Common, Grants):
    """With ZONE_DEVICE: grants need no balloon, and the balloon has no boot memory."""

    guest = guest_fixture("xen-unpopulated", f"{BOOT}K,max:{MAX}K", config="xen-unpopulated")
    lends_to_gntdev = False

    def test_hot_added_by_the_target(self, guest):
        guest.vm.run(ONLINE)
        before = guest.look(offline=0)
        guest.balloon.resize(before.current_kb + 64 * MIB)
        guest.look(offline=16384, never_onlined=16384, total_kb=before.total_kb + 64 * MIB)
        guest.balloon.resize(before.current_kb + 128 * MIB)
        guest.look(offline=0, total_kb=before.total_kb + 128 * MIB)
        guest.balloon.resize(before.current_kb)
        guest.look(offline=BLOCK_PAGES, never_onlined=0, total_kb=before.total_kb)

    def test_lend_from_the_balloon(self, guest):
        """Nobody does that here but the test module."""
        guest.balloon.resize(guest.start.current_kb - 16 * MIB)
        before = guest.look()
        guest.order("lend 100")
        guest.look(offline=before.offline - 100)
        guest.order("return")
        guest.look(offline=before.offline)


class TestPVH(Common, Lending):
    """Dom0 with the page tables of hardware: what is lent can be mapped although nothing is there."""

    guest = guest_fixture("xen-pvh", f"{BOOT}K,max:{MAX}K", pvh=True, smp=1)
    sizes = 1, 20           # it takes long

    def test_pages_in_a_pipe(self, guest):
        """vm_map_pages() takes them, and a user keeps references beyond their return."""
        before = guest.look()
        guest.balloon.resize(before.current_kb - 16 * MIB)
        inflated = guest.look()
        guest.order("lend 4")
        with Program(guest.vm, "splice 4"):
            guest.order("return")
            guest.look(offline=inflated.offline - 4, busy=4, total_kb=inflated.total_kb)
        guest.balloon.wait(lambda: not guest.balloon.read("info/busy_kb"), 30, "the pages")
        guest.look(offline=inflated.offline, total_kb=inflated.total_kb)


class TestLimitedMemory:
    """
    Without most of its memory map: of what Xen does not back, a little is below the limit, and the rest of it far
    beyond, where the addresses go on above 4 GiB.
    """

    guest = guest_fixture("xen-limited", f"{BOOT}K,max:{MAX}K", pvh=True, smp=1, memory="5G",
                          append="mem=544M")

    @staticmethod
    def count(guest):
        return int(guest.vm.run("ls -d /sys/devices/system/memory/memory[0-9]* | wc -l"))

    def test_hot_added_is_what_is_missing(self, guest):
        """Not the distance to memory that does not count."""
        before = self.count(guest)
        in_balloon = guest.balloon.read("info/low_kb")
        assert 0 < in_balloon < 64 * MIB
        guest.balloon.request(guest.start.current_kb + in_balloon + 8 * MIB)
        guest.balloon.wait(lambda: self.count(guest) > before, 60, "a memory block")
        assert self.count(guest) == before + 1


DISK = "/local/domain/0/device/vbd/51712"
BACKEND = "/local/domain/0/backend/vbd/0/51712"


class TestDisk:
    """
    A disk whose backend is in dom0, as is its frontend: all data go through pages that the balloon has
    lent, from there through a loop device into a file.
    """

    @pytest.fixture(scope="class")
    def guest(self):
        with Guest("xen-disk", f"{BOOT}K,max:{MAX}K", files=xen.store()) as guest:
            vm = guest.vm
            vm.run("mount -t xenfs xenfs /proc/xen && mkdir -p /var/lib/xenstored /var/run/xen && "
                   "cd /lib/modules && chmod +x ld-linux-x86-64.so.2 && "
                   "./ld-linux-x86-64.so.2 --library-path . ./xenstored --internal-db", timeout=120)
            vm.run("xenstore write /local/domain/0/domid 0 /local/domain/0/name Domain-0")
            vm.run("dd if=/dev/zero of=/tmp/disk bs=1M count=48; losetup /dev/loop0 /tmp/disk")
            yield guest

    def test_data_through_lent_pages(self, guest):
        vm = guest.vm
        before = guest.look()
        vm.run(f"xenstore write {BACKEND}/frontend {DISK} {BACKEND}/frontend-id 0 "
               f"{BACKEND}/online 1 {BACKEND}/params /dev/loop0 {BACKEND}/type phy "
               f"{BACKEND}/mode w {BACKEND}/dev xvda {BACKEND}/physical-device 7:0 "
               f"{DISK}/backend {BACKEND} {DISK}/backend-id 0 {DISK}/virtual-device 51712 "
               f"{DISK}/device-type disk {DISK}/state 1 {BACKEND}/state 1")
        guest.balloon.wait(lambda: vm.call("test -b /dev/xvda")[0] == 0, 60, "the disk")
        vm.run("dd if=/dev/urandom of=/tmp/data bs=1M count=40")
        for _ in range(3):
            vm.run("dd if=/tmp/data of=/dev/xvda bs=1M conv=fsync; "
                   "echo 3 >/proc/sys/vm/drop_caches", timeout=120)
            vm.run("dd if=/dev/xvda of=/tmp/back bs=1M count=40; cmp /tmp/data /tmp/back; "
                   "dd if=/tmp/disk of=/tmp/back bs=1M count=40; cmp /tmp/data /tmp/back",
                   timeout=120)
            assert guest.lent() > 0
            guest.look()
        print(f"{guest.lent()} pages lent")
        # The backend keeps them for the next request, but gives them back in the end.
        vm.run(f"xenstore write {BACKEND}/online 0 {BACKEND}/state 5")
        guest.balloon.wait(lambda: guest.lent() == 0, 60, "the pages of the disk")
        guest.look(offline=before.offline, busy=0, total_kb=before.total_kb)
