"""
What stock Linux does wrong if a task is held up at a bad moment: a module of the test stops it there
(tests/modules/stop_at.h). test_stock_has_bugs.py expects each test to fail on the stock kernel, with the
symptom that its patch describes (docs/stock-bugs.md).
"""

import time

import pytest
from conftest import BLOCK, Guest, insert, parameter
from test_stock_bugs_poison import HWPOISON_FLAG, PAGE, flags, hard_poison, unpoison
from test_virtio_mem import wait_for

PAGES = BLOCK // PAGE

pytestmark = pytest.mark.part("stock-bugs", default=True)


@pytest.fixture(scope="module")
def guest():
    """Without allocation profiling: on stock its warning would hide the others."""
    guest = Guest("stock-bugs-stopped", "memhp_default_state=online_movable sysctl.vm.mem_profiling=never",
                  modules=["block_lookup", "page_reader", "compaction_target"])
    yield guest
    guest.stop()


def addresses(memory, *names):
    """Of functions of the kernel, by the names of the module's parameters."""
    symbols = dict(reversed(line.split()[::2]) for line in memory.vm.run(
        f"grep -E ' [Tt] ({'|'.join(names)})$' /proc/kallsyms").splitlines())
    return {name.removeprefix("memblk_nr_poison_"): f"0x{symbols[name]}" for name in names}


class Stopped:
    """A task that a module has stopped."""

    def __init__(self, memory, module, **parameters):
        self.memory, self.module = memory, module
        insert(memory, module, **parameters)
        wait_for(lambda: parameter(memory, module, "stopped") == "Y", timeout=100)

    def go_on(self):
        self.memory.vm.run(f"echo Y >/sys/module/{self.module}/parameters/gone")


@pytest.fixture
def repeat(memory):
    """Run a command of the shell on CPU 1, again and again, until the test is over; gives its PID."""
    started = []

    def start(command):
        started.append(memory.vm.start(f"taskset 2 sh -c 'echo $$ >/tmp/pid; while :; do {command}; done'"))
        return memory.vm.run("while ! [ -s /tmp/pid ]; do sleep 0.1; done; cat /tmp/pid").strip()

    yield start
    memory.vm.run("kill -9 $(cat /tmp/pid); rm /tmp/pid")
    for task in started:
        task.wait()
    memory.vm.run("! mountpoint -q /tmp/moves || umount /tmp/moves")


def is_removed(memory, block, seconds):
    """Ask for it; whether it is done in that time."""
    memory.hidden.pop(block, None)
    memory.request(0)
    end = time.monotonic() + seconds
    while block in memory.block_states():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def test_error_is_counted_while_its_block_is_removed(memory, block):
    """Nothing is in the kernel log (conftest.no_splats): the block is not used after it was freed."""
    assert memory.hotplug("offline", block) == "ok"
    counting = Stopped(memory, "block_lookup", pfn=block * PAGES,
                       **addresses(memory, "memblk_nr_poison_inc", "memblk_nr_poison_sub"))
    assert is_removed(memory, block, seconds=60)
    time.sleep(1)
    assert parameter(memory, "block_lookup", "done") == "N"
    counting.go_on()
    wait_for(lambda: parameter(memory, "block_lookup", "done") == "Y", timeout=60)
    memory.vm.run("rmmod block_lookup")
    memory.wait(0)


def test_block_is_removed_while_its_pages_are_read(memory, block, repeat):
    """
    The reader of /proc/kpagecount has found out that the page is online, and has not looked at it yet.
    Either removing the block waits for it, or it cannot be stopped there (without PREEMPT_RCU).
    """
    pid = repeat(f"dd if=/proc/kpagecount of=/dev/null bs={8 * PAGES} skip={block} count=1 2>/dev/null")
    reader = Stopped(memory, "page_reader", pid=pid, start_pfn=block * PAGES, nr_pages=PAGES,
                     **addresses(memory, "snapshot_page"))
    is_removed(memory, block, seconds=15)
    reader.go_on()
    memory.vm.run("rmmod page_reader")
    memory.wait(0)


def test_page_is_poisoned_before_compaction_uses_it(memory, block, repeat):
    """No data is moved there."""
    vm = memory.vm
    vm.run("mkdir -p /tmp/moves && mount -t tmpfs -o size=1G moves /tmp/moves")
    pid = repeat("for i in $(seq 100); do dd if=/dev/zero of=/tmp/moves/$i bs=1M count=1 2>/dev/null; done; "
                 "rm /tmp/moves/*[13579]; echo 1 >/proc/sys/vm/compact_memory")
    compaction = Stopped(memory, "compaction_target", pid=pid, **addresses(memory, "compaction_alloc"))
    target = int(parameter(memory, "compaction_target", "target"))
    hard_poison(memory, target)
    compaction.go_on()
    vm.run("rmmod compaction_target", timeout=120)
    assert flags(memory, target) == HWPOISON_FLAG
    unpoison(memory, target)
