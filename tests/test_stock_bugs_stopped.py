"""
What stock Linux does wrong if a task is held up at a bad moment: a module of the test stops it there
(tests/modules/stop_at.h). test_stock_has_bugs.py expects each test to fail on the stock kernel, with the
symptom that its patch describes (docs/stock-bugs.md).
"""

import time

import pytest
from conftest import BLOCK, Guest, insert, parameter
from test_stock_bugs_poison import BUDDY_FLAG, HWPOISON_FLAG, MEMORY, PAGE, flags, hard_poison, unpoison
from test_virtio_mem import pin_page, wait_for

PAGES = BLOCK // PAGE
HUGE_FLAG = 1 << 17     # of /proc/kpageflags

pytestmark = pytest.mark.part("stock-bugs", default=True)


@pytest.fixture(scope="module", params=[("debug", "page_owner=on")], ids=[""])
def guest(request):
    """
    Without allocation profiling: on stock its warning would hide the others. The driver works where its interrupts
    are: not on the CPU that is held.
    """
    config, append = request.param
    guest = Guest(f"stock-bugs-stopped-{config}", "memhp_default_state=online_movable irqaffinity=0 "
                  f"sysctl.vm.mem_profiling=never {append}", config=config,
                  modules=["block_lookup", "error_at_removal", "page_reader", "compaction_scan",
                           "compaction_target", "contiguous_memory"])
    yield guest
    guest.stop()


def address(memory, function):
    """Of a function of the kernel that modules cannot name."""
    return "0x" + memory.vm.run(f"grep -E ' [Tt] {function}$' /proc/kallsyms").split()[0]


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


@pytest.fixture
def stop(memory, repeat):
    """Insert one of the modules, and wait until it has stopped a task."""
    stopped = []

    def insert_and_wait(module, **parameters):
        task = Stopped(memory, module, **parameters)
        stopped.append(task)
        task.wait()
        return task

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
    before = memory.poisoned_pages()
    assert memory.hotplug("offline", block) == "ok"
    counting = stop("block_lookup", pfn=block * PAGES, inc=address(memory, "num_poisoned_pages_inc"),
                    sub=address(memory, "num_poisoned_pages_sub"))
    assert is_removed(memory, block, seconds=60)
    time.sleep(1)
    assert parameter(memory, "block_lookup", "done") == "N"
    counting.go_on()
    wait_for(lambda: parameter(memory, "block_lookup", "done") == "Y", timeout=60)
    memory.wait(0)
    assert memory.poisoned_pages() == before


# in the middle of it, and right after it
@pytest.mark.parametrize("where", ["unregister_memory_block_under_nodes", "arch_remove_memory"])
@pytest.mark.parametrize("undone", [0, 1])
def test_error_that_is_counted_while_its_block_goes(memory, block, where, undone):
    """It is not counted any more when the block is gone; one that was counted before, and is undone then, not twice."""
    before = memory.poisoned_pages()
    insert(memory, "error_at_removal", pfn=block * PAGES, where=where, undone=undone,
           inc=address(memory, "num_poisoned_pages_inc"), sub=address(memory, "num_poisoned_pages_sub"))
    memory.resize(0)
    was_there = parameter(memory, "error_at_removal", "was_there")
    memory.vm.run("rmmod error_at_removal")
    assert was_there == "Y"
    assert memory.poisoned_pages() == before


@pytest.fixture
def moves(memory):
    """Where files are that can be moved."""
    memory.vm.run("mkdir -p /tmp/moves && mount -t tmpfs -o size=1G moves /tmp/moves")
    yield "/tmp/moves"
    memory.vm.run("umount /tmp/moves")


