"""The function that an address of a kernel belongs to."""

import bisect
import re

from lab.errors import LabError

USER = "user space"     # and the firmware, during boot
KERNEL_START = 0xffff_8000_0000_0000


class Symbols:
    """The functions of a kernel, from its System.map."""

    def __init__(self, system_map):
        self._pairs = []
        self.add(system_map.read_text())

    def add(self, text):
        """Functions of modules too, from /proc/kallsyms."""
        self._pairs = sorted({*self._pairs, *(
            (int(address, 16), name)
            for address, name in re.findall(r"^(\w+) [tTwW] (\S+)", text, re.M))})
        self._addresses = [address for address, _ in self._pairs]
        # What the compiler makes of a part of a function still is that function.
        self._names = [re.sub(r"\.(isra|constprop|part|cold)\b.*", "", name)
                       for _, name in self._pairs]

    def address(self, function):
        return next(address for address, name in self._pairs if name == function)

    def matching(self, pattern):
        """The addresses of all functions with such a name, sorted."""
        return [address for address, name in self._pairs if re.fullmatch(pattern, name)]

    def range(self, function):
        """The addresses [start, end) of a function: of its largest piece, if the compiler has split it."""
        ranges = [self._addresses[index:index + 2]
                  for index, name in enumerate(self._names) if name == function]
        if not ranges:
            raise LabError(f"the kernel has no function {function}")
        return max(ranges, key=lambda pair: pair[1] - pair[0])

    def name(self, address):
        if address < KERNEL_START:
            return USER
        index = bisect.bisect_right(self._addresses, address) - 1
        return self._names[index] if index >= 0 else "before the kernel's text"
