"""
Actors that race with each other in one guest, each in a thread of its own: for tests/test_races.py. What an
actor does next depends on the seed and its name alone; when, on the guest.
"""

import random
import re
import threading
import time
from collections import Counter

from conftest import MIB, check
from lab.balloon import PAGE, Balloon
from lab.errors import LabError

SIZES = range(0, 1280, 2)       # MiB, of the virtio-mem device
BALLOON_SIZES = range(0, 400)   # MiB
WORKLOAD = 250                  # MiB
BLOCK_PAGES = 128 * MIB // PAGE
DEVICE = "/dev/pfn_races"       # tests/modules/pfn_races.c

# In the guest, "died ... signal=7": SIGBUS, for who uses a page with a memory error.
KILLED_BY_POISON = re.compile(r"died process=\d+ signal=7$", re.M)


class World:
    """A booted guest with all that the actors need, and what they have done."""

    def __init__(self, memory):
        self.memory, self.vm, self.balloon = memory, memory.vm, Balloon(memory)
        self.done = Counter()
        self.vm.run("lsmod | grep -q '^pfn_races ' || insmod /lib/modules/pfn_races.ko")
        self.memtotal, self.zones = memory.memtotal(), self.zoneinfo()

    def zoneinfo(self):
        """{(node, zone): (present, managed)} of the zones that have memory."""
        found, zone = {}, None
        for line in self.vm.run("cat /proc/zoneinfo").splitlines():
            if match := re.match(r"Node (\d+), zone +(\S+)", line):
                zone = found.setdefault(match.groups(), [])
            elif match := re.match(r" +(?:present|managed) +(\d+)$", line):
                zone.append(int(match[1]))
        return {name: tuple(pages) for name, pages in found.items() if any(pages)}

    def module(self):
        """What the module pfn_races has seen, by name."""
        return {name: int(value) for name, value in
                re.findall(r"(\w+)=(\d+)", self.vm.run(f"cat {DEVICE}"))}

    def call(self, what, command):
        """A command that may fail; how often it has is counted."""
        code, output = self.vm.call(command)
        self.done[f"{what} {'ok' if not code else 'failed'}"] += 1
        return output

    # The workload

    def start_workload(self):
        self.vm.run(f"memtest start {WORKLOAD} --procs=2")

    def look_at_workload(self, command="status"):
        """Its data are what they have to be, or else a memory error has killed it."""
        code, output = self.vm.call(f"memtest {command}")
        if code and KILLED_BY_POISON.search(output):
            self.done["workload killed by poison"] += 1
            self.vm.call("memtest stop")
            return False
        assert not code, output
        return True

    # What the actors do; each of these is one step.

    def resize(self, chance):
        self.memory.request(chance.choice(SIZES) * MIB)
        self.done["virtio-mem resized"] += 1
        time.sleep(chance.uniform(0, 6))

    def resize_balloon(self, chance):
        self.balloon.request(chance.choice(BALLOON_SIZES) * MIB)
        self.done["balloon resized"] += 1
        time.sleep(chance.uniform(0, 4))

    def change_blocks(self, chance):
        states = self.memory.block_states()
        if not states:
            time.sleep(0.5)
            return
        block = chance.choice(sorted(states))
        if states[block] == "online" and self._hotplug("offline", block) != "ok":
            return
        # Soon, mostly: an offline block is the first that the driver removes.
        if states[block] != "online" or chance.random() < 0.7:
            self._hotplug("online_movable", block)

    def _hotplug(self, action, block):
        answer = (self.vm.call(f"hotplug {action} {block} 60")[1].split() or ["?"])[0]
        self.done[f"{action} {answer}"] += 1
        return answer

    def compact(self, chance):
        self.call("compaction", "echo 1 >/proc/sys/vm/compact_memory")
        time.sleep(chance.uniform(0, 1))

    def allocate_huge_pages(self, chance):
        self.call("huge pages", f"cd /proc/sys/vm && echo {chance.randrange(40)} >nr_hugepages; "
                                f"sleep 0.{chance.randrange(10)}; echo 0 >nr_hugepages")

    def allocate_contig(self, chance):
        self.call("contig", f"echo contig 10 {chance.randrange(1 << 32)} >{DEVICE}")

    def get_references(self, chance):
        what = chance.choice(["get", "near 5"])
        self.call(what, f"echo {what} {chance.randrange(1 << 32)} >{DEVICE}")

    def flip(self, chance):
        """One page goes offline and comes back, all the time ..."""
        self.call("flip", f"echo flip 20000 >{DEVICE}")

    def peek(self, chance):
        """... while somebody reads its type: a data race by intent."""
        self.call("peek", f"echo peek 100000 >{DEVICE}")

    def poison(self, chance):
        """A few pages, and most of them not for long: what is poisoned stands in the way of all others."""
        output = self.call("poison", f"poison {chance.randrange(1, 6)} {chance.randrange(1 << 31)}")
        for what, number in re.findall(r"(\w+)=(\d+)", output):
            self.done[f"poison, {what}"] += int(number)
        time.sleep(chance.uniform(0, 2))

    def read(self, chance):
        """Of a segment that goes while it is read, readmem may say "No data available"."""
        command = chance.choice(["readmem", "cat /proc/kpageflags", "cat /proc/kpagecount",
                                 "cat /sys/kernel/debug/offline_pages", "pagestate --json"])
        self.call(command.split()[-1], f"{command} >/dev/null")

    # The end of it

    def give_back(self):
        """Everything, with no actor at work; then nothing may be left or miscounted."""
        self.vm.run("echo 0 >/proc/sys/vm/nr_hugepages")
        self.balloon.resize(0, timeout=600)
        self._resize_to_0()

        state = check(self.memory, offline=0)
        assert not self.balloon.problems(state)
        assert not state.total("movable_offline")
        assert self.memory.memtotal() == self.memtotal
        assert self.zoneinfo() == self.zones
        self.done["left poisoned"] = self.memory.poisoned_pages()
        assert self.memory.poisoned_pages() == int(self.vm.run("poison --count"))
        seen = self.module()
        assert not seen["got_offline"], f"references on offline pages: {seen}"
        assert not seen["contig_bad"], f"allocated memory that others use: {seen}"

    def _resize_to_0(self):
        """
        A page that is poisoned keeps its part of the device plugged, and its block, once it is offline, from
        going online again. But an offline block can be unplugged as a whole.
        """
        for timeout in (20, 100, 200):
            for block, state in self.memory.block_states().items():
                if state == "online" and timeout > 20:
                    self.vm.call(f"hotplug offline {block} 60")
            try:
                self.memory.poke(0, timeout)
                return
            except LabError as error:
                self.done["resized to 0 in more than one try"] += 1
                last = error
        raise LabError(f"{last}\n{self._what_is_left()}")

    def _what_is_left(self):
        """Of blocks that do not go: what pages there are, and the first of those that are neither free nor offline."""
        said = []
        for block, state in self.memory.block_states().items():
            said.append(f"block {block} is {state}: number of pages, and their flags in /proc/kpageflags")
            if state == "online":
                said.append(self.vm.run(
                    f"dd if=/proc/kpageflags bs=8 skip={block * BLOCK_PAGES} count={BLOCK_PAGES} 2>/dev/null | "
                    "od -An -v -tx8 -w8 >/tmp/flags; sort /tmp/flags | uniq -c | sort -rn | head -20; "
                    "grep -n -v -e '0000000000000400$' -e '0000000000[89abcdef].....$' /tmp/flags | head -20"))
        return "\n".join(said)


class Actor(threading.Thread):
    """Takes one step after the other, until it is told to stop."""

    def __init__(self, step, seed):
        super().__init__(name=step.__name__, daemon=True)
        self._step, self._chance = step, random.Random(f"{seed} {step.__name__}")
        self._told = threading.Event()
        self.steps, self.error = 0, None

    def run(self):
        try:
            while not self._told.is_set():
                self._step(self._chance)
                self.steps += 1
        except Exception as error:      # told in the thread that waits
            self.error = error

    def tell(self):
        self._told.set()

    def end(self):
        """Wait for its last step, which has to succeed as all before."""
        self.join(600)
        assert not self.is_alive(), f"{self.name} hangs"
        if self.error:
            raise self.error
        assert self.steps, f"{self.name} has not done a thing"


def act(world, steps, seed, seconds, meanwhile=lambda: None):
    """Let actors take these steps at once, and look at something each second."""
    actors = [Actor(step, seed) for step in steps]
    for actor in actors:
        actor.start()
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end and not any(actor.error for actor in actors):
            meanwhile()
            time.sleep(1)
    finally:
        for actor in actors:
            actor.tell()
    for actor in actors:
        actor.end()
