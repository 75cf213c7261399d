"""Each case of the kernel's own tests of offline pages, run in a guest."""

import re

import pytest
from conftest import ROOT, TREE, image
from lab import ktap, kunit, splat
from lab.vm import VM

SOURCES = (sorted((ROOT / "kernel/tree/mm/tests").glob("offline_page*_kunit.c")) or
           sorted((ROOT / "build/linux/mm/tests").glob("offline_page*_kunit.c")))
CASES = ktap.cases(SOURCES) or ["(no case in mm/tests/offline_page*_kunit.c)"]


def blame(console):
    """{case: the splats on the console while it ran}; None: before, between and after the suites."""
    found, pending = {}, []
    for line in console.splitlines():
        match = re.search(r"\]     (?:ok|not ok) \d+ (?:- )?(\w+)", line)
        if match:
            found[match[1]], pending = pending, []
        pending += splat.find(line)
    found[None] = pending
    return found


def run_suites(vm, items, timeout):
    """
    Run the suites of the cases that these tests are about, and no others: that is for those who are
    interested in one case, such as mutations. Returns ({case: (verdict, its log)}, blame()).
    """
    wanted = {item.callspec.params["case"] for item in items
              if "case" in getattr(getattr(item, "callspec", None), "params", ())}
    found = kunit.run(vm, [ktap.suite(source) for source in SOURCES
                           if wanted.intersection(ktap.cases([source]))], timeout)
    for line in vm.splats():        # for the test to report
        vm.expect_splat(re.escape(line))
    return found, blame(vm.console())


@pytest.fixture(scope="module")
def results(request):
    with VM("kunit", image("debug"), memory=kunit.MEMORY,
            append=f"{kunit.APPEND} {kunit.HOTADD}") as vm:
        return run_suites(vm, request.session.items, timeout=600)


def check(results, case):
    """What the pytest case asserts."""
    found, splats = results
    assert case in found, f"{case} did not run on the {TREE} tree"
    verdict, log = found[case]
    assert verdict == "ok", log
    assert not splats[case], "kernel log:\n" + "\n".join(splats[case])


@pytest.mark.parametrize("case", CASES)
def test_kunit(results, case):
    check(results, case)


def test_kunit_is_quiet_in_between(results):
    _, splats = results
    assert not splats[None], "kernel log:\n" + "\n".join(splats[None])


KTAP = """
KTAP version 1
1..1
    KTAP version 1
    # Subtest: offline_page
    1..4
    ok 1 test_good
    # test_bad: EXPECTATION FAILED at mm/tests/offline_page_kunit.c:10
        Expected 1 == page_ref_count(page)
    not ok 2 test_bad
    ok 3 test_left_out # SKIP no memory
        KTAP version 1
        # Subtest: test_many
        ok 1 order 0
        not ok 2 order 9
    # test_many: pass:1 fail:1 skip:0 total:2
    not ok 4 test_many
not ok 1 offline_page
"""


def test_results_are_read_right():
    found = ktap.parse(KTAP)
    assert {case: verdict for case, (verdict, _) in found.items()} == {
        "test_good": "ok", "test_bad": "not ok", "test_left_out": "SKIP", "test_many": "not ok"}
    assert "Expected 1 ==" in found["test_bad"][1]
    assert "Expected 1 ==" not in found["test_good"][1] + found["test_left_out"][1]


CONSOLE = """
[    5.000001]     KTAP version 1
[    5.000002]     # Subtest: offline_page
[    5.100000]     ok 1 good
[    5.200000][  T77] WARNING: mm/page_alloc.c:10 at free_it+0x1/0x2
[    5.200001]     not ok 2 - bad
[    5.300000]         ok 1 order 0
[    5.300001] BUG: sleeping function called from invalid context
[    5.300002]     ok 3 sleepy
[    5.400000] ok 1 offline_page
[    5.500000] BUG: Bad page state in process sh
"""


def test_splats_are_blamed_right():
    assert blame(CONSOLE) == {
        "good": [], "bad": ["WARNING: mm/page_alloc.c:10 at free_it+0x1/0x2"],
        "sleepy": ["BUG: sleeping function called from invalid context"],
        None: ["BUG: Bad page state in process sh"]}
