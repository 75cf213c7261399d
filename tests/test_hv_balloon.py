"""The Hyper-V balloon driver, as it is, against a fake host in a test module."""

import os

import kunit_module
import pytest

MODULE = "hv_balloon_kunit"

# RAM that the kernel does not know of, to be hot-added: 14 memory blocks.
HIDDEN, HIDDEN_SIZE = 0x30000000, 14 << 27
# Another one: HV_BALLOON_SEED=1 ./run check test_hv_balloon
SEED = os.environ.get("HV_BALLOON_SEED", "20261123")


@pytest.fixture(scope="module")
def results():
    size = HIDDEN_SIZE >> 20
    return kunit_module.run(
        MODULE, memory="2800M", timeout=3600, append=(
            # Some cases take minutes where the machine is busy.
            "kunit.timeout=1200 sysctl.kernel.hung_task_timeout_secs=1200 "
            "page_owner=on memhp_default_state=online_movable "
            f"memmap={size}M%{HIDDEN:#x}-1"),
        parameters=f"hotadd={HIDDEN:#x} hotadd_size={HIDDEN_SIZE} seed={SEED}")


@pytest.mark.parametrize("case", kunit_module.cases(MODULE))
def test_hv_balloon(results, case):
    kunit_module.check(results, case)
