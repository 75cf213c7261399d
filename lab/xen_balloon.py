"""The balloon of Xen in dom0: what Linux and Xen say about it, and every page in it."""

import dataclasses
import json
import re
import time

from lab.errors import LabError

PAGE_KB = 4
SYSFS = "/sys/devices/system/xen_memory/xen_memory0"


class XenBalloonError(LabError):
    """The balloon is not what it was asked to be; one line."""


@dataclasses.dataclass
class State:
    """One look at dom0. Pages, but for the names in kb."""

    offline: int            # as struct page says
    refcounted: int         # of those, with a refcount other than 0
    never_onlined: int      # as debugfs says; None where there is no such file
    balloon: int            # in the balloon's list
    busy: int               # returned by who had them lent, and still referenced
    current_kb: int         # what Xen has given to dom0
    total_kb: int           # MemTotal
    counted: int            # nr_balloon_pages

    def problems(self, refcount=0):
        """What is wrong, a line each. `refcount`: what every offline page has, 1 on stock."""
        found = []
        if self.refcounted != (self.offline if refcount else 0):
            found.append(f"{self.refcounted} of {self.offline} offline pages have a refcount "
                         "other than 0")
        if not self.offline == self.balloon == self.counted:
            found.append(f"{self.offline} pages are offline, the balloon has {self.balloon}, "
                         f"nr_balloon_pages is {self.counted}")
        return found


class XenBalloon:
    """Resizes and looks at the balloon of a booted dom0."""

    def __init__(self, vm):
        self.vm = vm

    def read(self, name):
        return int(self.vm.run(f"cat {SYSFS}/{name}"))

    def state(self):
        """Twice, until both looks agree: the pages of a moment ago may have been freed meanwhile."""
        for _ in range(10):
            before, state = self._numbers(), self._look()
            if before == self._numbers():
                return state
        raise XenBalloonError("the balloon does not stand still")

    def _numbers(self):
        text = self.vm.run(
            f"cd {SYSFS}; cat info/low_kb info/high_kb info/current_kb; "
            "cat info/busy_kb 2>/dev/null || echo 0; echo 1 >/proc/sys/vm/stat_refresh; "
            "awk '/^MemTotal:/ { print $2 }' /proc/meminfo; "
            "awk '/^nr_balloon_pages / { print $2 }' /proc/vmstat")
        return [int(line) for line in text.split()]

    def _look(self):
        low, high, current, busy, total, counted = self._numbers()
        told = json.loads(self.vm.run("pagestate --json", timeout=300))
        blocks = told["blocks"]
        return State(
            offline=sum(block["offline"] or 0 for block in blocks),
            refcounted=sum(block["refcounted"] or 0 for block in blocks),
            never_onlined=(sum(block["never_onlined"] or 0 for block in blocks)
                           if told["debugfs"] else None),
            balloon=(low + high) // PAGE_KB, busy=busy // PAGE_KB, current_kb=current,
            total_kb=total, counted=counted)

    def request(self, kb):
        """What dom0 shall have."""
        self.vm.run(f"echo {kb} >{SYSFS}/target_kb")

    def resize(self, kb, timeout=300):
        self.request(kb)
        self.wait(lambda: self.read("info/current_kb") == kb, timeout,
                  f"{kb} KiB for dom0")

    def wait(self, condition, timeout, what):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise XenBalloonError(f"waited {timeout} s for {what}: there are "
                                      f"{self.read('info/current_kb')} KiB, "
                                      f"{self.read('info/low_kb')} in the balloon")
            time.sleep(0.2)


class Program:
    """guest/xenlend, running; a context manager that ends it in order."""

    def __init__(self, vm, arguments, timeout=300):
        self.job = vm.start(f"xenlend {arguments}")
        self.vm = vm
        end = time.monotonic() + timeout
        while not (ready := re.search(r"ready pid=(\d+)", self.job.output)):
            if self.job.finished or time.monotonic() > end:
                raise LabError(f"xenlend {arguments}: {self.job.output.strip()}")
            time.sleep(0.1)
        self.pid = ready[1]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.vm.run(f"kill {self.pid}")
        code, output = self.job.wait(120)
        if kind is None and code:
            raise LabError(f"xenlend ends with {code}: {output.strip().splitlines()[-1]}")
