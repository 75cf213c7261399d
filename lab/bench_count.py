"""
Counting instructions in a guest: QEMU with the plugin bench/count.c, and what the plugin has
written.
"""

import re
import subprocess
from typing import NamedTuple

from lab import files, host
from lab.errors import LabError
from lab.paths import BUILD, ROOT, shown
from lab.symbols import USER

SOURCES = ROOT / "bench"
CFLAGS = ["-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"]


# Who turns interrupts off for others.
HELPERS = re.compile(r"lock|irq|preempt|^pcpu_|^__schedule$")


class Masked(NamedTuple):
    """The longest stretch with interrupts off, and the function that it was for."""

    instructions: int = 0
    function: str = "nobody"


class Counts(dict):
    """{function: (instructions, loads, stores)} of one region, and the longest stretch with interrupts off."""

    masked = Masked()

    def total(self, index=0):
        return sum(each[index] for each in self.values())

    @classmethod
    def sum(cls, parts):
        whole = cls()
        for part in parts:
            for name, each in part.items():
                whole.add(name, each)
            whole.masked = max(whole.masked, part.masked)
        return whole

    def add(self, name, numbers):
        self[name] = tuple(old + new for old, new in zip(self.get(name, (0, 0, 0)), numbers))

    def kernel(self):
        """Without what user space and the firmware did."""
        counts = Counts({name: each for name, each in self.items() if name != USER})
        counts.masked = self.masked
        return counts

    def profile(self, share=0.01):
        """[(function, instructions)], the largest first, those below `share` in one line."""
        least = share * self.total()
        large = sorted(((name, each[0]) for name, each in self.items() if each[0] >= least),
                       key=lambda pair: (-pair[1], pair[0]))
        rest = self.total() - sum(count for _, count in large)
        return [*large, ("everything else", rest)] if rest else large


class Counter:
    """The plugin of one guest."""

    def __init__(self, out, symbols):
        """`out`: a file that the plugin writes. Without symbols, all is user space."""
        self._out = out
        self._symbols = symbols
        self._plugin = plugin()
        self._at = 0
        self.counting = False       # when regions() looked last

    @property
    def arguments(self):
        """
        For QEMU. With -icount, timers are in the time of the guest, an instruction a nanosecond:
        however slow the host is, interrupts come where they came before.
        """
        self._out.unlink(missing_ok=True)
        entries = "".join(f",entry={address:x}" for address in self._entries())
        return ["-plugin", f"{self._plugin},out={self._out}{entries}", "-icount", "shift=0"]

    def _entries(self):
        """Where interrupts and exceptions enter the kernel, sorted."""
        return self._symbols.matching(r"asm_(sysvec|exc|common)_\w+") if self._symbols else []

    def regions(self):
        """What was counted since the last call: [(name, Counts)]."""
        with open(self._out) as file:
            file.seek(self._at)
            text = file.read()
        whole = text[:text.rfind("end\n") + 4] if "end\n" in text else ""
        self._at += len(whole)
        self.counting = "counting\n" in text[len(whole):]
        return [self._region(part) for part in whole.split("end\n") if part]

    def _region(self, text):
        head, *lines = text.replace("counting\n", "").splitlines()
        counts = Counts()
        for line in lines:
            address, *numbers = line.split()
            if address == "masked":
                counts.masked = self._masked(*numbers)
            else:
                counts.add(self._name(address), map(int, numbers))
        return head.removeprefix("region "), counts

    def _masked(self, instructions, *trail):
        """The function is the first one on the trail that is not there for any other."""
        names = [self._name(address) for address in trail]
        return Masked(int(instructions), next((name for name in names if not HELPERS.search(name)),
                                              names[0] if names else Masked().function))

    def _name(self, address):
        return self._symbols.name(int(address, 16)) if self._symbols else USER


def plugin():
    """Compile the plugin where it is not up to date; return its path."""
    host.need_tools("gcc")
    source, result = SOURCES / "count.c", BUILD / "bench" / "count.so"
    result.parent.mkdir(parents=True, exist_ok=True)
    newest = max(path.stat().st_mtime for path in SOURCES.glob("*.[ch]"))
    if not result.exists() or result.stat().st_mtime <= newest:
        with files.replacing(result) as output:
            done = subprocess.run(["gcc", *CFLAGS, "-o", output, source], capture_output=True,
                                  text=True)
            if done.returncode:
                raise LabError(f"{shown(source)} does not compile: {done.stderr.strip()}")
    return result
