"""
What fails in the middle: allocations, one by one, and the driver that goes while it is at work. Afterwards all
counts are exact, and the next operation works.
"""

import pytest
from conftest import BLOCK, MIB, TREE, Guest, check
from lab import faults, kernel
from lab.balloon import PAGE, Balloon
from lab.progress import say
from lab.symbols import Symbols
from test_virtio_mem import unplugged, wait_for

pytestmark = pytest.mark.part("faults")

STATE = "/sys/devices/system/memory/memory{}/state"
CONFIG = "faults"


@pytest.fixture(scope="module")
def guest(request):
    append, machine = getattr(request, "param", ("", {}))
    guest = Guest("faults", f"memhp_default_state=online_movable {append}", config=CONFIG, **machine,
                  args=["-device", "virtio-balloon-pci,id=b0"])
    yield guest
    guest.stop()


@pytest.fixture(scope="module")
def symbols():
    return Symbols(kernel.objects_of(TREE, CONFIG) / "System.map")


@pytest.fixture
def vm(memory):
    faults.allow_any(memory.vm)
    return memory.vm


@pytest.fixture
def balloon(memory):
    balloon = Balloon(memory)
    yield balloon
    balloon.resize(0)


def until_unused(attempt):
    """Fails the first allocation, the second, and so on; returns how many there are."""
    nth = 0
    while attempt(nth):
        nth += 1
        assert nth < 2000, "there is no end of it"
    say(f"{nth} allocations")
    assert nth, "there is nothing that could fail"
    return nth


@pytest.mark.parametrize("mib", [256, 192], ids=["whole", "partly plugged"])
@pytest.mark.parametrize("action", ["offline", "online_movable"])
def test_each_allocation_fails_once_in_hotplug(memory, vm, action, mib):
    """The state is the old one or the new one, and what the block has is counted only in the one."""
    memory.resize(mib * MIB)
    block = max(memory.block_states())
    offline = unplugged(mib)

    def attempt(nth):
        if action != "offline":
            assert memory.hotplug("offline", block) == "ok"
        before = vm.run(f"cat {STATE.format(block)}").strip()
        error, failed = faults.fail_nth(vm, STATE.format(block), action, nth + 1)
        after = vm.run(f"cat {STATE.format(block)}").strip()
        assert (after == before) == (error != "0")
        if after == "offline":
            assert memory.hotplug("online_movable", block) == "ok"
        memory.hidden = {}
        check(memory, offline=offline)
        return failed

    until_unused(attempt)


HIDDEN = 4 << 30        # where RAM is that the kernel has not been told of


@pytest.mark.parametrize("guest", [(f"memmap=4G%{HIDDEN:#x}-1", {"memory": "6G"})], indirect=True, ids=[""])
def test_each_allocation_fails_once_in_adding_memory(memory, vm):
    """What fails for lack of memory says so: a driver tries again then."""
    blocks = [HIDDEN + number * BLOCK for number in range(32)]

    def attempt(nth):
        error, failed = faults.fail_nth(vm, "/sys/devices/system/memory/probe", f"{blocks[0]:#x}", nth + 1)
        assert error in ("0", "ENOMEM"), error
        if error == "0":    # done without
            blocks.pop(0)
            assert blocks or not failed, "there is no block left to try with"
        return failed

    until_unused(attempt)


