"""
All that moves pages about, at once, on four CPUs: virtio-mem and the balloon are resized, blocks go offline
and online, pages are compacted, allocated contiguously and as huge pages, poisoned, read, and somebody tries
to get a reference on each of them, all the time. A workload verifies its data meanwhile. After each round
everything is given back and has to be exactly as it was.

RACES_MINUTES says for how long (30), SEED repeats what the actors do, as far as the guest's timing allows.
"""

import os
import random
import re
import time

import pytest
from conftest import MIB, TREE, Guest
from lab import kcsan
from lab.progress import say
from races import World, act

pytestmark = pytest.mark.part("races")

MINUTES = float(os.environ.get("RACES_MINUTES") or 30)
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
ROUND = 180     # seconds, without what giving back takes


# An offline of a block that is full of pages that somebody holds takes minutes where there is no KVM and
# little of the host's CPUs; whoever waits for its locks does not hang.
APPEND = "memhp_default_state=online_movable sysctl.kernel.hung_task_timeout_secs=600"


def races_guest(name, config):
    return Guest(name, APPEND, config=config, memory="1536M", smp=4, timeout=600, patience=600,
                 modules=["pfn_races"], args=["-device", "virtio-balloon-pci,id=b0"])


class TestAll:
    @pytest.fixture
    def guest(self):
        guest = races_guest("races", "debug")
        yield guest
        guest.stop()

    def test_all_at_once(self, guest, memory):
        say(f"seed: {SEED}")
        world = World(memory)
        end = time.monotonic() + 60 * MINUTES
        number = 0
        while time.monotonic() < end:
            number += 1
            self.play(world, guest, f"{SEED} {number}", min(ROUND, 60 * MINUTES))
            say(f"round {number}: {dict(sorted(world.done.items()))} {world.module()}")
        self.was_a_race(world)

    @staticmethod
    def play(world, guest, seed, seconds):
        """One round, with a workload that starts and ends with it."""
        def look():
            splats = guest.new_splats()
            assert not splats, splats
            if not world.look_at_workload():
                world.start_workload()

        world.start_workload()
        act(world, [world.resize, world.resize_balloon, world.change_blocks, world.compact,
                    world.allocate_huge_pages, world.allocate_contig, world.get_references, world.poison,
                    world.read], seed, seconds, look)
        world.look_at_workload("stop")
        world.give_back()

    @staticmethod
    def was_a_race(world):
        """All of it has happened, and not only been tried."""
        seen, done = world.module(), world.done
        assert seen["walks"] and seen["got"] and seen["contig"] and seen["contig_next"], seen
        for what in ("offline ok", "online_movable ok", "poison, soft", "poison, free", "poison, offline",
                     "poison, undone"):
            assert done[what], f"{what}: never; {done}"


class TestKCSAN:
    """
    Pairs of actors, in a kernel that notices data races: half as long in all. With more actors at once, those on
    whom a watchpoint waits would rather wait for a CPU.
    """

    PAIRS = {   # who changes what is offline: beside whom
        "resize": ["resize_balloon", "change_blocks", "get_references", "read", "poison", "allocate_contig",
                   "compact", "allocate_huge_pages"],
        "change_blocks": ["resize_balloon", "get_references", "read", "poison", "allocate_contig", "compact",
                          "allocate_huge_pages"],
        "resize_balloon": ["get_references", "read", "poison", "allocate_contig", "compact"],
    }

    @pytest.fixture(scope="class")
    def guest(self):
        guest = races_guest("races-kcsan", "kcsan")
        yield guest
        guest.stop()

    @pytest.fixture
    def watch(self, guest, memory):
        with Watch(guest) as watch:
            yield watch

    def test_race_is_noticed(self, guest, memory, watch):
        """A reader that takes no care of what drivers do meanwhile races with the series, too."""
        world = World(memory)
        end = time.monotonic() + 600
        while time.monotonic() < end and not watch.ours():
            act(world, [world.flip, world.peek], SEED, 10)
        assert any(re.search(r"\bpeek\b", report.title) for report in watch.ours())

    def test_pairs(self, guest, memory, watch):
        say(f"seed: {SEED}")
        world = World(memory)
        pairs = [(one, other) for one, others in self.PAIRS.items() for other in others]
        for pair in pairs:
            world.memory.request(600 * MIB)
            world.start_workload()
            act(world, [getattr(world, step) for step in pair], f"{SEED} {pair}",
                30 * MINUTES / len(pairs))
            world.look_at_workload("stop")
            say(f"{' and '.join(pair)}: {watch}")
        watch.stop()
        world.give_back()
        say("\n  ".join(["of stock's own:", *watch.others()]))
        assert not watch.ours(), "\n".join(
            f"{report} at {watch.attribution.where(report)}" for report in watch.ours())


class Watch:
    """KCSAN at work in a guest, whose reports are not for others to complain about."""

    def __init__(self, guest):
        self.guest, self.attribution = guest, kcsan.Attribution(TREE, "kcsan")

    def __enter__(self):
        self.before = len(self.guest.vm.console())
        self.guest.vm.run("echo on >/sys/kernel/debug/kcsan")
        return self

    def __exit__(self, *_):
        self.stop()
        self.guest.reported += [f"BUG: KCSAN: {report.title}" for report in self.reports()]

    def stop(self):
        self.guest.vm.run("echo off >/sys/kernel/debug/kcsan")

    def reports(self):
        self.guest.vm.splats()      # all of the console is there
        return kcsan.reports(self.guest.vm.console()[self.before:])

    def ours(self):
        """Data races in code of the series: ours to mend."""
        return [report for report in self.reports() if self.attribution.ours(report)]

    def others(self):
        """For information, each once."""
        return sorted({str(report) for report in self.reports() if not self.attribution.ours(report)})

    def __str__(self):
        return f"{len(self.reports())} data races, {len(self.ours())} of them ours"
