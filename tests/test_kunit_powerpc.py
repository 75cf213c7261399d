"""The kernel's own tests of offline pages on a machine with 64K pages, and with either MMU."""

import re

import pytest
from conftest import image
from lab import ktap
from lab.arch import PSERIES
from lab.vm import VM
from powerpc import CONFIG, MMUS
from test_kunit import CASES, FAIL_PAGE_ALLOC, blame

pytestmark = pytest.mark.part("powerpc")

# Those that hot-add memory need a range of RAM that the kernel does not know: there is no memmap= here.
# Nor is there more than one zone, or a hole.
HERE = [case for case in CASES if not re.search("block|_across_zones_|_over_hole_", case)]


@pytest.fixture(scope="module", params=MMUS)
def results(request):
    with VM(f"kunit-powerpc-{request.param}", image(CONFIG), arch=PSERIES, memory="1280M", timeout=600,
            append=("kunit.enable=1 kunit.autorun=0 kunit.filter_glob=offline_page* "
                    f"page_owner=on {MMUS[request.param]}")) as vm:
        for name, value in FAIL_PAGE_ALLOC.items():
            vm.run(f"echo {value} > /sys/kernel/debug/fail_page_alloc/{name}")
        vm.run("for run in /sys/kernel/debug/kunit/offline_page*/run; do echo 1 > $run; done",
               timeout=1200)
        found = ktap.parse(vm.run("cat /sys/kernel/debug/kunit/offline_page*/results"))
        for line in vm.splats():        # for the test to report
            vm.expect_splat(re.escape(line))
        return found, blame(vm.console())


@pytest.mark.parametrize("case", HERE)
def test_kunit_powerpc(results, case):
    found, splats = results
    assert case in found
    verdict, log = found[case]
    assert verdict == "ok", log
    assert not splats[case], "kernel log:\n" + "\n".join(splats[case])
