"""
The instruments of the series: trace events of offline pages, the names of their flags in dump_page(), and
tools/mm/page-types. What they say is compared with struct page, and with what the test has done.
"""

import re
import subprocess
from collections import Counter

import pytest
from conftest import MIB, TREE, Guest, check, image
from lab import ktap, kunit
from lab.paths import BUILD, KERNEL
from lab.vm import VM
from test_virtio_mem import BLOCK_PAGES, unplugged

TRACING = "/sys/kernel/tracing"
EVENT = re.compile(r" offline_page_(\w+): pfn=0x([0-9a-f]+) nr_pages=(\d+) flags=(\S*)$", re.M)
DUMPED = re.compile(r"page_type: \w+\(offline\)(.*)$", re.M)
# Sources of page-types, in tools/
PAGE_TYPES = ["mm/page-types.c", "lib/api/fs/fs.c", "lib/api/debug.c", "lib/str_error_r.c"]


@pytest.fixture(scope="module")
def page_types(tmp_path_factory):
    """The program from the tree of the kernel, linked statically for the guest."""
    tools = BUILD / TREE / "tools"
    program = tmp_path_factory.mktemp("tools") / "page-types"
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-static", "-o", program,
                    *(f"-I{tools / path}" for path in ("lib", "lib/api", "include")),
                    *(tools / path for path in PAGE_TYPES)], check=True)
    return program


@pytest.fixture(scope="module")
def guest(page_types):
    guest = Guest("instruments", "memhp_default_state=online_movable",
                  modules=["dump_page", page_types])
    yield guest
    guest.stop()


@pytest.fixture
def vm(memory):
    """With a trace that begins with the test."""
    vm = memory.vm
    vm.run(f"grep -q {TRACING} /proc/mounts || mount -t tracefs tracefs {TRACING}; "
           f"chmod +x /lib/modules/page-types; cd {TRACING} && "
           "echo 1 >events/offline_page/enable && echo >trace")
    return vm


def events(vm, name):
    """[(first PFN, pages, flags)] of the events of that name since the last call."""
    text = vm.run(f"cat {TRACING}/trace")
    assert "LOST" not in text
    return [(int(pfn, 16), int(pages), flags)
            for each, pfn, pages, flags in EVENT.findall(text) if each == name]


def forget(vm):
    vm.run(f"echo >{TRACING}/trace")


def pages(runs):
    """Of [(first PFN, pages, flags)], by the flags; no page may be in two of them."""
    seen = Counter()
    end = 0
    for pfn, number, flags in sorted(runs):
        assert pfn >= end, f"PFN {pfn:#x} twice"
        end = pfn + number
        seen[flags] += number
    return dict(seen)


def test_events_of_growing_and_shrinking(vm, memory):
    """Each page that goes online is announced; those that are plugged are freed, and taken again."""
    memory.resize(448 * MIB)
    state = check(memory, offline=unplugged(448))
    assert pages(events(vm, "online")) == {"never_onlined": 4 * BLOCK_PAGES}
    assert pages(events(vm, "free")) == {"never_onlined": 448 * 256}
    assert pages(events(vm, "skippable")) == {"skippable|never_onlined": unplugged(448)}
    assert not events(vm, "alloc") and not events(vm, "skip")
    blocks = [(block["start_pfn"], block["start_pfn"] + block["pages"]) for block in state.blocks]
    assert all(any(start <= pfn and pfn + number <= end for start, end in blocks)
               for pfn, number, _ in events(vm, "free"))

    forget(vm)
    memory.resize(440 * MIB)
    # The flags are those that the pages had once they were taken: none yet.
    assert pages(events(vm, "alloc")) == {"": 8 * 256}
    assert pages(events(vm, "skippable")) == {"skippable": 8 * 256}
    forget(vm)
    memory.resize(448 * MIB)
    assert pages(events(vm, "free")) == {"skippable": 8 * 256}


def test_events_of_a_block_that_comes_and_goes(vm, memory):
    """What was skipped for good is told once, with the flags that let it be skipped."""
    memory.resize(448 * MIB)
    memory.resize(440 * MIB)
    partial = max(memory.block_states())
    forget(vm)
    assert memory.hotplug("offline", partial) == "ok"
    found = pages(events(vm, "skip"))
    assert sum(found.values()) == unplugged(440)
    assert all("skippable" in flags for flags in found)

    forget(vm)
    assert memory.hotplug("online_movable", partial) == "ok"
    assert pages(events(vm, "online")) == {"never_onlined": BLOCK_PAGES}
    assert sum(pages(events(vm, "free")).values()) == BLOCK_PAGES - unplugged(440)


def test_events_of_pages_that_are_lent():
    """By the kernel's own tests of that: what is adopted and lent comes from nowhere else here."""
    suite = ktap.suite(KERNEL / "tree/mm/tests/offline_page_lend_kunit.c")
    with VM("instruments-lend", image("debug"), memory=kunit.MEMORY,
            append=f"{kunit.APPEND} {kunit.HOTADD}") as vm:
        vm.run(f"mount -t tracefs tracefs {TRACING}; echo 1 >{TRACING}/events/offline_page/enable")
        kunit.run(vm, [suite], timeout=300)
        seen = {name: events(vm, name) for name in ("adopt", "lend", "take_back")}
        for line in vm.splats():        # test_kunit.py looks at those
            vm.expect_splat(re.escape(line))
    assert {flags for _, _, flags in seen["adopt"]} == {"never_onlined"}
    assert {flags for _, _, flags in seen["lend"]} == {"", "never_onlined", "skippable|never_onlined"}
    assert {flags for _, _, flags in seen["take_back"]} == {""}
    # Each page that was lent came back, and nothing else did.
    assert sorted(pfn for pfn, _, _ in seen["lend"]) == sorted(pfn for pfn, _, _ in seen["take_back"])


def runs(vm, flags):
    """[(first PFN, pages)] of the offline pages with these flags, by debugfs."""
    lines = vm.run("cat /sys/kernel/debug/offline_pages").splitlines()
    return [(int(pfn, 16), int(number)) for pfn, number, kind, found, *_ in
            (line.split() for line in lines if line.startswith("0x"))
            if kind == "offline" and set(found.split(",")) == flags]


def dump(vm, pfn):
    """What dump_page() says behind the page type."""
    vm.run(f"dmesg -c >/dev/null; insmod /lib/modules/dump_page.ko pfn={pfn} && rmmod dump_page")
    [found] = DUMPED.findall(vm.run("dmesg"))
    return found.split()


def test_dump_page_names_the_flags(vm, memory):
    memory.resize(448 * MIB)
    memory.resize(440 * MIB)
    never = runs(vm, {"never_onlined", "skippable"})
    taken = runs(vm, {"skippable"})
    assert never and taken
    assert dump(vm, never[0][0]) == ["never_onlined", "skippable"]
    assert dump(vm, taken[0][0]) == ["skippable"]


def test_page_types_tells_what_can_be_skipped(vm, memory):
    memory.resize(440 * MIB)
    expected = sum(number for _, number in runs(vm, {"never_onlined", "skippable"}))
    assert expected == unplugged(440)
    table = vm.run("/lib/modules/page-types -r", timeout=120)
    found = {name: int(count) for count, name in
             re.findall(r"^0x\w+\s+(\d+)\s+\d+\s+\S+\s+(\S*offline\S*)\s*$", table, re.M)}
    assert found == {"offline,offline_skippable": expected}
