"""
Memory that is hot-added without a driver that keeps any of it: a DIMM, and soft-reserved memory by
dax/kmem. Everybody uses that, so nothing may change: each step is done on the kernel to test and on
the unpatched one, and all that Linux counts has to change in the same way.
"""

import dataclasses
import itertools
import re
import time

import pytest
from conftest import MIB, TREE, Guest, image
from lab import counts
from lab.vm import VM

pytestmark = pytest.mark.part("hot-add")

BLOCK = 128 * MIB
BLOCK_PAGES = 32768
VMEMMAP_PAGES = 512     # of a block, with a struct page of 64 bytes
DIMM = 2 * BLOCK
# Pages that the guest may just be using, or giving back, as it does late with KASAN's shadow of
# added memory; nobody but processes takes movable ones.
SLACK = {"Movable": 512, "Normal": 10240}
YES = (0, 0x84)         # the guest's answer (_OST): done, in progress
WAYS = ["online", "online_kernel", "online_movable"]

# Most of the boot memory is above 4 GiB, in the zone of what is added for the kernel: there is
# enough of it for the kernel's own pages. Two whole blocks of it are declared to be for special
# purposes.
SOFT_RESERVED = "memmap=256M%0x108000000-1+0xefffffff"
DAX_BLOCKS = [33, 34]


@dataclasses.dataclass
class Block:
    """Of memory that was added."""

    state: str          # and the zone that it is in, or those that it could go to
    offline: int        # pages
    vmemmap: tuple      # of the pages where it could be, the first that are alike: how many,
                        # type, refcount


@dataclasses.dataclass
class Step:
    """What a scenario has come to."""

    name: str
    changes: dict       # of what Linux counts
    blocks: dict        # of those of the scenario, the ones that are there


def parse_block(text):
    """From the shell command of Machine.step()."""
    head, *lines = text.splitlines()
    number, _, state = head.partition(" ")
    runs = [(int(pages), kind, int(refcount))
            for _, pages, kind, refcount in map(str.split, lines)]
    if not state.startswith("online"):      # its memmap says nothing
        return int(number), Block(state, 0, None)
    pages, kind, refcount = runs[0]
    return int(number), Block(state, sum(run[0] for run in runs if run[1] == "offline"),
                              (min(pages, VMEMMAP_PAGES), kind, refcount))


class Machine:
    """A guest, and what Linux counted when it had boot memory only."""

    def __init__(self, vm):
        self.vm = vm
        self.settled = counts.parse(vm.run(counts.COMMAND))
        self.steps = []

    def step(self, name, *blocks):
        """Remember what it is like after this step."""
        output = self.vm.run(
            f"echo 3 > /proc/sys/vm/drop_caches; {counts.COMMAND}; "
            f"cd /sys/devices/system/memory; for n in {' '.join(map(str, blocks))}; do "
            "[ -e memory$n ] && echo block $n $(cat memory$n/state memory$n/valid_zones) && "
            f"pagestate --pages $((n * {BLOCK_PAGES})) {BLOCK_PAGES}; done; true")
        text, *rest = re.split(r"^block ", output, flags=re.M)
        changes = counts.since(self.settled, counts.parse(text))
        self.steps.append(Step(name, changes, dict(map(parse_block, rest))))

    def hotplug(self, action, *blocks):
        for block in blocks:
            output = self.vm.run(f"hotplug {action} {block} 60", timeout=120)
            assert output.startswith("ok")

    def add_dimm(self):
        before = self.blocks()
        self.vm.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": "ram0", "size": DIMM})
        self.vm.qmp("device_add", driver="pc-dimm", id="dimm0", memdev="ram0")
        wait_for(lambda: len(self.blocks()) == len(before) + 2, "the DIMM's memory blocks")
        return sorted(self.blocks() - before)

    def remove_dimm(self):
        """The guest is asked to give it back, offlines what is online, and does."""
        before = len(self.vm.events("DEVICE_DELETED"))
        self.vm.qmp("device_del", id="dimm0")
        wait_for(lambda: len(self.vm.events("DEVICE_DELETED")) > before, "the DIMM to go",
                 self.refusals)
        self.vm.qmp("object-del", id="ram0")

    def refusals(self):
        """What the guest has answered to requests to give a DIMM back (source 3), if it was no."""
        told = [event["info"] for event in self.vm.events("ACPI_DEVICE_OST")]
        return [info for info in told if info["source"] == 3 and info["status"] not in YES]

    def blocks(self):
        return {int(number) for number in
                re.findall(r"memory(\d+)", self.vm.run("ls /sys/devices/system/memory"))}


