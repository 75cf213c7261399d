"""
/proc/kcore read whole while memory comes and goes: whatever a hypervisor has in the place of offline pages,
nobody reads it. Here it is a text at the start of each page, which the host writes.
"""

import mmap
import re

import pytest
from conftest import MIB, Guest
from lab.balloon import PAGE, Balloon
from lab.physmem import PhysicalMemory
from test_virtio_balloon import balloon_ranges

TEXT = b"written by the host"
BALLOON_PAGES = 256     # to write to; the stub for debuggers is slow


@pytest.fixture(scope="module")
def backing(tmp_path_factory):
    """The memory of the second device is a file."""
    return tmp_path_factory.mktemp("kcore") / "memory"


@pytest.fixture(scope="module")
def guest(backing):
    guest = Guest("kcore", "memhp_default_state=online_movable", beside=["vmem1"], args=[
        "-device", "virtio-balloon-pci,id=b0",
        "-object", f"memory-backend-file,id=vmem1-ram,size=2G,mem-path={backing},share=on",
        "-device", "virtio-mem-pci,id=vmem1,memdev=vmem1-ram,requested-size=0"])
    yield guest
    guest.stop()


def write_to_unplugged(backing, start, end):
    """At the start of each page of the device's memory from `start` to `end`."""
    with open(backing, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        for offset in range(start, end, PAGE):
            memory[offset:offset + len(TEXT)] = TEXT


def write_to_balloon(memory):
    pages = [first + number for first, count, *_ in balloon_ranges(memory) for number in range(count)]
    with PhysicalMemory(memory.vm) as physical:
        for pfn in pages[:BALLOON_PAGES]:
            physical.write(pfn * PAGE, TEXT)


def seen(output):
    """The numbers of pages with the text, one for each time that all memory was read."""
    return [int(number) for number in re.findall(r"^\d+ pages read, (\d+) of them", output, re.M)]


def test_content_of_offline_pages_is_not_read(guest, memory, backing):
    vm, (first, second) = guest.vm, guest.memories
    balloon = Balloon(memory)
    balloon.resize(32 * MIB)
    second.ballooned = first.ballooned
    write_to_balloon(memory)
    migrated = balloon.event("balloon_migrate")
    # the last block stays online for all that follows, and its last 64 MiB unplugged
    second.resize(300 * MIB)
    write_to_unplugged(backing, 320 * MIB, 384 * MIB)

    reader = vm.start(f"while :; do readmem --find '{TEXT.decode()}' || exit; done")
    for mib in (262, 318, 270, 310):
        first.resize((mib - 200) * MIB)
        second.resize(mib * MIB)
    while len(seen(reader.output)) < 2:
        assert not reader.finished, reader.output
        second.resize(280 * MIB)
        second.resize(306 * MIB)
    reader.kill()
    assert balloon.event("balloon_migrate") == migrated
    assert set(seen(reader.output)) == {0}, reader.output

    # They were there to be read.
    second.resize(384 * MIB)
    assert seen(vm.run(f"readmem --find '{TEXT.decode()}'", timeout=300))[0] > 10000
    second.resize(0)
    first.resize(0)
    balloon.resize(0)
    second.ballooned = 0
