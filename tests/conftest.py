"""
What all tests share: which kernel, guests that several tests use one after the other, and the rule
that a splat in a guest's log fails the test that made it.

TREE=stock takes the unpatched kernel, to see which tests notice; TREE=mutant the patched one with
one more patch, MUTATION, which breaks something. lab/check.py chooses the tests.
"""

import functools
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import kernel, modules             # noqa: E402
from lab.errors import LabError             # noqa: E402
from lab.memory import MIB, Memory          # noqa: E402
from lab.vm import VM, virtio_mem           # noqa: E402
from toy import toy                         # noqa: E402

TREE = os.environ.get("TREE", "linux")
BLOCK = 128 * MIB       # of x86

if TREE not in ("linux", "stock", "mutant"):
    raise pytest.UsageError(f"TREE={TREE}: it is linux, stock or mutant")


@functools.cache
def image(config, tree=TREE):
    """The kernel to test, or one to compare it with, built on first use."""
    return kernel.build(tree, config)


class Guest:
    """
    One booted guest with an empty virtio-mem device "vmem0", for several tests, each of which
    leaves the device empty and no program running. A guest where that failed, or whose kernel
    complained, is replaced. `beside` names further such devices, which are among the arguments;
    `modules` names test modules, for its /lib/modules, or is of paths of other files; what VM takes
    beside that is among `machine`.
    """

    running = None      # two cores: one guest at a time

    def __init__(self, name, append, args=(), beside=(), config="debug", modules=(), **machine):
        self.name, self.append, self.args = name, append, args
        self.machine = {"memory": "1G"} | machine
        self.beside, self.config, self.modules = beside, config, modules
        self.vm = self.memory = None
        self.memories = []      # of all devices
        self.reported = []      # splats
        self.good = True

    def fresh(self):
        if self.vm and not self.good:
            self.stop()
        if not self.vm:
            self.boot()
        return self.memory

    def boot(self):
        if Guest.running:
            Guest.running.stop()
        arch = kernel.arch_of(self.config)
        self.vm = VM(self.name, image(self.config), arch=arch,
                     maxmem="8G", slots=4, **self.machine, args=[
                         *virtio_mem("vmem0", "2G", arch=arch), *self.args],
                     modules=[name if isinstance(name, Path) else
                              modules.build(TREE, self.config, name) for name in self.modules],
                     append=f"kunit.enable=0 {self.append}")
        try:
            self.vm.__enter__()
        except BaseException:
            self.vm = None
            raise
        Guest.running, self.reported, self.good = self, [], True
        self.memories = [Memory(self.vm, device) for device in ("vmem0", *self.beside)]
        self.memory = self.memories[0]
        for memory in self.memories:
            memory.neighbours = [other for other in self.memories if other is not memory]

    def clean(self):
        """Stops what the test left running and gives all memory back."""
        if not self.good:
            return
        try:
            self.vm.run("for pid in $(pidof pin thp memtest hotplug); do kill -9 $pid; done; "
                        "rm -f /tmp/memtest.state")
            for memory in self.memories:
                for number, state in memory.block_states().items():
                    if state == "offline":
                        memory.hotplug("online", number)
                memory.hidden = {}
            for memory in self.memories:
                memory.poke(0, timeout=10)
        except LabError:
            self.good = False

    def new_splats(self):
        try:
            new = [line for line in self.vm.splats() if line not in self.reported]
        except LabError as error:       # dead: this test has said so, the next one gets another
            vm, self.vm, Guest.running = self.vm, None, None
            vm.__exit__(LabError, error, None)
            raise
        self.reported += new
        self.good = self.good and not new
        return new

    def stop(self):
        vm, self.vm, Guest.running = self.vm, None, None
        if vm:
            for line in self.reported:      # by the test that made it
                vm.expect_splat(re.escape(line))
            vm.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def no_splats():
    """Fails the test in which a guest's kernel complained."""
    yield
    if Guest.running:
        new = Guest.running.new_splats()
        assert not new, f"kernel log of guest {Guest.running.name}:\n" + "\n".join(new)


@pytest.fixture
def memory(guest):
    """Of the guest that the module, or the test, has defined."""
    yield guest.fresh()
    guest.clean()


@pytest.fixture
def block(memory):
    """The number of one block, all of it plugged; in ZONE_MOVABLE, where the guest's command line says so."""
    memory.resize(BLOCK)
    return min(memory.block_states())


def insert(memory, module, **parameters):
    memory.vm.run(f"insmod /lib/modules/{module}.ko "
                  + " ".join(f"{name}={value}" for name, value in parameters.items()), timeout=120)


def parameter(memory, module, name):
    return memory.vm.run(f"cat /sys/module/{module}/parameters/{name}").strip()


def check(memory, **expected):
    """
    One look at the guest, where nothing may be wrong; expected: sums over the device's blocks, e.g.
    offline=16384. Returns the State.
    """
    state = memory.state()
    assert not state.problems()
    if TREE != "stock":
        assert state.debugfs, "no /sys/kernel/debug/offline_pages"
    else:       # knows no flags
        expected = {key: value for key, value in expected.items() if key == "offline"}
    for key, value in expected.items():
        found = state.total(key, state.blocks)
        assert found == value, f"{key}: {found} pages, expected {value}"
    return state


def elsewhere(*values):
    """
    Parameters of a test for guests of other architectures as well, each with a part of that name:
    "arm64-movable", "s390-movable". Mutants are of one configuration only.
    """
    return [pytest.param(f"{arch}-{value}", marks=pytest.mark.part(arch))
            for arch in ("arm64", "s390") for value in values if TREE != "mutant"]


__all__ = ["Guest", "MIB", "ROOT", "TREE", "check", "elsewhere", "image", "toy"]
