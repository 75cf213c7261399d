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


@pytest.fixture(scope="module", params=["debug"])
def guest(request):
    """Without allocation profiling: on stock its warning would hide the others."""
    guest = Guest(f"stock-bugs-stopped-{request.param}",
                  "memhp_default_state=online_movable sysctl.vm.mem_profiling=never", config=request.param,
                  modules=["block_lookup", "page_reader", "compaction_target"])
    yield guest
    guest.stop()


def addresses(memory, *names):
    """Of functions of the kernel, by the names of the module's parameters."""
    symbols = dict(reversed(line.split()[::2]) for line in memory.vm.run(
        f"grep -E ' [Tt] ({'|'.join(names)})$' /proc/kallsyms").splitlines())
    return {name.removeprefix("memblk_nr_poison_"): f"0x{symbols[name]}" for name in names}


class Stopped:
    """A task that a module stops."""

    def __init__(self, memory, module, **parameters):
        self.memory, self.module = memory, module
        insert(memory, module, **parameters)

    def wait(self):
        wait_for(lambda: parameter(self.memory, self.module, "stopped") == "Y", timeout=100)

    def go_on(self):
        self.memory.vm.run(f"echo Y >/sys/module/{self.module}/parameters/gone")

    def end(self):
        self.go_on()
        self.memory.vm.run(f"rmmod {self.module}", timeout=120)


@pytest.fixture
def repeat(memory):
    """Run a command of the shell on CPU 1, again and again, until the test is over; gives its PID."""
    started = []

    def start(command):
        started.append(memory.vm.start(f"taskset 2 sh -c 'echo $$ >/tmp/pid; while :; do {command}; done'"))
        return memory.vm.run("while ! [ -s /tmp/pid ]; do sleep 0.1; done; cat /tmp/pid").strip()

    yield start
    for task in started:
        memory.vm.run("kill -9 $(cat /tmp/pid); rm /tmp/pid")
        task.wait()
    memory.vm.run("! mountpoint -q /tmp/moves || umount /tmp/moves")


@pytest.fixture
def stop(memory, repeat):
    """Insert one of the modules, and wait until it has stopped a task."""
    stopped = []

    def insert_and_wait(module, **parameters):
        stopped.append(Stopped(memory, module, **parameters))
        stopped[0].wait()
        return stopped[0]

    yield insert_and_wait
    for each in stopped:
        each.end()


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


def test_error_is_counted_while_its_block_is_removed(memory, block, stop):
    """Nothing is in the kernel log (conftest.no_splats): the block is not used after it was freed."""
    assert memory.hotplug("offline", block) == "ok"
    counting = stop("block_lookup", pfn=block * PAGES,
                    **addresses(memory, "memblk_nr_poison_inc", "memblk_nr_poison_sub"))
    assert is_removed(memory, block, seconds=60)
    time.sleep(1)
    assert parameter(memory, "block_lookup", "done") == "N"
    counting.go_on()
    wait_for(lambda: parameter(memory, "block_lookup", "done") == "Y", timeout=60)
    memory.wait(0)


def go_while_its_pages_are_read(memory, block, repeat, stop):
    """
    The reader of /proc/kpagecount has found out that the page is online, and has not looked at it yet.
    Gives whether the block is removed meanwhile.
    """
    pid = repeat(f"dd if=/proc/kpagecount of=/dev/null bs={8 * PAGES} skip={block} count=1 2>/dev/null")
    reader = stop("page_reader", pid=pid, start_pfn=block * PAGES, nr_pages=PAGES,
                  **addresses(memory, "snapshot_page"))
    removed = is_removed(memory, block, seconds=15)
    reader.go_on()
    memory.wait(0)
    return removed


def test_block_is_removed_while_its_pages_are_read(memory, block, repeat, stop):
    """Without PREEMPT_RCU the reader is not stopped before it has read: nothing happens (conftest.no_splats)."""
    go_while_its_pages_are_read(memory, block, repeat, stop)


# not by default: another kernel to build
@pytest.mark.part("stock-bugs")
@pytest.mark.parametrize("guest", ["preempt"], indirect=True)
def test_block_is_not_removed_while_its_pages_are_read(memory, block, repeat, stop):
    """With PREEMPT_RCU it is stopped, and removing the block waits for it."""
    assert not go_while_its_pages_are_read(memory, block, repeat, stop)


def test_page_is_poisoned_before_compaction_uses_it(memory, block, repeat, stop):
    """No data is moved there."""
    vm = memory.vm
    vm.run("mkdir -p /tmp/moves && mount -t tmpfs -o size=1G moves /tmp/moves")
    pid = repeat("for i in $(seq 100); do dd if=/dev/zero of=/tmp/moves/$i bs=1M count=1 2>/dev/null; done; "
                 "rm /tmp/moves/*[13579]; echo 1 >/proc/sys/vm/compact_memory")
    compaction = stop("compaction_target", pid=pid, **addresses(memory, "compaction_alloc"))
    target = int(parameter(memory, "compaction_target", "target"))
    hard_poison(memory, target)
    # Once it is done, and before what was moved is freed again.
    vm.run(f"kill -STOP {pid}")
    compaction.go_on()
    wait_for(lambda: vm.run(f"cut -d ' ' -f 3 /proc/{pid}/stat").strip() == "T", timeout=60)
    assert flags(memory, target) == HWPOISON_FLAG
    unpoison(memory, target)
