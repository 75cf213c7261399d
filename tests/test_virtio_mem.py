"""
The device in sub-block mode, in both zones: after each step no offline page has a reference count,
pagestate and debugfs agree, and Linux and the device count the same (conftest.check).
"""

import time

import pytest
from conftest import MIB, Guest, check, elsewhere
from lab.memory import PAGE

BLOCK_MIB = 128
BLOCK_PAGES = 32768
SUBBLOCK_PAGES = 512


@pytest.fixture(scope="module", params=["movable", "kernel",
                                        *elsewhere("movable", "kernel")])
def guest(request):
    guest = zone_guest("virtio-mem", request.param)
    yield guest
    guest.stop()


# For what depends on the zone.
MOVABLE = pytest.mark.parametrize("guest", ["movable", *elsewhere("movable")], indirect=True)


# Where a page is looked for by filling up the zone. On s390, slabs get into the block before that: most of
# the boot memory is of another zone, which takes none of them.
WITHOUT_FILLING_NORMAL_ON_S390 = pytest.mark.parametrize("guest", ["movable", "kernel", *(
    each for each in elsewhere("movable", "kernel") if each.values != ("s390-kernel",))], indirect=True)


def zone_guest(name, param):
    """
    Some of the boot memory is where the device's is, in ZONE_NORMAL: the kernel takes its own pages
    there first, and the device's memory can be unplugged. On x86 that is above 4 GiB, which QEMU is
    told to put half of it; on s390 above 2 GiB; on arm64, all of it is in that zone.
    """
    config, _, zone = param.rpartition("-")
    machine = {"": {"args": ["-machine", "max-ram-below-4g=512M"]}, "s390": {"memory": "3G"}}
    guest = Guest(f"{name}-{param}", f"memhp_default_state=online_{zone}", config=config or "debug",
                  **machine.get(config, {}))
    guest.zone = zone
    return guest


def unplugged(mib):
    """Pages of the memory blocks that a device of this size needs, which it does not have."""
    return -mib % BLOCK_MIB * 256


def last_block(memory):
    return max(memory.block_states())


