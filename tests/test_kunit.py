"""Each case of the kernel's own tests of offline pages, run when a guest boots."""

import re

import pytest
from conftest import ROOT, TREE, image
from lab.vm import VM

SOURCES = (sorted((ROOT / "kernel/tree/mm/tests").glob("offline_page*_kunit.c")) or
           sorted((ROOT / "build/linux/mm/tests").glob("offline_page*_kunit.c")))


def cases():
    """Names of all cases, from the source: one that did not run is seen to be missing."""
    names = [name for source in SOURCES
             for name in re.findall(r"\bKUNIT_CASE\w*\(\s*(\w+)", source.read_text())]
    return names or ["(no case in mm/tests/offline_page*_kunit.c)"]


def parse(results):
    """{case: (verdict, its log)} from KTAP; verdict is ok, not ok or SKIP."""
    found, log = {}, []
    for line in results.splitlines():
        match = re.fullmatch(r"    (ok|not ok) \d+ (?:- )?(\w+)(?: # (SKIP)?.*)?", line)
        if match:
            found[match[2]] = match[3] or match[1], "\n".join(log)
            log = []
        else:
            log.append(line)
    return found


@pytest.fixture(scope="module")
def results():
    """
    From debugfs: the console mixes the results with other messages. The last 256 MiB are hidden
    from the kernel, to be hot-added by some of the cases.
    """
    with VM("kunit", image("debug"), memory="1280M", append=(
            "kunit.enable=1 kunit.autorun=1 kunit.filter_glob=offline_page* "
            "memhp_default_state=online_movable "
            "memmap=256M%0x30000000-1 offline_page_kunit.hotadd=0x30000000 "
            "page_owner=on debug_pagealloc=on")) as vm:
        return parse(vm.run("cat /sys/kernel/debug/kunit/offline_page*/results"))


@pytest.mark.parametrize("case", cases())
def test_kunit(results, case):
    assert case in results, f"{case} did not run on the {TREE} tree"
    verdict, log = results[case]
    assert verdict == "ok", log


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
    found = parse(KTAP)
    assert {case: verdict for case, (verdict, _) in found.items()} == {
        "test_good": "ok", "test_bad": "not ok", "test_left_out": "SKIP", "test_many": "not ok"}
    assert "Expected 1 ==" in found["test_bad"][1]
    assert "Expected 1 ==" not in found["test_good"][1] + found["test_left_out"][1]
