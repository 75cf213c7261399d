"""The kernel's own tests of offline pages on a machine with 64K pages, and with either MMU."""

import re

import pytest
from conftest import image
from lab.arch import PSERIES
from lab.kunit import APPEND
from lab.vm import VM
from powerpc import CONFIG, MMUS
from test_kunit import CASES, check, run_suites

pytestmark = pytest.mark.part("powerpc")

# Those that hot-add memory need a range of RAM that the kernel does not know: there is no memmap= here.
# Nor is there more than one zone, or a hole.
ELSEWHERE = "block|never_onlined_page_is_lent|_across_zones_|_over_hole_"
HERE = [case for case in CASES if not re.search(ELSEWHERE, case)]


@pytest.fixture(scope="module", params=MMUS)
def results(request):
    with VM(f"kunit-powerpc-{request.param}", image(CONFIG), arch=PSERIES, memory="1280M",
            timeout=600, append=f"{APPEND} {MMUS[request.param]}") as vm:
        return run_suites(vm, request.session.items, timeout=1200)


@pytest.mark.parametrize("case", HERE)
def test_kunit_powerpc(results, case):
    check(results, case)
