"""The memory of a guest with a virtio-mem device: what Linux says and what the device says."""

import dataclasses
import json
import time

from lab.errors import LabError

MIB = 1 << 20
PAGE = 4096


class GuestMemoryError(LabError):
    """The guest's memory is not what it was asked to be; one line."""


@dataclasses.dataclass
class State:
    """One look at the guest. Sizes in bytes; the blocks are those of pagestate --json."""

    blocks: list        # of the device
    others: list        # boot memory
    plugged: int        # as the device says
    hidden: int         # plugged in blocks that are not online, where Linux cannot tell
    growth: int         # of MemTotal by this device, since it was empty
    block_size: int
    debugfs: bool       # the kernel tells of never_onlined and skippable

    def total(self, key, blocks=None):
        """Sum over blocks; a block that is not online holds nothing."""
        blocks = self.blocks + self.others if blocks is None else blocks
        return sum(block[key] or 0 for block in blocks)

    @property
    def offline(self):
        return self.total("offline")

    @property
    def refcounted(self):
        return self.total("refcounted")

    @property
    def online_blocks(self):
        return [block for block in self.blocks if block["state"] == "online"]

    def partial_blocks(self):
        """Online blocks of the device that hold offline and other pages."""
        return [block for block in self.online_blocks if 0 < block["offline"] < block["pages"]]

    def block(self, number):
        return next((block for block in self.blocks if block["block"] == number), None)

    def problems(self):
        """What is wrong, a line each."""
        if not self.refcounted:
            return self.miscounts()
        return [f"{self.refcounted} of {self.offline} offline pages have a refcount other than 0",
                *self.miscounts()]

    def miscounts(self):
        """What is wrong apart from refcounts."""
        found = []
        visible = self.plugged - self.hidden
        moving = sum(block["unstable"] for block in self.blocks + self.others)
        if moving:
            found.append(f"{moving} pages changed their type all the time")
        unplugged = len(self.online_blocks) * self.block_size - visible
        offline = self.total("offline", self.blocks) * PAGE
        if unplugged != offline:
            found.append(f"the device has unplugged {unplugged // PAGE} pages of its online "
                         f"blocks, Linux has {offline // PAGE} offline there")
        if self.growth != visible:
            found.append(f"MemTotal grew by {self.growth >> 10} KiB, the device has plugged "
                         f"{visible >> 10} KiB of its online blocks")
        if self.total("offline", self.others):
            found.append("boot memory has offline pages")
        if self.debugfs:
            for block in self.online_blocks:
                if block["skippable"] != block["offline"]:
                    found.append(f"block {block['block']}: {block['skippable']} of "
                                 f"{block['offline']} offline pages are skippable")
        return found


def meminfo(vm, name):
    """In bytes."""
    return int(vm.run(f"awk '/^{name}:/ {{ print $2 }}' /proc/meminfo")) << 10


def memtotal(vm):
    """What the guest has, in bytes."""
    return meminfo(vm, "MemTotal")


class Memory:
    """
    Grows, shrinks and looks at a booted guest's memory; create it while the device is empty. If
    there are several devices, their Memory objects have to know each other: neighbours.
    """

    def __init__(self, vm, device="vmem0"):
        self.vm = vm
        self.device = device
        self.neighbours = []
        info = self.info()
        if info["size"]:
            raise GuestMemoryError(f"{device} has {info['size']} bytes plugged already")
        self.start, self.max_size = info["memaddr"], info["max-size"]
        self.base = self.memtotal()
        self.hidden = {}    # bytes plugged in blocks that hotplug() took offline
        self.ballooned = 0  # bytes that a balloon has taken off MemTotal

    def info(self):
        for entry in self.vm.qmp("query-memory-devices"):
            if entry["data"].get("id") == self.device:
                return entry["data"]
        raise GuestMemoryError(f"the guest has no device {self.device}")

    def memtotal(self):
        return memtotal(self.vm)

    def poisoned_pages(self):
        """As Linux counts them."""
        return meminfo(self.vm, "HardwareCorrupted") // PAGE

    def state(self):
        code, output = self.vm.call("pagestate --json", timeout=120)
        if code:
            raise GuestMemoryError(f"pagestate failed ({code}): {output.strip().splitlines()[-1]}")
        told = json.loads(output)
        mine = [block for block in told["blocks"] if self.has(block["start_pfn"] * PAGE)]
        others = [block for block in told["blocks"] if not any(
            memory.has(block["start_pfn"] * PAGE) for memory in [self, *self.neighbours])]
        return State(mine, others, self.info()["size"], sum(self.hidden.values()),
                     self.growth(), told["block_size"], told["debugfs"])

    def has(self, address):
        return self.start <= address < self.start + self.max_size

    def growth(self):
        """Bytes of MemTotal that this device has added, whatever the balloon has taken."""
        others = sum(memory.visible() for memory in self.neighbours)
        return self.memtotal() - self.base - others + self.ballooned

    def visible(self):
        """What of the device Linux should count."""
        return self.info()["size"] - sum(self.hidden.values())

    def request(self, size):
        self.vm.resize(self.device, size)

    def resize(self, size, timeout=120):
        """Asks for a size and waits until the device has it and Linux has taken it in."""
        self.request(size)
        self.wait(size, timeout)

    def wait(self, size, timeout=120):
        """
        The device plugs memory before Linux onlines it, and unplugs it before Linux removes its
        block; wait for both.
        """
        end = time.monotonic() + timeout
        while True:
            plugged, growth = self.info()["size"], self.growth()
            if plugged == size == growth + sum(self.hidden.values()) and self.settled(size):
                return
            if time.monotonic() > end:
                raise GuestMemoryError(
                    f"waited {timeout} s for {size / MIB:g} MiB: the device has "
                    f"{plugged / MIB:g} MiB, MemTotal grew by {growth / MIB:g} MiB")
            time.sleep(0.1)

    def poke(self, size, timeout=120):
        """
        Like resize(), also when that size was asked for already: the driver waits 50 s before it
        tries again by itself.
        """
        info = self.info()
        if info["requested-size"] == size != info["size"]:
            self.request(size + info["block-size"])
        self.resize(size, timeout)

    def settled(self, size):
        """A block that is wholly unplugged goes soon after its last page."""
        return size > 0 or not self.block_states()

    def block_states(self):
        """State of every block of the device, by number."""
        output = self.vm.run("cd /sys/devices/system/memory && block=$(cat block_size_bytes) && "
                             "echo $block && grep -s . memory*/state || true")
        lines = output.split()
        size = int(lines[0], 16)
        states = {}
        for line in lines[1:]:
            name, state = line.split("/state:")
            number = int(name.removeprefix("memory"))
            if self.has(number * size):
                states[number] = state
        return states

    def hotplug(self, action, number, seconds=60):
        """offline, online, ... a block: returns "ok" or the name of the error."""
        before = self.state() if action == "offline" else None
        _, output = self.vm.call(f"hotplug {action} {number} {seconds}", timeout=seconds + 60)
        answer = output.split()[0] if output.split() else "no answer"
        if answer == "ok" and action != "offline":
            self.hidden.pop(number, None)
        elif answer == "ok":
            block = before.block(number)
            if block:
                self.hidden[number] = (block["pages"] - block["offline"]) * PAGE
        return answer
