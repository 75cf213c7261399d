"""The flows that ./run bench counts: what each guest is, and what happens in it."""

from lab.balloon import Balloon
from lab.bench_guest import Setup
from lab.errors import LabError
from lab.memory import MIB, PAGE, Memory, memtotal
from lab.vm import virtio_mem

TIMES = 3
BLOCK = 128 * MIB
PAGES = BLOCK // PAGE
STRUCT_PAGE = 64


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


def blocks_of_data(guest, online, zone):
    """
    Two blocks, the second of which is plugged once the first is full of a program's memory: that
    memory goes to and fro.
    """
    memory = Memory(guest.vm)
    full = 4 if zone == "ZONE_NORMAL" else 1
    memory.resize(full * BLOCK, timeout=900)
    guest.vm.run(f"memtest start {full * 128 - 12} --procs=1 --hold --thp=off", timeout=900)
    first = max(memory.block_states())
    memory.resize((full + 1) * BLOCK, timeout=900)
    for number in range(TIMES):
        block = (first, max(memory.block_states()))[number % 2]
        yield f"offline, block full of movable data, {zone}", guest.set_state(block, "offline")
        guest.set_state(block, online)
    guest.vm.run("memtest stop", timeout=900)


def movable_data(guest):
    yield from blocks_of_data(guest, "online_movable", "ZONE_MOVABLE")


def normal_data(guest):
    yield from blocks_of_data(guest, "online_kernel", "ZONE_NORMAL")


def requests(guest):
    """What virtio-mem does when the device asks it to, counted in its work item."""
    memory = Memory(guest.vm)
    guest.mark_work("virtio_mem_run_wq")

    def resized(blocks):
        size = int(blocks * BLOCK)
        return guest.counted_work(lambda: memory.request(size),
                                  lambda: memory.info()["size"] == size)

    resized(2)
    for _ in range(TIMES):
        yield "virtio-mem: plug a block", resized(3)
        yield "virtio-mem: unplug a free block", resized(2)
        yield "virtio-mem: plug half of a block", resized(2.5)
        yield "virtio-mem: plug the other half, never onlined", resized(3)
        yield "virtio-mem: unplug half of a free block", resized(2.5)
        yield "virtio-mem: plug that half again", resized(3)
        resized(2)
        yield "virtio-mem: plug 1 GiB", resized(10)
        yield "virtio-mem: unplug 1 GiB, free", resized(2)


def balloon(guest):
    """What virtio-balloon does when the device asks it to, counted in its work item."""
    device = Balloon(Memory(guest.vm))
    guest.mark_work("update_balloon_size_func")

    def resized(size):
        return guest.counted_work(lambda: device.request(size), lambda: device.size() == size)

    for _ in range(TIMES):
        yield "virtio-balloon: inflate by 128 MiB", resized(BLOCK)
        yield "virtio-balloon: deflate by 128 MiB", resized(0)


def ranges(guest):
    """Offline pages that a driver takes and gives back; and who meets one of them."""
    memory = Memory(guest.vm)
    memory.resize(3 * BLOCK, timeout=900)
    start = max(memory.block_states()) * PAGES
    guest.load("bench_ranges")

    def call(text):
        return guest.call("bench_ranges", text)

    for _ in range(TIMES):
        for pages, size in ((1, "4 KiB"), (512, "2 MiB"), (PAGES, "128 MiB")):
            yield f"take a range of {size} offline", call(f"take {start} {pages}")
            yield f"give a range of {size} back", call(f"give {start} {pages}")
        for order, size in ((0, "4 KiB"), (9, "2 MiB")):
            yield f"take any {size} offline", call(f"take-pages {order}")
            yield f"give any {size} back", call("give-pages")
        call(f"take {start + PAGES // 2} 1")
        yield ("contiguous allocation of 128 MiB that meets an offline page, ZONE_MOVABLE",
               call(f"contiguous {start} {PAGES}"))
        call(f"give {start + PAGES // 2} 1")