def resized(memory, symbols, size, spared):
    """Grow to a size and shrink again while the driver's allocation fails; False: there was none."""
    with faults.FailOnce(memory.vm, symbols, "virtio_mem_run_wq", spared) as fault:
        memory.request(size)
        wait_for(lambda: fault.failed() or memory.info()["size"] == size)
    memory.poke(size)
    check(memory, offline=unplugged(size // MIB))
    with faults.FailOnce(memory.vm, symbols, "virtio_mem_run_wq", spared) as other:
        memory.request(0)
        wait_for(lambda: other.failed() or memory.info()["size"] == 0)
    memory.poke(0)
    assert memory.memtotal() == memory.base and not memory.block_states()
    return fault.hit or other.hit


def test_pages_fail_in_resizing(memory, vm, symbols):
    """
    Of virtio-mem, in whole and partly plugged blocks. The first pages are tried one by one; later
    there are hundreds in a row for the memory map.
    """
    until_unused(lambda nth: resized(memory, symbols, 192 * MIB, nth ** 2))


def test_pages_fail_in_unplugging_used_memory(memory, vm, symbols):
    """What is in the way has to be copied to somewhere."""
    memory.resize(192 * MIB)
    vm.run("memtest start 300 --procs=1", timeout=300)

    def attempt(nth):
        memory.poke(192 * MIB)
        with faults.FailOnce(vm, symbols, "virtio_mem_run_wq", nth ** 2) as fault:
            memory.request(96 * MIB)
            wait_for(lambda: fault.failed() or memory.info()["size"] == 96 * MIB)
        memory.poke(96 * MIB)
        vm.run("memtest status")
        check(memory, offline=unplugged(96))
        return fault.hit and nth < 30

    until_unused(attempt)
    memory.poke(300 * MIB)
    assert vm.run("memtest stop", timeout=300).startswith("ok ")


def test_pages_fail_in_the_balloon(memory, vm, symbols, balloon):
    """Inflating ends early then, until the device asks again."""
    memory.resize(128 * MIB)

    def attempt(nth):
        with faults.FailOnce(vm, symbols, "update_balloon_size_func", nth * 100) as fault:
            balloon.request(8 * MIB)
            wait_for(lambda: fault.failed() or balloon.size() == 8 * MIB)
        balloon.request(9 * MIB)
        balloon.wait(9 * MIB)
        state = check(memory)
        assert not balloon.problems(state)
        balloon.resize(0)
        check(memory, offline=0)
        return fault.hit

    assert until_unused(attempt) > 10


def unbind(vm, driver):
    """Returns the device."""
    folder = f"/sys/bus/virtio/drivers/{driver}"
    device = vm.run(f"basename $(echo {folder}/virtio*)").strip()
    vm.run(f"echo {device} >{folder}/unbind", timeout=300)
    return device


@pytest.mark.parametrize("way", ["plugging", "unplugging"])
def test_virtio_mem_goes_meanwhile(guest, memory, vm, way):
    """It may leave memory behind, of which nothing is lost or counted twice."""
    before, after = (2 * MIB, 1900 * MIB) if way == "plugging" else (1900 * MIB, 700 * MIB)
    memory.resize(before)
    # Much of this has to be moved, which takes its time.
    vm.run(f"memtest start {300 if way == 'plugging' else 1200} --procs=1", timeout=300)
    memory.request(after)
    wait_for(lambda: memory.info()["size"] != before)
    guest.good = False
    unbind(vm, "virtio_mem")
    left = memory.info()["size"]
    assert min(before, after) < left < max(before, after), "it was done before it went"
    state = memory.state()
    assert memory.growth() == (state.total("pages", state.online_blocks) - state.offline) * PAGE
    assert not state.refcounted
    assert vm.run("memtest stop", timeout=300).startswith("ok ")


@pytest.mark.parametrize("way", ["inflating", "deflating"])
def test_balloon_goes_meanwhile(memory, vm, balloon, way):
    """It gives everything back, and comes again."""
    memory.resize(512 * MIB)
    if way == "deflating":
        balloon.resize(400 * MIB)
    balloon.request(400 * MIB if way == "inflating" else 0)
    wait_for(lambda: 0 < balloon.size() < 400 * MIB)
    device = unbind(vm, "virtio_balloon")
    wait_for(lambda: balloon.pages() == 0)
    memory.ballooned = 0
    check(memory, offline=0)
    balloon.request(8 * MIB)
    vm.run(f"echo {device} >/sys/bus/virtio/drivers/virtio_balloon/bind")
    balloon.wait(8 * MIB)
    assert not balloon.problems(check(memory))
