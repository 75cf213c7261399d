"""
The example of docs/converting-a-driver.md: a small balloon as it was written for the unpatched kernel,
and the same on the interface for offline pages. Both do the same; afterwards, no page has a reference.
"""

import json
import re

import pytest
from conftest import TREE, image
from lab import cocci, modules, tree
from lab.errors import LabError
from lab.vm import VM

BLOCK_PAGES = 32768
ANYWHERE, RANGE = 1000, 512
PARAMETERS = "/sys/module/example_balloon_{}/parameters"


class Balloon:
    """The module in a guest whose memory blocks at the end are in ZONE_MOVABLE."""

    def __init__(self, vm, way):
        self.vm, self.way = vm, way
        # The last ones have pages of the boot allocator.
        self.block = sorted(int(number) for number in re.findall(
            r"memory(\d+)/valid_zones:Movable$", vm.run(
                "cd /sys/devices/system/memory; grep . memory*/valid_zones"), re.M))[-3]
        self.memtotal = self.pages_of_system()

    def pages_of_system(self):
        return int(self.vm.run("awk '/^MemTotal:/ { print $2 / 4 }' /proc/meminfo"))

    def load(self, agree):
        self.vm.run(f"insmod /lib/modules/example_balloon_{self.way}.ko agree={agree}")

    def unload(self):
        self.vm.run(f"rmmod example_balloon_{self.way}")

    def set(self, parameter, value):
        self.vm.run(f"echo {value} > {PARAMETERS.format(self.way)}/{parameter}")

    def inflate_block(self):
        """By a range in the middle of the block."""
        self.set("inflate", f"{RANGE} {self.block * BLOCK_PAGES + 16 * RANGE}")

    def hotplug(self, action):
        return self.vm.call(f"hotplug {action} {self.block}")[1].split()[0]

    def check(self, pages, never_onlined=0, skippable=0, gone=0):
        """
        What there is of each kind, looked at page by page; `gone`: the pages of a block that is offline.
        """
        blocks = json.loads(self.vm.run("pagestate --json"))["blocks"]

        def total(key):
            return sum(block[key] or 0 for block in blocks)
        found = total("offline"), total("refcounted"), self.memtotal - self.pages_of_system()
        if self.way == "before":
            assert found == (pages, pages, pages + gone)
            return
        assert found == (pages, 0, pages + gone)
        assert (total("never_onlined"), total("skippable")) == (never_onlined, skippable)


@pytest.mark.parametrize("way", [pytest.param("before", marks=pytest.mark.part("examples")), "after"])
def test_balloon(way):
    name = "stock" if way == "before" else TREE
    module = modules.build(name, "debug", f"example_balloon_{way}")
    with VM(f"example-{way}", image("debug", name), modules=[module], memory="1G",
            append="kunit.enable=0 movablecore=512M") as vm:
        balloon = Balloon(vm, way)
        refused(balloon)
        allowed(balloon)


def refused(balloon):
    """The driver does not agree that memory blocks go offline."""
    balloon.load(agree=0)
    balloon.set("inflate", ANYWHERE)
    balloon.check(ANYWHERE)
    balloon.inflate_block()
    balloon.check(ANYWHERE + RANGE)
    assert balloon.hotplug("offline") == "EBUSY"
    named = re.search(rf"memory{balloon.block} cannot go offline: .*", balloon.vm.run("dmesg"))
    if balloon.way == "after":
        assert "(taken offline, not skippable)" in named[0]
    balloon.check(ANYWHERE + RANGE)
    balloon.set("deflate", 1)
    balloon.check(0)
    balloon.set("inflate", ANYWHERE)
    balloon.unload()
    balloon.check(0)


def allowed(balloon):
    """The driver agrees, and remembers which pages are not there."""
    balloon.load(agree=1)
    balloon.inflate_block()
    balloon.check(RANGE, skippable=RANGE)
    assert balloon.hotplug("offline") == "ok"
    balloon.check(0, gone=BLOCK_PAGES)
    if balloon.way == "before":     # the bug that the first patch of the series fixes
        balloon.vm.expect_splat(r"WARNING: .*alloc_tag\.h")
    assert balloon.hotplug("online_movable") == "ok"
    balloon.check(RANGE, never_onlined=RANGE, skippable=RANGE)
    balloon.set("deflate", 1)
    balloon.check(0)
    balloon.inflate_block()
    balloon.check(RANGE, skippable=RANGE)
    balloon.unload()
    balloon.check(0)


def test_old_balloon_does_not_compile():
    with pytest.raises(LabError, match="PageOffline"):
        modules.build(TREE, "debug", "example_balloon_before")


def test_rule_finds_the_old_balloon():
    """Each line that sets the type or exposes a page by itself; and nothing in the new one."""
    tree.make("linux")
    source = (modules.SOURCES / "example_balloon_before.c").read_text().splitlines()
    old = [number for number, line in enumerate(source, 1)
           if re.search(r"__(Set|Clear)PageOffline\(|generic_online_page\(", line)]
    found = cocci.findings(["example_balloon_before.c", "example_balloon_after.c"], modules.SOURCES)
    assert {(path, line) for path, line, _ in found} == {
        ("example_balloon_before.c", line) for line in old}
    assert len(old) == 5