# The scenarios. Each leaves the machine as it was.

def in_each_way(way):
    def scenario(machine):
        first, second = machine.add_dimm()
        machine.step("added", first, second)
        machine.hotplug(way, first, second)
        machine.step("online", first, second)
        if way == "online_movable":     # elsewhere the kernel may keep a page of what is used
            machine.vm.run("memtest start 160 --hold", timeout=120)
            machine.vm.run("memtest stop", timeout=120)
            machine.step("used", first, second)
        machine.hotplug("offline", second)
        machine.step("second offline", first, second)
        machine.hotplug(way, second)
        machine.step("second online", first, second)
        machine.hotplug("offline", second, first)
        machine.step("both offline", first, second)
        machine.remove_dimm()
        machine.step("removed", first, second)
    return scenario


def two_zones(machine):
    """One block for the kernel, one that is movable; then they change places."""
    first, second = machine.add_dimm()
    machine.hotplug("online_kernel", first)
    machine.hotplug("online_movable", second)
    machine.step("kernel, movable", first, second)
    machine.hotplug("offline", first, second)
    machine.hotplug("online_kernel", second)
    machine.hotplug("online_movable", first)
    machine.step("movable, kernel", first, second)
    machine.hotplug("offline", first, second)
    machine.remove_dimm()
    machine.step("removed", first, second)


def removed_while_online(machine):
    """The guest takes it offline by itself, once nobody objects."""
    blocks = machine.add_dimm()
    machine.hotplug("online_movable", *blocks)
    machine.step("online", *blocks)
    objection = "/sys/kernel/debug/notifier-error-inject/memory/actions/MEM_GOING_OFFLINE/error"
    machine.vm.run(f"echo -16 > {objection}")
    machine.vm.qmp("device_del", id="dimm0")
    wait_for(machine.refusals, "a refusal")
    machine.step("refused", *blocks)
    machine.vm.run(f"echo 0 > {objection}")
    machine.remove_dimm()
    machine.step("removed", *blocks)


def dax_kmem(machine):
    """
    Soft-reserved memory becomes dax0.0 at boot, and kmem's by default: its blocks are there, and
    offline. Unbound they go, bound again they come; "state" adds or removes, and onlines, at once.
    """
    vm, device = machine.vm, "/sys/bus/dax/devices/dax0.0"
    assert vm.run(f"basename $(readlink {device}/driver)").strip() == "kmem"
    machine.step("boot", *DAX_BLOCKS)
    vm.run("echo dax0.0 > /sys/bus/dax/drivers/kmem/unbind")
    machine.step("unbound", *DAX_BLOCKS)
    vm.run("echo dax0.0 > /sys/bus/dax/drivers/device_dax/new_id")
    machine.step("bound to device_dax", *DAX_BLOCKS)
    vm.run("echo dax0.0 > /sys/bus/dax/drivers/device_dax/unbind")
    if vm.run("cat /sys/module/memory_hotplug/parameters/memmap_on_memory").strip() == "Y":
        vm.run(f"echo 1 > {device}/memmap_on_memory")
    vm.run("echo dax0.0 > /sys/bus/dax/drivers/kmem/bind")
    machine.step("bound to kmem again", *DAX_BLOCKS)
    for way in WAYS:
        machine.hotplug(way, *DAX_BLOCKS)
        machine.step(way, *DAX_BLOCKS)
        machine.hotplug("offline", *DAX_BLOCKS)
        machine.step("offline", *DAX_BLOCKS)
    vm.run(f"echo unplugged > {device}/state")
    machine.step("unplugged", *DAX_BLOCKS)
    for way in ("online_movable", "online_kernel"):
        vm.run(f"echo {way} > {device}/state")
        machine.step(way, *DAX_BLOCKS)
        vm.run(f"echo unplugged > {device}/state")
        machine.step("unplugged", *DAX_BLOCKS)
    vm.run("echo dax0.0 > /sys/bus/dax/drivers/kmem/unbind; "
           "echo dax0.0 > /sys/bus/dax/drivers/kmem/bind")
    machine.step("as after boot", *DAX_BLOCKS)


