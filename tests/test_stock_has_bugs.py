"""Do test_stock_bugs_*.py show what they say? Each test has to fail on stock, and why is part of it."""

import re

import pytest
from conftest import TREE
from lab import kernel
from rerun import rerun
from test_stock_bugs_poison import BUDDY_FLAG, HWPOISON_FLAG
from test_vmw_balloon import STOCK_BUGS

# the tests that fail on stock, and with what
SYMPTOMS = {
    "test_soft_offlined_balloon_page": "EINTR",
    "test_soft_offlined_zsmalloc_page": "EINTR",
    "test_soft_offlined_balloon_page_is_unpoisoned": "exit status",
    "test_poisoned_balloon_page": "EINTR",
    "test_poisoned_zsmalloc_page": "EINTR",
    "test_page_freed_while_poisoned_is_unpoisoned": "EINTR",
    "test_soft_offlined_page_is_counted_once": "counts_some",
    # or the zone has -1 pages, and the next allocation is the last
    "test_poisoned_offline_page": r"assert \d+ == \(?\d+|System is deadlocked on memory",
    "test_poisoned_huge_page": "EINTR",
    "test_poisoned_part_of_a_huge_page_is_not_freed": r"assert \(?\d+ & ",
    "test_chunk_with_a_poisoned_page_is_not_lost": r"assert \(?\d+ & ",
    "test_page_is_poisoned_while_it_is_reported": f"assert {BUDDY_FLAG | HWPOISON_FLAG} == {HWPOISON_FLAG}",
    "test_page_poisoned_while_it_was_reported_is_unpoisoned": f"assert {BUDDY_FLAG | HWPOISON_FLAG} == {HWPOISON_FLAG}",
    "test_poisoned_part_of_kernel_memory_is_not_freed": f"assert {BUDDY_FLAG | HWPOISON_FLAG} == {HWPOISON_FLAG}",
    "test_error_is_counted_while_its_block_is_removed": "KASAN: slab-use-after-free in kobject_get",
    "test_block_is_removed_while_its_pages_are_read": "unable to handle page fault",
    "test_error_that_is_counted_while_its_block_goes": r"assert \d+ == \d+",
    "test_block_is_removed_while_compaction_scans_it": "unable to handle page fault",
    "test_block_is_removed_while_an_error_is_handled": "unable to handle page fault",
    "test_block_is_removed_while_a_huge_page_is_soft_offlined": "unable to handle page fault",
    "test_range_goes_offline_before_it_is_allocated": "unable to handle page fault",
    "test_page_is_poisoned_before_compaction_uses_it": rf"assert \d+ == {HWPOISON_FLAG}",
    "test_poisoned_folio_that_is_never_split": "EINTR",
    "test_allocation_of_a_range_that_is_going_offline": "EINTR",
    "test_soft_offline_of_a_page_that_is_going_offline": r"kernel BUG at include/linux/mm.h",
    "test_unpoisoning_a_page_that_is_going_offline": r"kernel BUG at include/linux/",
    "test_tags_of_skipped_pages": r"assert \(?\d+ - \d+",
    "test_slab_page": "EINTR",
    "test_contiguous_memory_of_a_zone_that_begins_in_a_pageblock": r"kernel BUG at mm/page_alloc\.c",
    "test_zone_without_memory_keeps_its_lists": "assert 'Y' == 'N'",
    "test_balloon_pages_that_move_to_another_node": r"assert {0: \d+",
    "test_compaction_while_the_last_block_goes": r"kernel BUG at include/linux/mm.h",
    "test_allocation_while_a_zone_comes_and_goes":
        "null-ptr-deref in (get_page_from_freelist|alloc_pages_bulk)",
    "test_watchdog_of_clocksources_while_the_machine_is_stopped":
        "no end within .* CPU . at watchdog_(check_skew|wait_seq)",
    "test_refused_zone_is_forgotten": "Normal",
    "test_free_page_reporting_after_suspend": "pagealloc: memory corruption",
    "test_block_goes_while_its_file_is_read": "possible circular locking",
    "test_dump_page_names_every_type": "(?s)null.*zsmalloc|zsmalloc.*null",
    "test_onlining_with_allocation_profiling": "WARNING: .*alloc_tag",
    "test_struct_pages_beyond_a_small_hole": "the sources differ",
    **{f"test_vmw_balloon[{case}]": "EXPECTATION FAILED" for case in STOCK_BUGS},
}


@pytest.fixture(scope="module")
def on_stock(tmp_path_factory):
    assert TREE == "linux", "this compares with stock by itself"
    kernel.build("stock", "debug")      # if this fails, no test has shown anything
    expression = " or ".join(re.findall(r"\w+", test)[-1] for test in SYMPTOMS)
    report = tmp_path_factory.mktemp("stock") / "report.xml"
    return rerun(expression, report, "stock", without=[__file__])


@pytest.mark.part("stock-bugs")
@pytest.mark.parametrize("test", SYMPTOMS)
def test_stock_has_it(on_stock, test):
    said = [text for name, text in on_stock.items() if test in (name, name.partition("[")[0])]
    assert said, f"{test} did not run"
    for text in said:
        assert text, f"{test} passes on stock"
        assert re.search(SYMPTOMS[test], text), text
