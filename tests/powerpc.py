"""A guest with 64K pages: what the tests of CMM and memtrace share."""

import json
import re

from conftest import TREE, Guest, image
from lab.vm import VM

CONFIG = "ppc64le"
PAGE = 65536
MIB = 1 << 20

# Radix is the default.
MMUS = {"radix": "", "hash": "disable_radix"}


class Machine(VM):
    """A guest for several tests; each of them asks whether the kernel has complained meanwhile."""

    def __init__(self, name, arch, append="", **options):
        if Guest.running:       # two cores: one guest at a time
            Guest.running.stop()
        super().__init__(name, image(CONFIG), arch=arch, append=f"kunit.enable=0 {append}",
                         timeout=600, **options)
        self.reported = []

    def __enter__(self):
        super().__enter__()
        assert self.state()["page_size"] == PAGE
        self.base = self.counts()
        return self

    def new_splats(self):
        new = [line for line in self.splats() if line not in self.reported]
        for line in new:
            self.expect_splat(re.escape(line))
        self.reported += new
        return new

    def number(self, command):
        return int(self.run(command), 0)

    def counts(self):
        """
        Bytes of MemTotal, and of the managed pages of all zones. With those that were reserved at
        boot: page tables of the linear mapping are free memory when memtrace has removed them.
        """
        reserved = self.number("od -v -An -tx8 -w8 /proc/kpageflags | "
                               "grep -c '^ .......[13579bdf]'")
        return tuple(bytes + reserved * PAGE for bytes in (
            self.number("awk '/^MemTotal:/ { print $2 }' /proc/meminfo") << 10,
            self.number("awk '$1 == \"managed\" { sum += $2 } END { print sum }' /proc/zoneinfo")
            * PAGE))

    def taken(self):
        """Bytes that MemTotal has lost since the boot; the zones have lost as many."""
        total, managed = (then - now for then, now in zip(self.base, self.counts()))
        assert total == managed, f"MemTotal lost {total} bytes, the zones {managed}"
        return total

    def state(self):
        """What each memory block holds, as struct page says."""
        return json.loads(self.run("pagestate --json", timeout=300))

    def look(self, offline=0, movable=0, taken=None):
        """
        Expect so many bytes to be offline, of either type, and no reference to any page that is
        PageOffline(), but one to each that a balloon has, whoever is asked. Returns the blocks.
        On stock, all are of one type, have a reference, and memtrace's are in MemTotal.
        """
        if taken is None:
            taken = offline + movable
        blocks = self.state()["blocks"]
        expected = {"offline": offline // PAGE, "movable_offline": movable // PAGE,
                    "refcounted": 0, "unstable": 0}
        if TREE == "stock":
            pages = (offline + movable) // PAGE
            expected |= {"offline": pages, "movable_offline": 0, "refcounted": pages}
            taken -= offline
        seen = {key: sum(block[key] or 0 for block in blocks) for key in expected}
        assert seen == expected, f"{seen}, expected {expected}"
        if TREE != "stock":
            for kind, size, refcounts in (("offline", offline, {(0, 0)}),
                                          ("movable_offline", movable, {(1, 1)})):
                runs = [run for run in self.runs() if run[2] == kind]
                pages = sum(run[1] for run in runs)
                assert pages == size // PAGE, f"debugfs has {pages} pages that are {kind}"
                found = {run[4:] for run in runs}
                assert found <= refcounts, f"refcounts of pages that are {kind}: {found}"
        assert self.taken() == taken, f"MemTotal lost {self.taken()} bytes, not {taken}"
        return blocks

    def runs(self):
        """(first PFN, pages, type, flags, lowest and highest refcount), from debugfs."""
        lines = self.run("cat /sys/kernel/debug/offline_pages").splitlines()
        return [(int(pfn, 16), int(pages), kind, flags, int(low), int(high))
                for pfn, pages, kind, flags, low, high in
                (line.split() for line in lines if line.startswith("0x"))]

    def event(self, name):
        """In pages since boot."""
        return self.number(f"awk '/^{name} / {{ print $2 }}' /proc/vmstat")

    def offline(self, block):
        """Take a memory block offline; return the error, or ''."""
        code, output = self.call(f"echo offline >/sys/devices/system/memory/memory{block}/state",
                                 timeout=300)
        return output.strip().rpartition(": ")[2] if code else ""

    def online(self, block):
        self.run(f"echo online >/sys/devices/system/memory/memory{block}/state", timeout=300)

    def touch_all(self):
        """Write to 90 % of what is free, and find all of it as it was written."""
        kib = self.number("awk '/^MemFree:/ { print $2 }' /proc/meminfo")
        self.run(f"memtest start {kib * 9 // 10 // 1024} --procs=2", timeout=600)
        self.run("memtest stop", timeout=600)
