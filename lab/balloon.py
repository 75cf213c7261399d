"""The memory that a virtio-balloon device has taken from a guest: what Linux and the device say."""

import time

from lab.errors import LabError

PAGE = 4096


class BalloonError(LabError):
    """The balloon is not what it was asked to be; one line."""


class Balloon:
    """Inflates and deflates the virtio-balloon device of a booted guest."""

    def __init__(self, memory):
        self.memory = memory        # lab.memory.Memory
        self.vm = memory.vm
        self.managed = False        # do inflated pages count for MemTotal?

    def total(self):
        """What the device counts from: boot memory, without that of virtio-mem devices."""
        return self.vm.qmp("query-memory-size-summary")["base-memory"]

    def size(self):
        """Bytes that the guest has given to the device, as the device says."""
        return self.total() - self.vm.qmp("query-balloon")["actual"]

    def pages(self):
        """Inflated pages, as Linux counts them."""
        return int(self.vm.run("echo 1 >/proc/sys/vm/stat_refresh; "
                               "awk '/^nr_balloon_pages / { print $2 }' /proc/vmstat"))

    def meminfo(self):
        """Bytes, by another way to the same counter."""
        return int(self.vm.run("awk '/^Balloon:/ { print $2 }' /proc/meminfo")) << 10

    def event(self, name):
        """balloon_inflate, balloon_deflate or balloon_migrate, in pages since boot."""
        return int(self.vm.run(f"awk '/^{name} / {{ print $2 }}' /proc/vmstat"))

    def request(self, size):
        """Bytes that the guest shall give."""
        self.vm.qmp("balloon", value=self.total() - size)

    def resize(self, size, timeout=120):
        """Asks for a size and waits until device and Linux agree on it."""
        self.request(size)
        self.wait(size, timeout)

    def wait(self, size, timeout=120):
        end = time.monotonic() + timeout
        while True:
            told, pages = self.size(), self.pages()
            if told == size == pages * PAGE:
                self.memory.ballooned = 0 if self.managed else size
                return
            if time.monotonic() > end:
                raise BalloonError(f"waited {timeout} s for {size} bytes: the device has {told}, "
                                   f"Linux has {pages} pages")
            time.sleep(0.1)

    def problems(self, state):
        """What is wrong, a line each; state: what memory.state() has seen since the last resize."""
        size, movable = self.size(), state.total("movable_offline") * PAGE
        told = {"the device": size, "nr_balloon_pages": self.pages() * PAGE,
                "Balloon: in meminfo": self.meminfo(), "struct page": movable}
        if len(set(told.values())) == 1:
            return []
        return ["the balloon has " + ", ".join(f"{value >> 10} KiB ({who})"
                                               for who, value in told.items())]
