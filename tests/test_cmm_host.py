"""The CMM of pseries against a fake hypervisor, in the kernel: QEMU's knows nothing of loaned pages."""

import kunit_module
import pytest
from lab.arch import PSERIES

pytestmark = pytest.mark.part("powerpc")

MODULE = "cmm_kunit"

# What fails on the unpatched kernel, and why.
STOCK_BUGS = {
    "test_unload_while_migrating": "a page that is being migrated is left behind",
    "test_disable_while_migrating": "the same",
    "test_restart_while_migrating": "the same",
    "test_no_thread": "an error code is stopped as if it were a thread",
    "test_hotplug_refused": "unlocks what it has not locked",
}


@pytest.fixture(scope="module")
def results():
    return kunit_module.run(MODULE, config="ppc64le", arch=PSERIES, memory="2G", timeout=1800)


@pytest.mark.parametrize("case", kunit_module.cases(MODULE))
def test_cmm_host(results, case):
    kunit_module.check(results, case)


def test_stock_bugs_are_cases():
    assert STOCK_BUGS.keys() <= set(kunit_module.cases(MODULE))
