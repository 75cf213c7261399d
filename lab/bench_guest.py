"""A guest of ./run bench: how something is set off in it, and counted."""

import time
from dataclasses import dataclass, field

from lab import modules
from lab.bench_count import Counter, Counts
from lab.errors import LabError
from lab.paths import BUILD
from lab.vm import VM

CONFIG = "bench"
NAMES = {"stock": "stock", "ours": "linux"}     # of the trees
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
    modules: tuple = ()     # of tests/modules


class BenchGuest:
    """A booted guest in which something can be counted."""

    def __init__(self, setup, tree, image, symbols):
        name = f"bench-{setup.name}-{tree}"
        self._symbols = symbols
        self._counter = Counter(BUILD / "bench" / f"{name}.counts", symbols)
        self.vm = VM(name, image, memory=setup.memory, maxmem=setup.maxmem, slots=4, smp=1,
                     append=f"rdinit=/bin/bench {setup.append}", accelerator="tcg", timeout=900,
                     args=[*setup.args, *self._counter.arguments],
                     modules=[modules.build(tree, CONFIG, module) for module in setup.modules])

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
        """What a command in the guest needs between its marks, one pair or several."""
        self._counter.regions()
        self.vm.run(command, timeout=900)
        found = self._counter.regions()
        if not found:
            raise LabError(f"{command}: nothing was counted")
        return Counts.sum(counts for _, counts in found)

    def set_state(self, block, state):
        return self.write(STATE.format(block), state)

    def write(self, path, text):
        """What the kernel does in write()."""
        return self.count(f"bench write {path} {text}")

    def load(self, module, parameters=""):
        self.vm.run(f"insmod /lib/modules/{module}.ko {parameters}", timeout=300)
        self._symbols.add(self.vm.run("grep ' [tT] .*\\[' /proc/kallsyms"))

    def call(self, module, text):
        """What a module of ours counts when its parameter `do` is written."""
        return self.count(f"echo {text} >/sys/module/{module}/parameters/do")

    def mark_work(self, function):
        """Count from now on what a work item of a virtio driver does."""
        self.load("bench_workers", f"function={self._symbols.address(function):#x}")

    def unmark_work(self):
        """It may be started by what is counted next, and would begin to count anew."""
        self.vm.run("rmmod bench_workers")

    def counted_work(self, request, done, timeout=900):
        """
        What that work item does after request(), until done(). Nothing may run in the guest
        meanwhile: done() asks the device.
        """
        self._counter.regions()
        request()
        found, quiet, end = [], 0, time.monotonic() + timeout
        while quiet < 5:
            if time.monotonic() > end:
                raise LabError(f"guest {self.vm.name}: the driver is not done after {timeout} s")
            time.sleep(0.2)
            new = self._counter.regions()
            found += new
            quiet = quiet + 1 if found and not new and not self._counter.counting and done() else 0
        return Counts.sum(counts for _, counts in found)
