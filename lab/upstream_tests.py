"""
Which of upstream's own tests ./run check --all upstream runs; docs/upstream-tests.md has those that are
left out, with the reason for each.
"""

import re

from lab import ktap
from lab.selftests import PLACE
from lab.sidebyside import Program

MM = f"{PLACE}/mm"
SUITES = "/sys/kernel/debug/kunit"

# Of selftests/mm, with the arguments of its run_vmtests.sh: {command: options of Program}
_MM = {
    "hugetlb-mmap": {}, "hugetlb-shm": {}, "hugetlb-mremap": {}, "hugetlb-madvise": {},
    "hugetlb_dio": {}, "hugetlb_fault_after_madv": {}, "hugetlb_madv_vs_map": {}, "thuge-gen": {},
    "map_fixed_noreplace": {}, "map_populate": {}, "droppable": {}, "madv_populate": {},
    "guard-regions": {}, "process_madv": {}, "mrelease_test": {}, "mdwe_test": {}, "mseal_test": {},
    "merge": {}, "mremap_test": {}, "mremap_dontunmap": {}, "mkdirty": {}, "memfd_secret": {},
    "pfnmap": {},
    # by somebody who may not lock as much as he likes
    "on-fault-limit": {"command": "su -s /bin/sh nobody -c ./on-fault-limit"},
    "mlock2-tests": {}, "mlock-random-test": {},
    "gup_test -u -n 1": {}, "gup_test -u -n -1": {}, "gup_test -a -n 1": {}, "gup_test -a -n -1": {},
    "gup_test -ct -F 0x1 0 19 0x1000": {}, "gup_longterm": {},
    "soft-dirty": {}, "pagemap_ioctl": {"timeout": 600}, "cow": {"timeout": 900},
    "uffd-unit-tests": {"timeout": 1800}, "uffd-wp-mremap": {},
    "uffd-stress anon 20 16": {}, "uffd-stress shmem 20 16": {}, "uffd-stress shmem-private 20 16": {},
    "uffd-stress hugetlb 128 32": {}, "uffd-stress hugetlb-private 128 32": {},
    "ksm_tests -M -p 10": {}, "ksm_tests -U": {}, "ksm_tests -Z -p 10 -z 0": {},
    "ksm_tests -Z -p 10 -z 1": {}, "ksm_tests -N -m 1": {}, "ksm_tests -N -m 0": {},
    "ksm_functional_tests": {},
    "protection_keys_64": {"timeout": 600}, "pkey_sighandler_tests_64": {},
    "khugepaged": {"timeout": 900}, "khugepaged all:shmem": {"timeout": 900},
    "khugepaged -c 4 mthp_khugepaged:anon": {"timeout": 900},
    "split_huge_page_test": {"timeout": 600}, "folio_split_race_test": {"timeout": 600},
    "prctl_thp_disable": {}, "transhuge-stress -d 20": {"timeout": 900},
    "migration": {"timeout": 900}, "rmap": {}, "compaction_test": {"timeout": 600},
    "hmm-tests": {"timeout": 900},
    # These poison pages.
    "hugetlb-soft-offline": {"alone": True}, "hugetlb-read-hwpoison": {"alone": True},
    "memory-failure": {"alone": True},
}


# What the configuration ppc64le has everything for
_PPC64LE = {
    "hugetlb-mmap", "hugetlb-shm", "hugetlb-madvise", "hugetlb_dio",
    "hugetlb_fault_after_madv", "hugetlb_madv_vs_map", "thuge-gen", "map_fixed_noreplace", "droppable",
    "madv_populate", "guard-regions", "mdwe_test", "mseal_test", "mremap_test", "mremap_dontunmap",
    "on-fault-limit", "mlock2-tests", "mlock-random-test", "cow", "khugepaged", "khugepaged all:shmem",
    "split_huge_page_test", "folio_split_race_test", "prctl_thp_disable", "transhuge-stress -d 20",
    "compaction_test", "hugetlb-soft-offline", "hugetlb-read-hwpoison", "memory-failure",
}


# The smallest part of the memory that the script takes, and one so large that it takes blocks at random as
# well: for errors that are injected, only those are used. On x86, that of make run_full_test.
_HOTPLUG = {"x86": ("", " -r 10"), "ppc64le": ("", " -r 50")}


def selftests(machine="x86"):
    for name, options in _MM.items():
        if machine == "x86" or name in _PPC64LE:
            yield Program(name, folder=MM, **{"command": f"./{name}", **options})
    for arguments in _HOTPLUG[machine]:
        name = f"mem-on-off-test.sh{arguments}"
        yield Program(name, f"./{name}", f"{PLACE}/memory-hotplug", 900, alone=True, parse=blocks)


def programs_of_mm():
    """The names of the executables among them."""
    return {name.split()[0] for name in _MM}


def blocks(output):
    """
    How many blocks mem-on-off-test.sh has taken offline. Which ones it tries is of no account, nor that
    it tries others: in the end, its exit status tells.
    """
    return {f"block {number} of the target goes offline": "ok"
            for number, _ in enumerate(re.findall(r"^-> Success$", output, re.M), 1)}


def suite(name):
    """A KUnit suite, in a guest that has not run any at boot."""
    return Program(f"KUnit {name}", f"echo 1 > {SUITES}/{name}/run; cat {SUITES}/{name}/results",
                   timeout=600, parse=cases)


def cases(output):
    return {case: verdict for case, (verdict, _) in ktap.parse(output).items()}
