"""
A hundred random resizes, with all that moves pages beside them. The seed is printed; SEED=... in
the environment repeats a run, as far as the guest's timing allows.
"""

import os
import random

import pytest
from conftest import MIB, Guest, check
from lab.progress import say
from test_virtio_mem import unplugged

pytestmark = pytest.mark.part("torture")

RESIZES = 100
SIZES = range(300, 1200, 2)     # MiB

# What moves pages, or needs many at once.
BESIDE = [
    "while :; do echo 1 > /proc/sys/vm/compact_memory; sleep 0.5; done",
    "while :; do echo 40 > /proc/sys/vm/nr_hugepages; sleep 0.3; "
    "echo 0 > /proc/sys/vm/nr_hugepages; sleep 0.3; done",
]


@pytest.fixture
def guest():
    guest = Guest("virtio-mem-random", "memhp_default_state=online_movable")
    yield guest
    guest.stop()


def test_random_resizes(guest, memory):
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    say(f"seed: {seed}")
    chance, vm = random.Random(seed), guest.vm
    memory.resize(500 * MIB)
    vm.run("memtest start 250 --procs=2", timeout=300)
    beside = [vm.start(command) for command in BESIDE]
    offline, answers = [], []
    for number in range(1, RESIZES + 1):
        mib = chance.choice(SIZES)
        memory.request(mib * MIB)
        # The driver is in the middle of it when blocks come and go.
        blocks = sorted(memory.block_states())
        if offline and chance.random() < 0.5:
            hotplug(vm, "online_movable", offline.pop(chance.randrange(len(offline))))
        if blocks and len(offline) < 2 and chance.random() < 0.5:
            block = chance.choice(blocks)
            answers.append(hotplug(vm, "offline", block))
            if answers[-1] == "ok":
                offline.append(block)
        vm.run("memtest status")
        if number % 10 == 0:
            settle(memory, mib)
            offline = []
    for job in beside:
        assert not job.finished
        job.kill()
        job.wait()
    assert answers.count("ok") > 5, f"hardly any block went offline: {answers}"
    vm.run("echo 0 > /proc/sys/vm/nr_hugepages")
    assert vm.run("memtest stop", timeout=300).startswith("ok ")
    memory.poke(0)
    assert memory.memtotal() == memory.base and not memory.block_states()


def settle(memory, mib):
    """All blocks are online, the device has what was asked for, and nothing is miscounted."""
    for block, state in memory.block_states().items():
        if state == "offline":
            assert hotplug(memory.vm, "online_movable", block) in ("ok", "ENOENT")
    memory.poke(mib * MIB, timeout=300)
    check(memory, offline=unplugged(mib))


def hotplug(vm, action, block):
    """As Memory.hotplug(), but without a look at all pages: time matters."""
    # A signal ends offlining only between two rounds, and a round with huge pages takes its time.
    _, output = vm.call(f"hotplug {action} {block} 5", timeout=300)
    return output.split()[0]
