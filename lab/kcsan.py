"""
What KCSAN reports: data races, and which of them are in code of the series.

Stock Linux has data races of its own, in mm/ too, and many of them are meant. So a report is ours if one of
the two accesses is: if the innermost function on its stack, or one that the compiler has inlined there, is a
function that the series adds or changes. That is told from the line numbers of the debug information, and the
functions from the series itself (lab/touched.py); nobody keeps a list. What stock does beneath a function of
ours, called and not inlined, is stock's.
"""

import dataclasses
import functools
import os
import re
import subprocess

from lab import kernel, splat, touched
from lab.paths import BUILD

_TITLE = re.compile(r"^BUG: KCSAN: (.*)$")
_ACCESS = re.compile(r"^(race at unknown origin, with )?(\S.*) to 0x[0-9a-f]+ of \d+ bytes by ")
_FRAME = re.compile(r"^(\S+)\+(0x[0-9a-f]+)/0x[0-9a-f]+( \[\w+\])?$")
_END = "Reported by Kernel Concurrency Sanitizer"


@dataclasses.dataclass
class Report:
    """One data race; `tops` are the innermost frames of its accesses: (function, offset)."""

    title: str
    accesses: list = dataclasses.field(default_factory=list)    # read, write (marked), ...
    tops: list = dataclasses.field(default_factory=list)

    def __str__(self):
        return f"{self.title} ({', '.join(self.accesses)})"


def reports(console):
    """All of a console log, in their order."""
    found, report, wants_top = [], None, False
    for line in map(str.strip, splat.messages(console)):
        if title := _TITLE.match(line):
            report = Report(title[1])
            found.append(report)
        elif not report or line.startswith(_END):
            report = None
        elif access := _ACCESS.match(line):
            report.accesses.append(("unknown origin, " if access[1] else "") + access[2])
            wants_top = True
        elif wants_top and (frame := _FRAME.match(line)):
            if not frame[3]:        # of a module: none of ours is one
                report.tops.append((frame[1], int(frame[2], 16)))
            wants_top = False
    return found


class Attribution:
    """Of the accesses of one kernel, with debug information, to the functions of the series."""

    def __init__(self, name, config):
        self._tree, self._objects = BUILD / name, kernel.objects_of(name, config)
        self._touched = touched.functions("*.c", "*.h")
        self._addresses = {}        # {function: addresses}; functions in two files may share a name
        for address, function in re.findall(r"^(\w+) [tTwW] (\S+)$",
                                            (self._objects / "System.map").read_text(), re.M):
            self._addresses.setdefault(function, []).append(int(address, 16))

    def ours(self, report):
        """Is one of its accesses in a function that the series adds or changes?"""
        return any(self.touched(path, line) for top in report.tops for path, line in self.lines(*top))

    def where(self, report):
        """The places of its accesses, for a message."""
        return " / ".join(" < ".join(f"{path}:{line}" for path, line in self.lines(*top))
                          for top in report.tops)

    def touched(self, path, line):
        return any(line in lines for lines in self._touched.get(path, ()))

    @functools.cache
    def lines(self, function, offset):
        """(path in the tree, line), from the innermost inlined function outwards."""
        # The frame is where the access has been reported from: after it.
        addresses = [hex(address + offset - 1) for address in self._addresses.get(function, ())]
        if not addresses:
            return []
        told = subprocess.run(["addr2line", "-i", "-e", self._objects / "vmlinux", *addresses],
                              capture_output=True, text=True, check=True).stdout
        return [(os.path.relpath(os.path.normpath(self._objects / path), self._tree), int(line))
                for path, line in re.findall(r"^(.*):(\d+)", told, re.M)]