# the command, the function that it calls with a struct page, which argument that is, and from where
READERS = {
    "kpagecount": ("dd if=/proc/kpagecount of=/dev/null bs={bytes} skip={block} count=1 2>/dev/null",
                   "snapshot_page", 1, None),
    "pagetypeinfo": ("cat /proc/pagetypeinfo >/dev/null",
                     "page_ext_get", 0, "pagetypeinfo_showmixedcount_print"),
    "page_owner": ("cat /sys/kernel/debug/page_owner >/dev/null",
                   "get_pfnblock_migratetype", 0, "read_page_owner"),
}


@pytest.fixture
def stop_reader(memory, block, repeat, stop):
    """Stop one that has found out that a page of the block is online, and has not looked at it yet."""
    def start(name):
        command, function, argument, caller = READERS[name]
        pid = repeat(command.format(bytes=8 * PAGES, block=block))
        return stop("page_reader", pid=pid, start_pfn=block * PAGES, nr_pages=PAGES, argument=argument,
                    function=address(memory, function), caller=address(memory, caller) if caller else 0)

    return start


@pytest.mark.parametrize("name", READERS)
def test_block_is_removed_while_its_pages_are_read(memory, block, moves, stop_reader, name):
    """Without PREEMPT_RCU the reader is not stopped before it has read: nothing happens (conftest.no_splats)."""
    memory.vm.run(f"dd if=/dev/zero of={moves}/data bs=1M count=16")    # page_owner shows allocated pages
    reader = stop_reader(name)
    removed = is_removed(memory, block, seconds=60)
    reader.go_on()
    assert removed
    memory.wait(0)


def offlining_waits(memory, function):
    """Not only for a moment."""
    in_it = f"grep -q {function} /proc/[0-9]*/stack"
    return memory.vm.call(f"{in_it} && sleep 3 && {in_it}")[0] == 0


def test_block_is_removed_while_compaction_scans_it(memory, block, repeat, stop):
    """It has found out that a pageblock is online, and pauses before it looks at its pages."""
    pid = repeat("echo 1 >/proc/sys/vm/compact_memory")
    compaction = stop("compaction_scan", pid=pid, start_pfn=block * PAGES, nr_pages=PAGES,
                      scan=address(memory, "isolate_migratepages_block"))
    memory.hidden.pop(block, None)
    memory.request(0)
    # until offlining waits for it, or, where it should not, is over
    wait_for(lambda: block not in memory.block_states() or
             offlining_waits(memory, "compaction_wait_for_scanners"), timeout=100)
    waited = block in memory.block_states()
    compaction.go_on()
    memory.wait(0)
    assert waited


def last_free_page(memory, block):
    """The last that begins a free chunk where the largest ones do: it is not in use soon."""
    return next(pfn for pfn in reversed(range(block * PAGES, (block + 1) * PAGES, 1024))
                if flags(memory, pfn) & BUDDY_FLAG)


POISONING = ("sleep 0.1; ! grep -qs live /sys/module/page_reader/initstate || "
             "{{ echo {address:#x} >{file}; kill -STOP $$; }} 2>/dev/null")


def offlining_waited(memory, block, stopped):
    """Try to remove the block before the task goes on; whether that was not possible."""
    offlining = memory.vm.start(f"hotplug offline {block} 120")     # the driver would not take a poisoned page
    wait_for(lambda: memory.block_states()[block] == "offline" or
             offlining_waits(memory, "memory_failure_wait"), timeout=100)
    waited = memory.block_states()[block] == "going-offline"
    if not waited:
        assert is_removed(memory, block, seconds=60)
    stopped.go_on()
    assert offlining.wait(60)[0] == 0
    return waited


def test_block_is_removed_while_an_error_is_handled(memory, block, repeat, stop):
    """The page was found online, and is free: nobody has a reference to it."""
    before = memory.poisoned_pages()
    pfn = last_free_page(memory, block)
    # once, as soon as the module is there
    pid = repeat(POISONING.format(address=pfn * PAGE, file=f"{MEMORY}/hard_offline_page"))
    error = stop("page_reader", pid=pid, start_pfn=pfn, nr_pages=1, argument=0,
                 function=address(memory, "take_page_off_buddy"))
    assert offlining_waited(memory, block, error)
    assert memory.poisoned_pages() == before + 1
    memory.resize(0)
    assert memory.poisoned_pages() == before


