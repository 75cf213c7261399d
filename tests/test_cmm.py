"""
The CMM of pseries, collaborative memory management, in its simulation: its pages are a balloon's, movable
and offline, with one reference. After each step, CMM, nr_balloon_pages, struct page, /proc/kpageflags
and debugfs agree, and MemTotal is less by what is loaned.
"""

import time

import pytest
from conftest import TREE
from lab.arch import PSERIES
from powerpc import MIB, MMUS, PAGE, Machine

pytestmark = pytest.mark.part("powerpc")

CMM = "/sys/devices/system/cmm/cmm0"
PARAMETERS = "/sys/module/cmm/parameters"
NOTIFIERS = "/sys/kernel/debug/notifier-error-inject/memory/actions"
BLOCK_PAGES = 256 * MIB // PAGE
OOM_MIB = 1     # cmm.oom_kb
# What struct page says of a loaned page.
LOANED = "offline" if TREE == "stock" else "movable_offline"


def boot(name, mmu, memory, append=""):
    # 256 MiB blocks, because memory may be added; a notifier that is asked before CMM's.
    return Machine(f"{name}-{mmu}", PSERIES, memory=memory, slots=4, maxmem="8G", append=(
        f"{MMUS[mmu]} cmm.simulate=1 memory_notifier_error_inject.priority=2 {append}"))


@pytest.fixture(scope="module", params=MMUS)
def machine(request):
    with boot("cmm", request.param, "2G") as vm:
        vm.run("mount -o remount,size=95% /tmp")
        yield vm


@pytest.fixture(params=MMUS)
def half_movable(request):
    """A guest of its own, with half of its blocks without pages that the kernel has for itself."""
    with boot("cmm-movable", request.param, "3G", "movablecore=1536M") as vm:
        vm.run("mount -o remount,size=95% /tmp")
        yield vm


@pytest.fixture
def vm(machine):
    """With an empty balloon, before and after."""
    yield machine
    for action in ("GOING_OFFLINE", "GOING_ONLINE"):
        machine.run(f"echo 0 >{NOTIFIERS}/MEM_{action}/error")
    machine.run("for pid in $(pidof memtest); do kill -9 $pid; done; "
                "rm -f /tmp/memtest.state /tmp/fill*")
    machine.run(f"echo 0 >{PARAMETERS}/disable; echo 0 >{CMM}/oom_freed_kb")
    machine.run("for state in /sys/devices/system/memory/memory*/state; do "
                "grep -q offline $state && echo online >$state; done; true", timeout=300)
    resize(machine, 0)
    new = machine.new_splats()
    assert not new, "\n".join(new)


def loaned(vm):
    return vm.number(f"cat {CMM}/loaned_kb") << 10


def request(vm, size):
    vm.run(f"echo {size >> 10} >{CMM}/simulate_loan_target_kb")


def wait(vm, size, timeout=120):
    """CMM looks once a second, and rests for 5 s after memory went offline."""
    end = time.monotonic() + timeout
    while loaned(vm) != size:
        assert time.monotonic() < end, f"{loaned(vm)} bytes are loaned, not {size}"
        time.sleep(0.5)


def resize(vm, size):
    request(vm, size)
    wait(vm, size)


def look(vm, size, taken=None):
    """Expect that much to be loaned. Returns the memory blocks."""
    assert loaned(vm) == size
    vm.run("echo 1 >/proc/sys/vm/stat_refresh")
    assert vm.event("nr_balloon_pages") == size // PAGE
    return vm.look(movable=size, taken=taken)


