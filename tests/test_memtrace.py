"""
memtrace of powernv: memory that is taken offline to let hardware write traces to it. After each step,
its pages are offline, without a reference, and MemTotal is less by their size.
"""

import pytest
from lab import faults
from lab.arch import POWERNV
from powerpc import MIB, MMUS, PAGE, Machine

pytestmark = pytest.mark.part("powerpc")

MEMTRACE = "/sys/kernel/debug/powerpc/memtrace"
TRACE = f"{MEMTRACE}/00000000/trace"
BLOCK_MIB = 64

@pytest.fixture(scope="module", params=MMUS)
def machine(request):
    with Machine(f"memtrace-{request.param}", POWERNV, MMUS[request.param], memory="1280M",
                 smp=1) as vm:
        faults.allow_any(vm)
        yield vm


@pytest.fixture
def vm(machine):
    """Without trace memory, before and after."""
    yield machine
    machine.run("for pid in $(pidof tracemap memtest); do kill -9 $pid; done; "
                "rm -f /tmp/memtest.state")
    enable(machine, 0)
    new = machine.new_splats()
    assert not new, "\n".join(new)


def enable(vm, size):
    """Returns the error, or ''."""
    code, output = vm.call(f"echo {size:#x} >{MEMTRACE}/enable", timeout=300)
    return output.strip().rpartition(": ")[2] if code else ""


def enabled(vm):
    return vm.number(f"cat {MEMTRACE}/enable")


def fail_once(vm, size, nth):
    """Enable, while the nth allocation fails. Returns the error, or '0', and if there is an nth one."""
    return faults.fail_nth(vm, f"{MEMTRACE}/enable", f"{size:#x}", nth)


def mapped(vm):
    """Bytes of the linear mapping."""
    return vm.number("awk '/^DirectMap/ { sum += $2 } END { print sum }' /proc/meminfo") << 10


def look(vm, size):
    """Expect that much trace memory, in one piece. Returns the blocks that have it."""
    assert enabled(vm) == size
    blocks = vm.look(offline=size)
    if size:
        assert vm.number(f"cat {MEMTRACE}/00000000/size") == size
        first = vm.number(f"cat {MEMTRACE}/00000000/start") // PAGE
        last = first + size // PAGE - 1
        if not size & (size - 1):
            assert first * PAGE % size == 0, "not aligned to its size"
    inside = [block for block in blocks if block["offline"]]
    for block in inside:
        assert block["offline"] == block["pages"] == BLOCK_MIB * MIB // PAGE
        assert first <= block["start_pfn"] <= last
    return inside


@pytest.mark.parametrize("mib", [64, 128, 192, 256])
def test_allocate_and_free(vm, mib):
    assert enable(vm, mib * MIB) == ""
    assert len(look(vm, mib * MIB)) == mib // BLOCK_MIB
    assert enable(vm, 0) == ""
    look(vm, 0)


def test_no_reference(vm):
    """And what hardware uses is not memory that there is."""
    assert enable(vm, 64 * MIB) == ""
    block, = look(vm, 64 * MIB)
    assert block["refcounted"] == 0
    assert vm.taken() == 64 * MIB


@pytest.mark.parametrize("size", [1, PAGE, 32 * MIB, 65 * MIB, 96 * MIB, 64 * MIB + PAGE])
def test_unaligned_size_is_refused(vm, size):
    assert enable(vm, size) == "Invalid argument"
    look(vm, 0)
    assert enable(vm, 64 * MIB) == ""
    assert enable(vm, size) == "Invalid argument"
    look(vm, 64 * MIB)


def test_too_large_a_size_is_refused(vm):
    """Whoever asked has to know; what was there before has been freed."""
    assert enable(vm, 1024 * MIB) == "Cannot allocate memory"
    look(vm, 0)
    assert enable(vm, 64 * MIB) == ""
    assert enable(vm, 1 << 60) == "Cannot allocate memory"
    look(vm, 0)