@pytest.mark.parametrize("mib", [2, 126, 130, 448])
def test_odd_size(memory, mib):
    memory.resize(mib * MIB)
    check(memory, offline=unplugged(mib), skippable=unplugged(mib), never_onlined=unplugged(mib))
    assert len(memory.block_states()) == -(-mib // BLOCK_MIB)


def test_size_of_whole_blocks_leaves_nothing_offline(memory):
    memory.resize(256 * MIB)
    check(memory, offline=0)


def test_shrink_and_grow(memory):
    """Pages that come out of the buddy are not "never onlined"; they go back like the others."""
    memory.resize(448 * MIB)
    never = unplugged(448)
    check(memory, offline=never, never_onlined=never)
    memory.resize(446 * MIB)
    check(memory, offline=never + SUBBLOCK_PAGES, never_onlined=never)
    # in one request: a subblock that was in the buddy, and its neighbours that never were
    memory.resize(464 * MIB)
    never = unplugged(464)
    check(memory, offline=never, never_onlined=never)
    memory.resize(512 * MIB)
    check(memory, offline=0, never_onlined=0)
    memory.resize(386 * MIB)
    check(memory, offline=unplugged(386), never_onlined=0)
    memory.resize(512 * MIB)
    check(memory, offline=0, never_onlined=0)


def test_everything_given_back(guest, memory):
    """In the kernel zone the kernel may hold a page of a subblock, which the device then keeps."""
    for mib in (448, 130, 300):
        memory.resize(mib * MIB)
        check(memory, offline=unplugged(mib))
    limit = {"movable": 0, "kernel": 8}[guest.zone]
    memory.request(0)
    wait_for(lambda: memory.info()["size"] <= limit * MIB)
    kept = memory.info()["size"]
    memory.poke(kept)
    check(memory)
    assert memory.memtotal() == memory.base + kept
    assert kept or not memory.block_states()


def test_partial_block_offline_and_online(guest, memory):
    """The pages that the device lacks are skipped, and still lacking afterwards."""
    memory.resize(448 * MIB)
    memory.resize(440 * MIB)
    offline = unplugged(440)
    check(memory, offline=offline, never_onlined=unplugged(448))
    block = last_block(memory)
    for _ in range(2):
        assert memory.hotplug("offline", block) == "ok"
        check(memory, offline=0)
        assert memory.hotplug(f"online_{guest.zone}", block) == "ok"
        # onlining makes the memmap anew
        check(memory, offline=offline, never_onlined=offline)
    memory.resize(512 * MIB)
    check(memory, offline=0)


def test_partial_block_moves_to_the_other_zone(guest, memory):
    memory.resize(448 * MIB)
    block = last_block(memory)
    other = {"movable": "kernel", "kernel": "movable"}[guest.zone]
    assert memory.hotplug("offline", block) == "ok"
    assert memory.hotplug(f"online_{other}", block) == "ok"
    state = check(memory, offline=unplugged(448))
    assert state.block(block)["zone"] == {"movable": "Movable", "kernel": "Normal"}[other]
    memory.resize(440 * MIB)
    check(memory, offline=unplugged(440), never_onlined=unplugged(448))
    memory.resize(500 * MIB)
    check(memory, offline=unplugged(500))


def test_resize_while_the_partial_block_is_offline(guest, memory):
    """The driver plugs and unplugs in an offline block without touching its pages."""
    memory.resize(448 * MIB)
    block = last_block(memory)
    assert memory.hotplug("offline", block) == "ok"
    for mib in (480, 400):
        memory.hidden[block] = (mib - 384) * MIB
        memory.resize(mib * MIB)
        check(memory, offline=0)
    assert memory.hotplug(f"online_{guest.zone}", block) == "ok"
    check(memory, offline=unplugged(400), never_onlined=unplugged(400))

    assert memory.hotplug("offline", block) == "ok"
    memory.hidden = {}
    memory.resize(384 * MIB)
    wait_for(lambda: block not in memory.block_states())
    check(memory, offline=0)


@WITHOUT_FILLING_NORMAL_ON_S390
def test_interrupted_offlining(guest, memory):
    """A pinned page keeps the block from going; the offline pages stay what they were."""
    memory.resize(64 * MIB)
    memory.resize(56 * MIB)
    block = last_block(memory)
    check(memory, offline=unplugged(56), never_onlined=unplugged(64))
    pin = pin_page(memory, block)
    assert memory.hotplug("offline", block, seconds=3) == "EINTR"
    state = check(memory, offline=unplugged(56), never_onlined=unplugged(64))
    assert state.block(block)["state"] == "online"
    memory.vm.run(f"kill {pin}")
    assert memory.hotplug("offline", block) == "ok"
    assert memory.hotplug(f"online_{guest.zone}", block) == "ok"
    check(memory, offline=unplugged(56))


def test_refused_offlining(guest, memory):
    """Somebody else's notifier says no; afterwards all is as if nobody had asked."""
    memory.resize(448 * MIB)
    block = last_block(memory)
    with notifier_error(memory, "MEM_GOING_OFFLINE"):
        assert memory.hotplug("offline", block) == "EBUSY"
        check(memory, offline=unplugged(448), never_onlined=unplugged(448))
        # the driver's lock and its blocks are free again
        memory.resize(456 * MIB)
        memory.resize(440 * MIB)
        check(memory, offline=unplugged(440), never_onlined=unplugged(456))
    assert memory.hotplug("offline", block) == "ok"
    check(memory, offline=0)
    assert memory.hotplug(f"online_{guest.zone}", block) == "ok"
    check(memory, offline=unplugged(440), never_onlined=unplugged(440))
    memory.resize(512 * MIB)
    check(memory, offline=0)


@MOVABLE        # in ZONE_NORMAL, the kernel may keep a page of what is plugged, and the block for that
def test_refused_removal(memory):
    """A block that is wholly unplugged may not go offline: it is plugged again, or goes later."""
    memory.resize(384 * MIB)
    block = last_block(memory)
    with notifier_error(memory, "MEM_GOING_OFFLINE"):
        for mib in (256, 300, 256):
            memory.resize(mib * MIB)
            state = check(memory, offline=(384 - mib) * 256, never_onlined=0)
            assert state.block(block)["state"] == "online"
    # The driver waits 50 s and more before it tries again by itself; with each request, it tries first.
    memory.request(254 * MIB)
    wait_for(lambda: block not in memory.block_states())
    memory.resize(256 * MIB)
    check(memory, offline=0)


def test_refused_onlining(guest, memory):
    memory.resize(448 * MIB)
    block = last_block(memory)
    assert memory.hotplug("offline", block) == "ok"
    with notifier_error(memory, "MEM_GOING_ONLINE"):
        assert memory.hotplug(f"online_{guest.zone}", block) == "EBUSY"
    check(memory, offline=0)
    assert memory.hotplug(f"online_{guest.zone}", block) == "ok"
    check(memory, offline=unplugged(448), never_onlined=unplugged(448))


@MOVABLE
def test_busy_subblock_stays(memory):
    """A block where all is unplugged but the subblock with the pinned page."""
    memory.resize(192 * MIB)
    pin = pin_page(memory, last_block(memory))
    memory.request(0)
    wait_for(lambda: memory.info()["size"] == 2 * MIB and memory.memtotal() == memory.base + 2 * MIB
             and len(memory.block_states()) == 1)
    check(memory, offline=unplugged(2), never_onlined=unplugged(192))
    memory.vm.run(f"kill {pin}")
    memory.poke(0)
    assert memory.memtotal() == memory.base


def test_under_load(guest, memory):
    """Growing, shrinking, offlining and onlining while a workload checks its data."""
    memory.resize(512 * MIB)
    memory.vm.run("memtest start 320 --procs=2", timeout=120)
    # what a full ZONE_NORMAL can give back is not for us to say
    sizes = (442, 570, 330, 512) if guest.zone == "movable" else (510, 570)
    for mib in sizes:
        memory.resize(mib * MIB)
        state = check(memory, offline=unplugged(mib))
        memory.vm.run("memtest status")
        if guest.zone == "kernel":
            continue
        for block in state.partial_blocks():
            assert memory.hotplug("offline", block["block"]) == "ok"
            check(memory)
            assert memory.hotplug(f"online_{guest.zone}", block["block"]) == "ok"
            check(memory, offline=unplugged(mib))
    memory.vm.run("memtest stop", timeout=120)


def test_no_refcount_in_between(memory):
    """Also while pages come and go; what is seen there holds still for a moment at least."""
    with Sampler(memory) as sampler:
        for mib in (448, 130, 448, 386):
            seen = len(sampler.ranges)
            memory.resize(mib * MIB)
            wait_for(lambda: len(sampler.ranges) > seen)
    assert not sampler.refcounted


def test_all_memory_is_read_meanwhile(guest, memory):
    """
    Its content and its state, by whoever may, while memory comes, goes and moves. Of the content,
    only that of the device.
    """
    memory.resize(448 * MIB)
    with Readers(memory.vm, kcore=f"readmem {memory.start // PAGE}",
                 kpageflags="cat /proc/kpageflags",
                 pagetypeinfo="cat /proc/pagetypeinfo") as readers:
        for mib in (386, 464):
            memory.resize(mib * MIB)
            block = last_block(memory)
            for action in ("offline", f"online_{guest.zone}"):
                assert memory.vm.run(f"hotplug {action} {block}", timeout=120).startswith("ok")
        wait_for(lambda: min(readers.counts()) >= 2, timeout=400)
    check(memory, offline=unplugged(464), never_onlined=unplugged(464))


@MOVABLE
def test_block_goes_while_its_file_is_read(guest, memory):
    """Lockdep must have no objection: its warning would be found in the guest's log."""
    memory.resize(384 * MIB)
    first, *_, last = sorted(memory.block_states())
    assert memory.hotplug("offline", first) == "ok"
    assert memory.hotplug(f"online_{guest.zone}", first) == "ok"
    readers = [memory.vm.start(f"while :; do read state </sys/devices/system/memory/memory{last}"
                               "/state; done 2>/dev/null") for _ in range(3)]
    for _ in range(8):
        memory.resize(256 * MIB)
        wait_for(lambda: last not in memory.block_states())     # its pages went before
        memory.resize(384 * MIB)
    for reader in readers:
        reader.kill()
    check(memory, offline=0)


@pytest.mark.part("torture")
def test_resizing_against_hotplugging(guest, memory):
    """Two minutes of both at once; in the end all has to add up."""
    memory.resize(448 * MIB)
    memory.vm.run("memtest start 250 --procs=2", timeout=120)
    first = min(memory.block_states())
    hotplugger = memory.vm.start(
        f"while :; do for n in $(seq {first} {first + 5}); do "
        f"hotplug offline $n 5; hotplug online_{guest.zone} $n 5; done; done")
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for mib in (448, 386, 702, 450):
            memory.request(mib * MIB)
            time.sleep(2)
            memory.vm.run("memtest status")
    hotplugger.kill()
    hotplugger.wait(120)
    for block, state in memory.block_states().items():
        if state == "offline":
            assert memory.hotplug(f"online_{guest.zone}", block) == "ok"
    memory.hidden = {}
    memory.poke(702 * MIB)
    check(memory, offline=unplugged(702))
    memory.vm.run("memtest stop", timeout=120)


class Sampler:
    """Looks at all ranges of offline pages again and again; the last two columns are refcounts."""

    def __init__(self, memory):
        self.vm = memory.vm

    def __enter__(self):
        self.job = self.vm.start(
            "while :; do if [ -e /sys/kernel/debug/offline_pages ]; "
            "then cat /sys/kernel/debug/offline_pages; else pagestate --ranges; fi; done")
        return self

    def __exit__(self, *_):
        self.job.kill()
        self.job.wait()

    @property
    def ranges(self):
        """The last line may be cut off."""
        return [line.split() for line in self.job.output.splitlines()[:-1] if line[:2] == "0x"]

    @property
    def refcounted(self):
        return [line for line in self.ranges if line[-2:] != ["0", "0"]]


class Readers:
    """Commands that read something, again and again until the first that fails."""

    def __init__(self, vm, **commands):
        self.vm, self.commands = vm, commands

    def __enter__(self):
        self.jobs = [self.vm.start(f"while {command} > /dev/null; do echo one more; done")
                     for command in self.commands.values()]
        return self

    def counts(self):
        """How often each has been through."""
        for name, job in zip(self.commands, self.jobs):
            assert not job.finished, f"{name}: {job.output.splitlines()[-1]}"
        return [job.output.count("one more") for job in self.jobs]

    def __exit__(self, *_):
        for job in self.jobs:
            job.kill()
            job.wait()


def pin_page(memory, block):
    """Returns the pid to kill."""
    # Where all memory is in one zone, the block may be the last that is allocated from.
    output = memory.vm.run("free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo); "
                           f"pin {block * BLOCK_PAGES} {BLOCK_PAGES} $((free - 16))", timeout=120)
    return output.split("pid=")[1].strip()


class notifier_error:
    """CONFIG_MEMORY_NOTIFIER_ERROR_INJECT: the action is refused with -EBUSY."""

    def __init__(self, memory, action):
        self.vm = memory.vm
        self.file = f"/sys/kernel/debug/notifier-error-inject/memory/actions/{action}/error"

    def __enter__(self):
        self.vm.run(f"echo -16 > {self.file}")

    def __exit__(self, *_):
        self.vm.run(f"echo 0 > {self.file}")


def wait_for(condition, timeout=180):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"did not come within {timeout} s"
        time.sleep(0.1)
