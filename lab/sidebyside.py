"""
Two guests, one of stock and one of the kernel to compare with it, in which the same programs run one
after the other: so both have gone through the same.
"""

import re
import time
from dataclasses import dataclass, field

from lab import splat, tap
from lab.errors import LabError
from lab.vm import GuestError

KERNELS = ("stock", "ours")
WHOLE = "the program"       # its exit status, as a test


@dataclass(frozen=True)
class Program:
    name: str
    command: str            # for sh -c, in `folder` of the guest
    folder: str = "/"
    timeout: int = 300
    alone: bool = False     # in guests of its own: it leaves poison, say
    parse: object = tap.parse       # what it prints -> {test: verdict}


@dataclass
class Said:
    """What a program has said in one guest."""

    tests: dict
    output: str = ""
    splats: list = field(default_factory=list)
    seconds: int = 0
    died: str = ""          # the guest, or the program did not end


class Guests:
    """`boot` makes a VM for one of KERNELS, ready for programs once it has been entered and `prepared`."""

    def __init__(self, boot, prepare):
        self.boot, self.prepare = boot, prepare
        self.vms = {}
        self.seen = {}      # splats, by kernel

    def run(self, program):
        """{kernel: Said}. One guest does nothing while the other one works."""
        if program.alone:
            self.stop()
        found = {kernel: self._run(kernel, program) for kernel in KERNELS}
        if program.alone or any(said.died for said in found.values()):
            self.stop()
        return found

    def vm(self, kernel):
        if kernel not in self.vms:
            vm = self.boot(kernel)
            vm.__enter__()
            self.vms[kernel], self.seen[kernel] = vm, []
            self.prepare(vm)
        return self.vms[kernel]

    def _run(self, kernel, program):
        vm = self.vm(kernel)
        job, begin = vm.start(f"cd {program.folder} && {program.command}"), time.monotonic()
        said = Said({})
        try:
            code, said.output = job.wait(program.timeout)
        except GuestError as error:
            code, said.output, said.died = None, job.output, str(error)
        said.seconds = round(time.monotonic() - begin)
        said.tests = program.parse(said.output) | {WHOLE: tap.exit_status(code)}
        said.splats = self._new_splats(kernel, vm)
        return said

    def _new_splats(self, kernel, vm):
        try:
            splats = vm.splats()
        except LabError:    # dead: what there is of the console
            splats = splat.find(vm.console())
        new = splats[len(self.seen[kernel]):]
        self.seen[kernel] = splats
        return new

    def stop(self):
        for kernel, vm in self.vms.items():
            for line in self.seen[kernel]:      # told already
                vm.expect_splat(re.escape(line))
            vm.__exit__(LabError, None, None)
        self.vms, self.seen = {}, {}


def problems(found):
    """What ours does worse than stock, a line each, and what stock does not get to the end of."""
    stock, ours = (found[kernel] for kernel in KERNELS)
    if stock.died:
        yield f"does not end on stock either, to be left out: {stock.died}"
        return
    for test, before, after in tap.worse(stock.tests, ours.tests):
        yield f"{test}: {before} on stock, {after} on ours"
    for line in tap.new_splats(stock.splats, ours.splats):
        yield f"the kernel complains, as it does not on stock: {line}"
    if ours.died:
        yield ours.died
