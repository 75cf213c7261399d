"""The VMware balloon driver against a fake host, in the kernel: QEMU cannot play this one."""

import os

import kunit_module
import pytest

MODULE = "vmw_balloon_kunit"

# Another one: VMW_BALLOON_SEED=1 ./run check test_vmw_balloon
SEED = os.environ.get("VMW_BALLOON_SEED", "20261126")

# Pages of the balloon migrate from one to the other.
NODES = ["-object", "memory-backend-ram,id=ram0,size=640M",
         "-object", "memory-backend-ram,id=ram1,size=640M",
         "-numa", "node,nodeid=0,memdev=ram0,cpus=0-1",
         "-numa", "node,nodeid=1,memdev=ram1"]

# What fails on the unpatched kernel, and why. So does test_unload_during_reset, but it is a race: not each time.
STOCK_BUGS = {
    "test_batched_2m": "2M pages are not in NR_BALLOON_PAGES",
    "test_refused_2m_few": "as test_batched_2m",
    "test_refused_2m_are_split": "as test_batched_2m",
    "test_deflate_refused_2m": "as test_batched_2m",
    "test_reset_2m": "as test_batched_2m",
    "test_reset_to_another_host": "as test_batched_2m",
    "test_migrate_2m": "as test_batched_2m",
    "test_shrinker_2m": "as test_batched_2m",
    "test_reset_frees_the_batch_page": "each reset leaks the page for batched commands",
    "test_unload_frees_the_batch_page": "unloading leaks the page for batched commands",
    "test_unload_inflated_2m": "unloading with 2M pages in the balloon does not end",
    "test_refused_statistics": "errFree in debugfs counts many refused pages as one",
    "test_migrate_lock_refused": "NR_BALLOON_PAGES keeps a page that left the balloon",
    "test_migrate_to_another_node": "NR_BALLOON_PAGES of a node keeps a page that moved away",
}


def run(only, timeout):
    return kunit_module.run(MODULE, only=only, memory="1280M", args=NODES, timeout=timeout,
                            parameters=f"seed={SEED}")


@pytest.fixture(scope="module")
def results():
    return run("vmw_balloon", 1800)


@pytest.fixture(scope="module")
def hostile():
    """In a guest of its own: stock does not survive it."""
    return run("vmw_balloon_hostile", 900)


@pytest.mark.parametrize("case", kunit_module.cases(MODULE, ".c"))
def test_vmw_balloon(results, case):
    kunit_module.check(results, case)


@pytest.mark.part("hostile")
@pytest.mark.parametrize("case", kunit_module.cases(MODULE, "_hostile.h"))
def test_vmw_balloon_hostile(hostile, case):
    kunit_module.check(hostile, case)


def test_stock_bugs_are_cases():
    assert STOCK_BUGS.keys() <= set(kunit_module.cases(MODULE, ".c"))