HIDDEN = 0x30000000     # where RAM is that the kernel has not been told of
HIDE = f"memhp_default_state=online_movable memmap=512M%{HIDDEN:#x}-1"


def probed_blocks(guest):
    """Memory that the writer of the file `probe` adds and onlines."""
    for number in range(TIMES):
        yield "hot-add and online, generic", guest.write(
            "/sys/devices/system/memory/probe", f"{HIDDEN + number * BLOCK:#x}")


def self_hosted_blocks(guest):
    """The same, with the struct pages of a block in the block: that much less of it is to be had."""
    guest.load("bench_ranges")
    for number in range(TIMES):
        before = memtotal(guest.vm)
        yield "hot-add and online, generic, memmap_on_memory", guest.call(
            "bench_ranges", f"hot-add {HIDDEN + number * BLOCK:#x} {BLOCK:#x}")
        gained = memtotal(guest.vm) - before
        if gained != BLOCK - PAGES * STRUCT_PAGE:
            raise LabError(f"a block of {BLOCK} bytes with its own memory map brought {gained}")


HYPERV_HIDDEN, HYPERV_SIZE = 0x20000000, TIMES * 2 * BLOCK


def hyperv(guest):
    """The balloon of Hyper-V, with a fake host."""
    guest.load("bench_hv_balloon", f"hotadd={HYPERV_HIDDEN:#x} hotadd_size={HYPERV_SIZE:#x}")

    def call(text):
        return guest.call("bench_hv_balloon", text)

    for number in range(TIMES):
        pfn = HYPERV_HIDDEN // PAGE + number * 2 * PAGES
        half = PAGES // 2
        yield ("Hyper-V: hot-add and online a backed block",
               call(f"hot-add {pfn} {PAGES} {pfn} {PAGES}"))
        pfn += PAGES
        yield ("Hyper-V: hot-add and online a block, half of it backed",
               call(f"hot-add {pfn} {half} {pfn} {PAGES}"))
        yield ("Hyper-V: online the other half when it is backed",
               call(f"hot-add {pfn + half} {half} {pfn} {PAGES}"))
        yield "Hyper-V: inflate by 128 MiB", call(f"inflate {PAGES}")
        yield "Hyper-V: deflate by 128 MiB", call("deflate")


def boots(guest):
    yield "boot", guest.boot()


MOVABLE = "memhp_default_state=online_movable"
NORMAL = "memhp_default_state=online_kernel"

SETUPS = [
    Setup("movable", movable_blocks, append=MOVABLE, args=virtio_mem("vmem0", "1G")),
    Setup("normal", normal_blocks, append=NORMAL, args=virtio_mem("vmem0", "1G")),
    Setup("data-movable", movable_data, append=MOVABLE, args=virtio_mem("vmem0", "1G")),
    Setup("data-normal", normal_data, append=NORMAL, args=virtio_mem("vmem0", "1G")),
    Setup("probe", probed_blocks, memory="1536M", append=HIDE),
    Setup("memmap", self_hosted_blocks, memory="1536M", modules=("bench_ranges",),
          append=f"{HIDE} memory_hotplug.memmap_on_memory=1"),
    Setup("requests", requests, append=MOVABLE, args=virtio_mem("vmem0", "2G"),
          modules=("bench_workers",)),
    Setup("ranges", ranges, append=MOVABLE, args=virtio_mem("vmem0", "1G"),
          modules=("bench_ranges",)),
    Setup("balloon", balloon, args=["-device", "virtio-balloon-pci,id=b0",
                                    *virtio_mem("vmem0", "1G")], modules=("bench_workers",)),
    Setup("hyperv", hyperv, memory="1536M", modules=("bench_hv_balloon",),
          append=f"{MOVABLE} memmap={HYPERV_SIZE:#x}%{HYPERV_HIDDEN:#x}-1"),
    *[Setup(f"boot{number}", boots) for number in range(TIMES)],
]