@pytest.mark.parametrize("mib", [32, 128])
def test_inflate_and_deflate(vm, mib):
    for size in (mib * MIB, mib * MIB // 2, mib * MIB, 0):
        resize(vm, size)
        look(vm, size)


def test_loaned_pages_have_their_own_type(vm):
    """That of other offline pages says that there is no reference."""
    resize(vm, 32 * MIB)
    seen = [(block["offline"], block["movable_offline"]) for block in vm.state()["blocks"]]
    assert tuple(map(sum, zip(*seen))) == (0, 32 * MIB // PAGE)


def test_compaction_migrates_loaned_pages(vm):
    """
    Files and the balloon take turns in taking memory; when the files go, the balloon's pages are in
    the way of compaction.
    """
    for turn in range(1, 9):
        vm.run(f"for i in $(seq 60); do dd if=/dev/zero of=/tmp/fill{turn}.$i bs=64k count=16 "
               "2>/dev/null; done", timeout=120)
        resize(vm, 16 * turn * MIB)
    vm.run("rm /tmp/fill*")
    before = vm.event("balloon_migrate")
    vm.run("echo 1 >/proc/sys/vm/compact_memory", timeout=300)
    assert vm.event("balloon_migrate") > before
    look(vm, 128 * MIB)


def spread(vm, size, file_mib=8):
    """Inflate with pages in nearly each block: files have most of the memory meanwhile, with holes."""
    kib = vm.number("awk '/^MemAvailable:/ { print $2 }' /proc/meminfo")
    files = range((kib >> 10) // file_mib - 16)
    vm.run(f"for i in $(seq 0 {files[-1]}); do "
           f"dd if=/dev/zero of=/tmp/fill$i bs=1M count={file_mib} 2>/dev/null; done", timeout=600)
    holes = files[::len(files) // (size // (file_mib * MIB) + 1)]
    vm.run("rm " + " ".join(f"/tmp/fill{file}" for file in holes))
    resize(vm, size)
    vm.run("rm -f /tmp/fill*")


def test_blocks_with_loaned_pages_go_offline(half_movable):
    """Exactly the balloon pages that are in the block migrate, and the balloon stays as large."""
    vm = half_movable
    spread(vm, 128 * MIB)
    gone = 0
    while gone < 3:
        blocks = [block for block in look(vm, 128 * MIB, gone * 256 * MIB + 128 * MIB)
                  if block["state"] == "online" and block[LOANED]]
        for block in sorted(blocks, key=lambda block: -block[LOANED]):
            before = vm.event("balloon_migrate")
            if vm.offline(block["block"]) == "":
                break
        else:
            raise AssertionError("no block goes offline")
        gone += 1
        assert vm.event("balloon_migrate") - before == block[LOANED]
        look(vm, 128 * MIB, gone * 256 * MIB + 128 * MIB)
    for block in vm.state()["blocks"]:
        if block["state"] == "offline":
            vm.online(block["block"])
    look(vm, 128 * MIB)
    resize(vm, 160 * MIB)
    look(vm, 160 * MIB)


def victim(vm):
    """A process that the OOM killer likes most; its end shows that it was there."""
    job = vm.start("echo 1000 >/proc/self/oom_score_adj; exec sleep 1000")
    vm.run("while ! pidof sleep >/dev/null; do :; done")
    return job


@pytest.mark.parametrize("kib", [0, 64, 512, 1024, 131072])
def test_out_of_memory(vm, kib):
    """CMM gives 1 MiB, or what it has, which may be nothing; and no page is lost."""
    resize(vm, kib << 10)
    job = victim(vm)
    vm.run("echo f >/proc/sysrq-trigger")
    given = min(kib, OOM_MIB << 10)
    rc, _ = job.wait(60)
    assert rc == 137
    assert vm.number(f"cat {CMM}/oom_freed_kb") == given
    wait(vm, (kib - given) << 10)
    look(vm, (kib - given) << 10)
    vm.run(f"echo 0 >{CMM}/oom_freed_kb")       # and CMM wants it again
    wait(vm, kib << 10)
    look(vm, kib << 10)


def test_workload_gets_its_memory(vm):
    """A process that needs more than there is takes it from the balloon, before anything is killed."""
    vm.run(f"echo {64 << 10} >{PARAMETERS}/oom_kb")
    kills = vm.event("oom_kill")
    available = vm.number("awk '/^MemAvailable:/ { print $2 }' /proc/meminfo") << 10
    resize(vm, 768 * MIB)
    workload = (available - 500 * MIB) // MIB
    vm.run(f"memtest start {workload} --procs=2", timeout=600)
    assert loaned(vm) < 768 * MIB
    vm.run("memtest stop", timeout=600)
    assert vm.event("oom_kill") == kills
    vm.run(f"echo {OOM_MIB << 10} >{PARAMETERS}/oom_kb")


def test_disable(vm):
    """All pages are back at once; CMM rests until it is enabled again."""
    resize(vm, 128 * MIB)
    vm.run(f"echo 1 >{PARAMETERS}/disable")
    look(vm, 0)
    time.sleep(3)
    look(vm, 0)
    vm.run(f"echo 0 >{PARAMETERS}/disable")
    wait(vm, 128 * MIB)
    look(vm, 128 * MIB)


def test_refused_offlining(vm):
    """A notifier that was asked before CMM's refuses: CMM has not locked anything yet."""
    resize(vm, 32 * MIB)
    vm.run(f"echo -16 >{NOTIFIERS}/MEM_GOING_OFFLINE/error")
    blocks = [block["block"] for block in look(vm, 32 * MIB)][2:]
    errors = [vm.offline(block) for block in blocks]
    assert "Device or resource busy" in errors and "" not in errors
    look(vm, 32 * MIB)
    vm.run(f"echo 0 >{NOTIFIERS}/MEM_GOING_OFFLINE/error")
    resize(vm, 64 * MIB)
    look(vm, 64 * MIB)
