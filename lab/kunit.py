"""The kernel's own tests of offline pages, in a guest."""

import re

from lab import ktap
from lab.errors import LabError
from lab.vm import VM

SUITES = "/sys/kernel/debug/kunit"
APPEND = "kunit.enable=1 kunit.autorun=0 kunit.filter_glob=offline_page* page_owner=on"
# The 256 MiB at 768 MiB are hidden from the kernel, to be hot-added by some of the cases. x86 only.
MEMORY = "1280M"
HOTADD = ("debug_pagealloc=on memhp_default_state=online_movable "
          "memmap=256M%0x30000000-1 offline_page_kunit.hotadd=0x30000000")

# Page allocations of those tasks fail that ask for it.
FAIL_PAGE_ALLOC = {"task-filter": "Y", "probability": 100, "times": -1, "verbose": 0,
                   "min-order": 0, "ignore-gfp-wait": "N", "ignore-gfp-highmem": "N"}


def run(vm, suites, timeout):
    """Run these suites in a guest that has booted with APPEND; return {case: (verdict, its log)}."""
    for name, value in FAIL_PAGE_ALLOC.items():
        vm.run(f"echo {value} > /sys/kernel/debug/fail_page_alloc/{name}")
    for suite in suites:
        vm.run(f"echo 1 > {SUITES}/{suite}/run", timeout=timeout)
    # The console mixes the results with other messages.
    return ktap.parse(vm.run(f"cat {SUITES}/offline_page*/results"))


def check(name, image):
    """Boot a kernel and run all suites that it has: the first thing that is wrong is raised."""
    with VM(name, image, memory=MEMORY, append=f"{APPEND} {HOTADD}") as vm:
        suites = re.findall(r"\boffline_page\w*", vm.run(f"ls {SUITES}"))
        found = run(vm, suites, timeout=600) if suites else {}
        for case, (verdict, _) in found.items():
            if verdict == "not ok":
                raise LabError(f"{case} fails")
