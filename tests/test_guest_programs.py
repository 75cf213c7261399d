"""The programs that other tests rely on notice what they are there to notice."""

import json
import re

import pytest
from conftest import MIB, Guest


@pytest.fixture(scope="module")
def guest():
    guest = Guest("programs", "memhp_default_state=online_movable")
    yield guest
    guest.stop()


@pytest.mark.parametrize("mode", ["", "--hold"])
def test_memtest_notices_one_flipped_bit(memory, mode):
    vm = memory.vm
    vm.run(f"memtest start 16 --procs=2 {mode}")
    vm.run("memtest damage && sleep 1")
    code, output = vm.call("memtest stop")
    assert code == 1
    assert output.startswith("mismatch process=0 page=1024 word=100 ")


def test_memtest_notices_a_killed_process(memory):
    vm = memory.vm
    vm.run("memtest start 16 --procs=2")
    vm.run("kill -9 $(pidof memtest | cut -d' ' -f1)")
    code, output = vm.call("memtest stop")
    assert code == 1
    assert output.startswith("died process=1 signal=9")


def test_memtest_verifies_all_of_it(memory):
    vm = memory.vm
    vm.run("memtest start 16 --hold")
    assert vm.run("memtest stop") == "ok pages=4096 passes=0 verified=4096\n"


def test_pagestate_sees_what_the_device_lacks(memory):
    """By table, by JSON and by ranges."""
    vm = memory.vm
    memory.resize(130 * MIB)
    blocks = json.loads(vm.run("pagestate --json"))["blocks"]
    partial = max(memory.block_states())
    assert [block["offline"] for block in blocks if block["block"] == partial] == [126 * 256]
    ranges = [line.split() for line in vm.run("pagestate --ranges").splitlines()]
    assert [(int(start, 16), int(pages)) for start, pages, *_ in ranges] == [
        (partial * 32768 + 512, 126 * 256)]
    assert vm.run("pagestate").splitlines()[-1].startswith(f"{126 * 256} offline pages, ")


def test_pagestate_tells_every_page(memory):
    memory.resize(130 * MIB)
    partial = max(memory.block_states())
    lines = memory.vm.run(f"pagestate --pages {partial * 32768} 32768").splitlines()
    runs = [(int(start, 16), int(pages), kind) for start, pages, kind, _ in map(str.split, lines)]
    assert runs[0][0] == partial * 32768
    assert sum(pages for _, pages, _ in runs) == 32768
    assert runs[-1][1:] == (126 * 256, "offline")
    assert not [run for run in runs[:-1] if run[2] == "offline"]


def test_readmem_sees_what_is_left_in_free_pages(memory):
    vm = memory.vm
    memory.resize(128 * MIB)
    block = f"{max(memory.block_states()) * 32768} 32768"
    assert re.match(r"free: zero=\d\d\d+ ", vm.run(f"readmem {block}"))
    vm.run("memtest start 64 --hold && memtest stop")
    assert re.search(r" other=\d\d\d+$", vm.run(f"readmem {block}"))
    assert int(vm.run("readmem").split()[0]) > memory.memtotal() // 4096


def test_hotplug_tells_the_error(memory):
    assert memory.hotplug("offline", 0) in ("EINVAL", "EBUSY")
    assert memory.hotplug("offline", 999) == "ENOENT"