@pytest.fixture
def huge_page(memory, block):
    """The PFN of a hugetlb folio in use in the block."""
    vm = memory.vm
    vm.run("echo 1 >/proc/sys/vm/nr_hugepages && mkdir -p /tmp/huge && mount -t hugetlbfs none /tmp/huge && "
           "fallocate -l 2M /tmp/huge/file")
    yield next(pfn for pfn in range(block * PAGES, (block + 1) * PAGES, 512) if flags(memory, pfn) & HUGE_FLAG)
    vm.run("rm /tmp/huge/file && umount /tmp/huge && echo 0 >/proc/sys/vm/nr_hugepages")


def test_block_is_removed_while_a_huge_page_is_soft_offlined(memory, block, huge_page, repeat, stop):
    """It was migrated, and nobody has a reference any more: the page is looked for in the buddy next."""
    before = memory.poisoned_pages()
    pid = repeat(POISONING.format(address=huge_page * PAGE, file=f"{MEMORY}/soft_offline_page"))
    poisoning = stop("page_reader", pid=pid, start_pfn=huge_page, nr_pages=1, argument=0,
                     function=address(memory, "__page_handle_poison"))
    assert offlining_waited(memory, block, poisoning)
    assert memory.poisoned_pages() == before
    memory.resize(0)


def test_range_goes_offline_before_it_is_allocated(memory, block, stop):
    """It was found in the zone's lock. The allocation may fail, but does not look at what is gone (no_splats)."""
    allocation = stop("contiguous_memory", start_pfn=block * PAGES, nr_pages=PAGES,
                      range=address(memory, "alloc_contig_frozen_range_noprof"))
    assert is_removed(memory, block, seconds=60)
    allocation.go_on()
    wait_for(lambda: parameter(memory, "contiguous_memory", "done") == "Y", timeout=60)
    memory.wait(0)


# not by default: another kernel to build
@pytest.mark.part("stock-bugs")
@pytest.mark.parametrize("guest", [("preempt", "")], indirect=True, ids=["preempt"])
def test_offlining_waits_for_readers(memory, block, stop_reader):
    """
    With PREEMPT_RCU the reader is stopped. What keeps the block until then is that a page is pinned, for
    lru_cache_disable(), which waits for all readers, to be over. Without page_owner, which waits as well.
    """
    pin = pin_page(memory, block)
    offlining = memory.vm.start(f"hotplug offline {block} 120")
    time.sleep(3)
    reader = stop_reader("kpagecount")
    memory.vm.run(f"kill {pin}")
    time.sleep(15)
    state = memory.block_states()[block]
    reader.go_on()
    assert offlining.wait(60)[0] == 0
    assert state == "going-offline"
    assert memory.block_states()[block] == "offline"


def test_page_is_poisoned_before_compaction_uses_it(memory, block, moves, repeat, stop):
    """No data is moved there."""
    vm = memory.vm
    pid = repeat(f"for i in $(seq 100); do dd if=/dev/zero of={moves}/$i bs=1M count=1 2>/dev/null; done; "
                 f"rm {moves}/*[13579]; echo 1 >/proc/sys/vm/compact_memory")
    compaction = stop("compaction_target", pid=pid, compaction_alloc=address(memory, "compaction_alloc"))
    target = int(parameter(memory, "compaction_target", "target"))
    hard_poison(memory, target)
    # Once it is done, and before what was moved is freed again.
    vm.run(f"kill -STOP {pid}")
    compaction.go_on()
    wait_for(lambda: vm.run(f"cut -d ' ' -f 3 /proc/{pid}/stat").strip() == "T", timeout=60)
    assert flags(memory, target) == HWPOISON_FLAG
    unpoison(memory, target)