SCENARIOS = {way: in_each_way(way) for way in WAYS} | {
    "two_zones": two_zones, "removed_while_online": removed_while_online, "dax_kmem": dax_kmem}


# Both kernels

def history(tree, memmap_on_memory):
    """{scenario: its steps, or the exception that ended it}, all in one guest."""
    if Guest.running:
        Guest.running.stop()
    found = {}
    with VM(f"dimm-{tree}", image("debug", tree), memory="2G", maxmem="8G", slots=4,
            args=["-machine", "max-ram-below-4g=512M"],
            append=f"kunit.enable=0 {SOFT_RESERVED} "
                   f"memory_hotplug.memmap_on_memory={memmap_on_memory}") as vm:
        for name, scenario in SCENARIOS.items():
            machine = Machine(vm)
            try:
                scenario(machine)
                found[name] = machine.steps
            except Exception as error:      # of this scenario's test
                found[name] = error
        if tree == "stock":     # it need not be without bugs
            for line in vm.splats():
                vm.expect_splat(re.escape(line))
    return found


@pytest.fixture(scope="module", params=["N", "Y"], ids=["memmap", "memmap_on_memory"])
def histories(request):
    """Whether the memmap is on the hot-added memory, then a history of each kernel."""
    stock = history("stock", request.param)
    return stock, stock if TREE == "stock" else history(TREE, request.param)


def slack(key):
    """How much two kernels may differ in this."""
    return SLACK.get(key.split()[2], 512) if key.endswith(" free") else 0


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_counts_are_those_of_stock(histories, scenario):
    """Also that of offline pages, of which there are none."""
    stock, ours = histories
    for steps in (stock[scenario], ours[scenario]):
        if isinstance(steps, Exception):
            raise steps
    wrong = []
    for step, wanted in itertools.zip_longest(ours[scenario], stock[scenario]):
        assert step.name == wanted.name
        for key in sorted({*step.changes, *wanted.changes}):
            now, then = step.changes.get(key, 0), wanted.changes.get(key, 0)
            if abs(now - then) > slack(key):
                wrong.append(f"{step.name}: {key} changed by {now}, on stock by {then}")
        for number in sorted({*step.blocks, *wanted.blocks}):
            now, then = step.blocks.get(number), wanted.blocks.get(number)
            if (now and now.state) != (then and then.state):
                wrong.append(f"{step.name}: block {number} is {now}, on stock {then}")
            if now and now.offline:
                wrong.append(f"{step.name}: block {number} has {now.offline} offline pages")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("histories", ["Y"], indirect=True, ids=["memmap_on_memory"])
def test_pages_of_the_vmemmap(histories, scenario):
    """The memmap is on the memory itself; its own pages are in use: no type, one reference."""
    _, ours = histories
    steps = ours[scenario]
    if isinstance(steps, Exception):
        raise steps
    found = [block.vmemmap for step in steps for block in step.blocks.values() if block.vmemmap]
    assert set(found) == {(VMEMMAP_PAGES, "none", 1)}


def wait_for(condition, what, told=lambda: "", timeout=180):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"waited {timeout} s for {what} {told()}"
        time.sleep(0.1)
