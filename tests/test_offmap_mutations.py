"""
Can the tests of offmap fail? Each mutation breaks the program in one place and names the tests of
test_offmap.py that have to notice: all of these have to fail.
"""

import shutil
import subprocess

import pytest
from lab.paths import OFFMAP
from rerun import rerun

# file, what is there, what becomes of it, tests (as for pytest -k)
MUTATIONS = {
    "free-is-used": ("scan.c", "} else if (flags & BUDDY) {", "} else if (flags & (BUDDY << 1)) {",
                     "test_total or test_zones"),
    "skippable-is-never-onlined": ("scan.c", "sort == SORT_SKIPPABLE ||", "sort == SORT_NEVER_ONLINED ||",
                                   "test_total or test_blocks"),
    "movable-is-plain": ("offline_pages.c", "movable ? SORT_MOVABLE :", "movable ? SORT_OFFLINE :",
                         "test_total or test_map_has or test_zones"),
    "last-page-of-a-run-is-lost": ("offline_pages.c", "runs->end_pfn = start + nr;",
                                   "runs->end_pfn = start + nr - (nr > 1);",
                                   "test_total or test_blocks"),
    "poison-is-not-counted": ("scan.c", "if (poisoned)\n", "if (poisoned && !nr)\n", "test_total"),
    "zone-of-a-block-is-its-first": ("scan.c", "if (change < scan->zone_end)", "if (0)",
                                     "test_zones or test_places"),
    "short-file-is-believed": ("scan.c", "if (n == size)", "if (n >= 0)", "test_bad_file and kpageflags"),
    "order-is-not-checked": ("offline_pages.c", "if (start < runs->end_pfn)", "if (0)", "debugfs and order"),
    "overlap-is-not-noticed": ("memory.c", "if (b->start_pfn < end)", "if (0)", "overlap"),
    "overflow-is-not-noticed": ("lines.c", "__builtin_mul_overflow(sum, (uint64_t)base, &sum) ||",
                                "(sum *= base, 0) ||", "wrap"),
    "offline-block-is-read": ("blocks.c", 'b->online = strcmp(b->state, "offline");', "b->online = true;",
                              "test_blocks or test_map_has or (test_diff and not same)"),
    "escapes-reach-the-terminal": ("memory.c", "*text = '?';", ";", "escape and test_bad_file"),
    "diff-sees-nothing": ("diff.c", "if (!change ||", "if (change ||", "test_diff"),
    "watch-marks-nothing": ("layout.c", "!old || old[i] != cells[i]", "!old", "test_watch"),
    "svg-is-not-escaped": ("svg.c", "if (*text == '<')", "if (*text == '\\1')", "test_svg"),
    "half-is-a-part": ("look.c", "return 2 * offline < there ?", "return 2 * offline <= there ?",
                       "test_character and 256 and both"),
}


@pytest.mark.part("mutations")
@pytest.mark.parametrize("name", MUTATIONS)
def test_offmap_mutation_is_noticed(name, tmp_path):
    file, old, new, expression = MUTATIONS[name]
    source = tmp_path / "offmap"
    shutil.copytree(OFFMAP, source)
    text = (source / file).read_text()
    assert text.count(old) == 1
    (source / file).write_text(text.replace(old, new))
    program = tmp_path / "mutant"
    subprocess.run(["gcc", "-O2", "-o", program, *sorted(source.glob("*.c"))], check=True)

    found = rerun(f"test_offmap and ({expression}) and not mutation and not guest", tmp_path / "report.xml",
                  "linux", OFFMAP=str(program))
    passed = [test for test, said in found.items() if said is None]
    assert not passed, f"{name}: not noticed by {', '.join(passed)}"
