"""The flows that ./run bench counts: what each guest is, and what happens in it."""

from dataclasses import dataclass, field

from lab.bench_count import Counter
from lab.errors import LabError
from lab.memory import MIB, Memory
from lab.paths import BUILD
from lab.vm import VM, virtio_mem

TIMES = 3
BLOCK = 128 * MIB
STATE = "/sys/devices/system/memory/memory{}/state"


@dataclass
class Setup:
    """A guest, and the function that runs its flows: a generator of (name of the flow, Counts)."""

    name: str
    flows: callable
    memory: str = "512M"
    append: str = ""
    args: list = field(default_factory=list)
    maxmem: str = "4G"


class BenchGuest:
    """A booted guest in which something can be counted."""

    def __init__(self, setup, tree, image, symbols):
        name = f"bench-{setup.name}-{tree}"
        self._counter = Counter(BUILD / "bench" / f"{name}.counts", symbols)
        self.vm = VM(name, image, memory=setup.memory, maxmem=setup.maxmem, slots=4, smp=1,
                     append=f"rdinit=/bin/bench {setup.append}", accelerator="tcg", timeout=900,
                     args=[*setup.args, *self._counter.arguments])

    def __enter__(self):
        self.vm.__enter__()
        return self

    def __exit__(self, *error):
        return self.vm.__exit__(*error)

    def boot(self):
        """What the kernel has done until it started the first program."""
        (_, counts), *_ = self._counter.regions()
        return counts.kernel()

    def count(self, command):
        """What `bench COMMAND` needs between its marks."""
        self._counter.regions()
        self.vm.run(f"bench {command}", timeout=900)
        found = self._counter.regions()
        if len(found) != 1:
            raise LabError(f"bench {command}: counted {len(found)} times")
        return found[0][1]

    def set_state(self, block, state):
        return self.count(f"write {STATE.format(block)} {state}")


def blocks_of_virtio_mem(guest, online, zone):
    """Blocks that are free, partly plugged, or almost empty, going offline and coming back."""
    memory = Memory(guest.vm)
    full = 6 if zone == "ZONE_NORMAL" else 3

    def cycles(name):
        # What was plugged last is what was allocated from least.
        block = max(memory.block_states())
        for _ in range(TIMES):
            yield f"offline, {name}, {zone}", guest.set_state(block, "offline")
            yield f"online, {name}, {zone}", guest.set_state(block, online)

    memory.resize(full * BLOCK, timeout=900)
    yield from cycles("free block")
    memory.resize(full * BLOCK + 64 * MIB, timeout=900)
    yield from cycles("half plugged block")
    memory.resize(full * BLOCK + 2 * MIB, timeout=900)
    yield from cycles("block with 126 of 128 MiB skippable")


def movable_blocks(guest):
    yield from blocks_of_virtio_mem(guest, "online_movable", "ZONE_MOVABLE")


def normal_blocks(guest):
    yield from blocks_of_virtio_mem(guest, "online_kernel", "ZONE_NORMAL")


HIDDEN = 0x30000000     # where RAM is that the kernel has not been told of


def probed_blocks(guest):
    """Memory that the writer of the file `probe` adds and onlines."""
    for number in range(TIMES):
        yield "hot-add and online, generic", guest.count(
            f"write /sys/devices/system/memory/probe {HIDDEN + number * BLOCK:#x}")


def boots(guest):
    yield "boot", guest.boot()


SETUPS = [
    Setup("movable", movable_blocks, append="memhp_default_state=online_movable",
          args=virtio_mem("vmem0", "1G")),
    Setup("normal", normal_blocks, append="memhp_default_state=online_kernel",
          args=virtio_mem("vmem0", "1G")),
    Setup("probe", probed_blocks, memory="1536M",
          append=f"memhp_default_state=online_movable memmap=512M%{HIDDEN:#x}-1"),
    *[Setup(f"boot{number}", boots) for number in range(TIMES)],
]
