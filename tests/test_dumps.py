"""
Dumps leave offline pages out: by QEMU from outside, and by a second kernel after a crash; filtered by the
makedumpfile of each Debian release that can. What is in a dump we read ourselves.
"""

import re

import pytest
from conftest import MIB, TREE, Guest, image
from lab import drgn, dump, dumpfile, kernel, makedumpfile, tools
from lab.arch import X86
from lab.balloon import PAGE, Balloon
from lab.dumpfile import DumpFile
from lab.errors import LabError

pytestmark = pytest.mark.part("dumps")

PAGES = 1000        # of each kind, by the test module filled_pages
IN_BALLOON = b"page in balloon\0"
# makedumpfile of Debian 13 takes no page of Linux 7.3 for offline, or free (docs/dumps.md).
SUITES = ["bookworm", "forky"]


class Pages:
    """What the guest says of its offline pages: sets of page frames."""

    def __init__(self, vm):
        self.plain, self.balloon, self.flags = set(), set(), {}
        if TREE == "stock":     # one type, and no list in debugfs
            for line in vm.run("pagestate --ranges").splitlines():
                pfn, number, *_ = line.split()
                self.plain |= set(range(int(pfn, 16), int(pfn, 16) + int(number)))
            return
        for line in vm.run("cat /sys/kernel/debug/offline_pages").splitlines():
            pfn, number, kind, flags, *_ = line.split()
            if not pfn.startswith("0x"):
                continue
            pages = set(range(int(pfn, 16), int(pfn, 16) + int(number)))
            (self.balloon if kind == "movable_offline" else self.plain).update(pages)
            self.flags[flags] = self.flags.get(flags, 0) + len(pages)


def take_offline(memory):
    """Pages of all kinds; 64 MiB of virtio-mem never online, 8 MiB no longer."""
    memory.resize(448 * MIB)
    memory.resize(440 * MIB)
    Balloon(memory).resize(64 * MIB)
    memory.vm.run(f"insmod /lib/modules/filled_pages.ko pages={PAGES}")
    pages = Pages(memory.vm)
    if TREE == "stock":
        assert len(pages.plain) == (72 + 64) * MIB // PAGE + 2 * PAGES
    else:
        assert len(pages.plain) == 72 * MIB // PAGE + PAGES
        assert len(pages.balloon) == 64 * MIB // PAGE + PAGES
        assert pages.flags["never_onlined,skippable"] == 64 * MIB // PAGE
        assert pages.flags["skippable"] == 8 * MIB // PAGE
    return pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dumps")


@pytest.fixture(scope="module")
def by_qemu(folder):
    """(the path of QEMU's dump of a guest with offline pages of all kinds, those pages)."""
    guest = Guest("dumps-qemu", "memhp_default_state=online_movable", config="dump",
                  modules=["filled_pages"],
                  args=["-device", "virtio-balloon-pci,id=b0", *dump.QEMU_DEVICE])
    memory = guest.fresh()
    pages = take_offline(memory)
    path = folder / "qemu"
    dump.by_qemu(memory.vm, path)
    guest.stop()
    return path, pages


def check_plain(report, found, pages):
    """All of them are left out, and makedumpfile has counted them."""
    expected = {pfn for pfn in pages.plain if pfn in found.exist}
    assert len(expected) >= PAGES
    assert report["Offline pages"] == len(expected)
    assert not [pfn for pfn in expected if pfn in found.dumped]


def with_text(found, pages, text):
    """Those of the pages that are in the dump, with that text."""
    return {pfn for pfn in pages if (found.page(pfn) or b"").startswith(text)}


@pytest.mark.parametrize("level", [makedumpfile.ZERO, makedumpfile.EVERYTHING])
@pytest.mark.parametrize("suite", SUITES)
def test_qemu_dump_without_plain_offline_pages(by_qemu, suite, level):
    """QEMU leaves out by itself what virtio-mem has unplugged."""
    source, pages = by_qemu
    target = source.with_name(f"{suite}-{level}")
    report = makedumpfile.filtered(suite, source, target, level)
    with DumpFile(target) as found:
        check_plain(report, found, pages)
        # Nobody has told it about the others: it reads and saves what is in them.
        assert len(with_text(found, pages.balloon, IN_BALLOON)) == (0 if TREE == "stock" else PAGES)


def check_second_pass(source, pages):
    """
    What a makedumpfile that knows the type of balloon pages would leave out as well: it is told that
    these are the offline pages, and filters once more. It leaves out exactly those.
    """
    target, vmcoreinfo = (source.with_name(f"{source.name}-{what}") for what in ("less", "vmcoreinfo"))
    with DumpFile(source) as found:
        vmcoreinfo.write_text(makedumpfile.of_balloon(found.vmcoreinfo))
    report = makedumpfile.filtered("forky", source, target, makedumpfile.EVERYTHING, vmcoreinfo)
    with DumpFile(source) as found, DumpFile(target) as less:
        before, after = set(found.dumped), set(less.dumped)
        assert len(pages.balloon) > PAGES and pages.balloon <= before
        assert report["Offline pages"] == len(pages.balloon)
        assert before - after == pages.balloon and not after - before
        print(f"{len(pages.balloon)} balloon pages: {found.size_of(pages.balloon)} bytes of "
              f"{source.stat().st_size}; {target.stat().st_size} without them")


