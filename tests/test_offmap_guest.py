"""
offmap on a booted guest with virtio-mem and a balloon: at each step it tells what struct page does
(guest/pagestate.c) and what debugfs does, block by block; and its zones are those of the kernel.
"""

import json

import pytest
from conftest import MIB, Guest
from lab.balloon import Balloon
from lab.memory import PAGE

# of offmap, and of pagestate
SAME = {"offline": "offline", "movable_offline": "movable_offline", "never_onlined": "never_onlined",
        "skippable": "skippable", "state": "state", "start_pfn": "start_pfn"}
# Programs come and go between two looks; what they use is not much.
SLACK = 8 * MIB // PAGE


@pytest.fixture(scope="module")
def guest():
    guest = Guest("offmap", "memhp_default_state=online_movable", config="guest",
                  args=["-device", "virtio-balloon-pci,id=b0"])
    yield guest
    guest.stop()


@pytest.fixture
def balloon(memory):
    balloon = Balloon(memory)
    yield balloon
    balloon.resize(0)


def look(vm):
    return json.loads(vm.run("offmap --json", timeout=180))


def differences(told, expected, flags=True):
    """What offmap tells otherwise than pagestate, a line each."""
    mine = {block["block"]: block for block in told["blocks"]}
    theirs = {block["block"]: block for block in expected["blocks"]}
    found = [f"block {number} is told by one only" for number in mine.keys() ^ theirs.keys()]
    for number in mine.keys() & theirs.keys():
        found += [f"block {number}: {key} {mine[number][key]}, not {theirs[number][other]}"
                  for key, other in SAME.items() if mine[number][key] != theirs[number][other]]
        if mine[number]["online"]:
            if abs(mine[number]["free"] - theirs[number]["buddy"]) > SLACK:
                found.append(f"block {number}: {mine[number]['free']} free, "
                             f"not {theirs[number]['buddy']}")
    return found


def from_debugfs(vm):
    """Pages by type and flag, from the file itself."""
    sums = {"offline": 0, "movable_offline": 0, "never_onlined": 0, "skippable": 0}
    for line in vm.run("cat /sys/kernel/debug/offline_pages").splitlines()[1:]:
        _, pages, kind, flags, *_ = line.split()
        sums[kind] += int(pages)
        for flag in set(flags.split(",")) & set(sums):
            sums[flag] += int(pages)
    return sums


def compare(vm):
    """All sources, at one moment; returns what offmap has told."""
    expected = json.loads(vm.run("pagestate --json", timeout=180))
    told = look(vm)
    assert not differences(told, expected)
    assert {kind: told["total"][kind] for kind in from_debugfs(vm)} == from_debugfs(vm)
    assert told["disagree"] == 0 and told["unseen"] == []
    for zone in told["zones"]:
        if "managed" not in zone:
            continue
        # Neither offline pages nor those of this balloon are managed; what firmware keeps is used.
        there = zone["free"] + zone["used"]
        assert zone["managed"] == there if zone["zone"] == "Movable" else zone["managed"] <= there
        assert abs(zone["free"] - zone["listed_free"]) <= SLACK
    return told


def test_grow_and_shrink(memory, balloon):
    vm = memory.vm
    told = compare(vm)
    assert told["total"]["offline"] == told["total"]["movable_offline"] == 0
    # The device is there, with nothing of its own in Linux.
    assert [(region["size"], region["added"]) for region in told["regions"]] == [(2 << 30, 0)]

    memory.resize(330 * MIB)
    told = compare(vm)
    assert told["total"]["offline"] == told["total"]["skippable"] == 54 * MIB // PAGE
    assert told["total"]["never_onlined"] == 54 * MIB // PAGE
    assert told["regions"][0]["added"] == 384 * MIB
    partial = [block for block in told["blocks"] if block["offline"]]
    assert [block["map"][-27:] for block in partial] == ["B" * 27]
    assert partial[0]["origin"] == "System RAM (virtio_mem)"

    balloon.resize(100 * MIB)
    told = compare(vm)
    assert told["total"]["movable_offline"] == 100 * MIB // PAGE
    assert any("M" in block["map"].upper() for block in told["blocks"])

    memory.resize(300 * MIB)        # memory that was online
    told = compare(vm)
    assert told["total"]["offline"] == 84 * MIB // PAGE
    assert 0 < told["total"]["offline"] - told["total"]["never_onlined"]

    number = max(memory.block_states())
    assert memory.hotplug("offline", number) == "ok"
    told = compare(vm)
    block = next(block for block in told["blocks"] if block["block"] == number)
    assert (block["online"], block["free"], set(block["map"])) == (False, None, {"/"})
    assert memory.hotplug("online_movable", number) == "ok"

    balloon.resize(0)
    memory.resize(0)
    told = compare(vm)
    assert told["total"]["offline"] == told["total"]["movable_offline"] == 0


def test_the_comparison_notices(memory, balloon):
    """One page more or less of each kind, in any block."""
    vm = memory.vm
    memory.resize(330 * MIB)
    balloon.resize(10 * MIB)
    expected = json.loads(vm.run("pagestate --json", timeout=180))
    told = look(vm)
    assert not differences(told, expected)
    for key in ("offline", "movable_offline", "never_onlined", "skippable", "start_pfn"):
        for block in told["blocks"]:
            block[key] += 1
            assert len(differences(told, expected)) == 1
            block[key] -= 1
    told["blocks"].pop()
    assert differences(told, expected) == [f"block {expected['blocks'][-1]['block']} is told by one only"]


def test_poison(memory):
    """A page that is taken out of use by hand."""
    vm = memory.vm
    memory.resize(256 * MIB)
    before = compare(vm)
    assert before["total"]["poisoned"] == 0
    block = before["blocks"][-1]
    pfn = block["start_pfn"] + block["pages"] // 2
    vm.run(f"echo {pfn} > /sys/kernel/debug/hwpoison/corrupt-pfn")
    after = compare(vm)
    now = after["blocks"][-1]
    assert (after["total"]["poisoned"], now["poisoned"]) == (1, 1)
    assert now["map"].index("!") == len(now["map"]) // 2
    vm.run(f"echo {pfn} > /sys/kernel/debug/hwpoison/unpoison-pfn")
    assert look(vm)["total"]["poisoned"] == 0


def test_every_way_to_show_it(memory):
    """The program that is in the guest is static, and needs neither locale nor terminal."""
    vm = memory.vm
    memory.resize(128 * MIB)
    vm.run("offmap -j > /tmp/a; offmap -r /tmp/a > /tmp/table")
    memory.resize(130 * MIB)        # by another block; in shrinking, the driver chooses what it takes
    code, output = vm.call("offmap -j > /tmp/b; offmap -d /tmp/a /tmp/b")
    assert code == 1 and "+126M skippable" in output
    assert "bbb" in vm.run("offmap --map --unit=4M").lower()
    assert vm.run("offmap --svg").startswith("<svg ")
    assert vm.run("offmap --watch=0.1 --count=3").count("all memory blocks") == 3
    vm.run("rm /tmp/a /tmp/b /tmp/table")