def test_read_and_mmap(vm):
    """It is zero at first, whatever was there, and two mappings and read() see the same."""
    for _ in range(2):
        assert enable(vm, 128 * MIB) == ""
        vm.run(f"tracemap zero {TRACE} {128 * MIB}", timeout=300)
        vm.run(f"tracemap fill {TRACE} {128 * MIB}", timeout=300)
        look(vm, 128 * MIB)
        assert enable(vm, 0) == ""


def test_block_does_not_go_offline(vm):
    assert enable(vm, 64 * MIB) == ""
    block, = look(vm, 64 * MIB)
    assert vm.offline(block["block"]) == "Device or resource busy"
    look(vm, 64 * MIB)
    vm.run(f"tracemap fill {TRACE} {64 * MIB}", timeout=300)

    assert enable(vm, 0) == ""
    assert vm.offline(block["block"]) == ""
    vm.online(block["block"])
    look(vm, 0)


def test_grow_and_shrink(vm):
    for mib in (64, 128, 256, 128, 64):
        assert enable(vm, mib * MIB) == ""
        look(vm, mib * MIB)
        vm.run(f"tracemap fill {TRACE} {mib * MIB}", timeout=300)


def test_freed_memory_is_good(vm):
    assert enable(vm, 256 * MIB) == ""
    vm.run(f"tracemap fill {TRACE} {256 * MIB}", timeout=300)
    assert enable(vm, 0) == ""
    vm.touch_all()
    look(vm, 0)


@pytest.mark.parametrize("how", ["open", "hold"])
def test_memory_in_use_is_kept(vm, how):
    """Who has the file open, or mapped, neither sees nor writes what others use."""
    assert enable(vm, 64 * MIB) == ""
    user = vm.start(f"tracemap {how} {TRACE} {64 * MIB}")
    assert vm._agent.wait(lambda: "ready" in user.output, 60)
    assert enable(vm, 0) == "Device or resource busy"
    assert enable(vm, 128 * MIB) == "Device or resource busy"
    look(vm, 64 * MIB)
    user.kill()
    user.wait()
    assert enable(vm, 0) == ""
    look(vm, 0)


def test_read_after_disabling(vm):
    """A file that is still open is no way to memory that was freed: it is kept."""
    assert enable(vm, 64 * MIB) == ""
    _, output = vm.call(f"exec 3<{TRACE}; echo 0 >{MEMTRACE}/enable; "
                        "dd bs=64k count=1 <&3 2>/dev/null | wc -c")
    assert "Device or resource busy" in output and output.split()[-1] == "65536"
    assert enable(vm, 0) == ""
    look(vm, 0)


def test_each_allocation_fails_once_on_enabling(vm):
    """Either there is trace memory then, be it without a file, or none of it is lost."""
    errors, more = [], True
    while more:
        assert enable(vm, 0) == ""
        error, more = fail_once(vm, 64 * MIB, len(errors) + 1)
        size = 64 * MIB if error == "0" else 0
        assert enabled(vm) == size
        vm.look(offline=size)
        errors.append(error)
    assert errors[-1] == "0"
    assert "ENOMEM" in errors
    assert set(errors) <= {"0", "ENOMEM"}


def test_each_allocation_fails_once_on_freeing(vm):
    """
    Either the memory is free then, or all of it is as it was, without a mapping, but for the file.

    Radix needs page tables for the linear mapping: of 64K pages here, because the firmware of this
    machine does not tell it of others. For 192 MiB, these are 96, and 256 of them fit into one page:
    that page is allocated in the middle, in one round of three.
    """
    size = 192 * MIB
    everything = mapped(vm)
    failed = []
    for _ in range(8):
        nth, more = 1, True
        while more:
            assert enable(vm, size) == ""
            assert mapped(vm) == everything - size
            error, more = fail_once(vm, 0, nth)
            if error != "0":
                file_is_gone, _ = vm.call(f"test -e {TRACE}")
                failed.append((error, mapped(vm) - everything + size, bool(file_is_gone)))
            assert enable(vm, 0) == ""
            assert mapped(vm) == everything
            nth += 1
    radix = "disable_radix" not in vm.run("cat /proc/cmdline")
    assert set(failed) == ({("EAGAIN", 0, True)} if radix else set())
    look(vm, 0)