def test_qemu_dump_without_balloon_pages(by_qemu):
    source, pages = by_qemu
    target = source.with_name("first")
    makedumpfile.filtered("forky", source, target, makedumpfile.EVERYTHING)
    check_second_pass(target, pages)


TASKS = """
from drgn.helpers.linux import for_each_task
for task in for_each_task(prog):
    print(task.pid.value_(), task.comm.string_().decode())
"""
TYPES = """
import collections
from drgn.helpers.linux import pfn_to_page
types = collections.Counter(pfn_to_page(prog, pfn).page_type.value_() >> 24 for pfn in {pfns})
print(*types.items())
"""


def vmlinux():
    return kernel.objects_of(TREE, "dump") / "vmlinux"


def test_a_debugger_opens_the_filtered_dump(by_qemu):
    """
    The list of tasks, and the types of offline pages, which are not in the dump: their struct pages are.
    """
    source, pages = by_qemu
    target, vmcoreinfo = (source.with_name(name) for name in ("drgn", "drgn-vmcoreinfo"))
    with DumpFile(source) as found:
        vmcoreinfo.write_text(makedumpfile.with_old_names(found.vmcoreinfo))
    makedumpfile.filtered("forky", source, target, makedumpfile.EVERYTHING, vmcoreinfo)
    tasks = drgn.run(target, vmlinux(), TASKS).splitlines()
    assert {"1 agentd", "2 kthreadd"} <= set(tasks) and len(tasks) > 20
    plain, balloon = (
        drgn.run(target, vmlinux(), TYPES.format(pfns=sorted(of_a_kind)[:PAGES]))
        for of_a_kind in (pages.plain, pages.balloon or pages.plain))
    assert re.fullmatch(rf"\(\d+, {PAGES}\)\n", plain)
    assert re.fullmatch(rf"\(\d+, {PAGES}\)\n", balloon)
    assert (plain == balloon) == (TREE == "stock")


def test_a_debugger_without_the_old_name(by_qemu):
    """What the old name is good for: pages of the kernel are missing from a dump without."""
    source, _ = by_qemu
    target = source.with_name("drgn-new")
    makedumpfile.filtered("forky", source, target, makedumpfile.EVERYTHING)
    with pytest.raises(LabError, match="xcluded page"):
        drgn.run(target, vmlinux(), TASKS)


@pytest.fixture(scope="module")
def crashed(folder):
    """(a guest that has crashed into a second kernel, the disk that takes a dump, the pages)."""
    tool = tools.archive(makedumpfile.command("forky"), folder / "tool.tar")
    disk = folder / "disk"
    guest = Guest("dumps-crash", f"memhp_default_state=online_movable {dump.RESERVED}", config="dump",
                  modules=["filled_pages"],
                  args=[*dump.crash_disks(image("dump"), X86, tool), *dump.disk(disk, room="2G"),
                        "-device", "virtio-balloon-pci,id=b0"])
    memory = guest.fresh()
    pages = take_offline(memory)
    dump.arm(memory.vm)     # with memory as it is now
    dump.crash(memory.vm, timeout=600)
    guest.reported = memory.vm.splats()     # the panic
    memory.vm.run("mkdir /tmp/tool && tar -xf /dev/vdc -C /tmp/tool", timeout=120)
    yield memory.vm, disk, pages
    guest.stop()


def save(crashed, level):
    """Have makedumpfile in the second kernel write a dump: (Report, path of the dump)."""
    vm, disk, _ = crashed
    said = vm.run(f"{tools.IN_GUEST}makedumpfile -F -c {' '.join(makedumpfile.VERBOSE)} -d {level} "
                  "/proc/vmcore >/dev/vdd && sync", timeout=900)
    target = disk.with_name(f"crash-{level}")
    dumpfile.unflatten(disk, target)
    return makedumpfile.Report(said), target


@pytest.mark.parametrize("level", [makedumpfile.ZERO, makedumpfile.EVERYTHING])
def test_crash_dump(crashed, level):
    """Without plain offline pages of any kind, of which none is missing in /proc/vmcore."""
    pages = crashed[2]
    report, target = save(crashed, level)
    with DumpFile(target) as found:
        assert not [pfn for pfn in pages.plain if pfn not in found.exist]
        check_plain(report, found, pages)
        assert len(with_text(found, pages.balloon, IN_BALLOON)) == (0 if TREE == "stock" else PAGES)
    if level == makedumpfile.EVERYTHING and TREE != "stock":
        check_second_pass(target, pages)
