"""
The model of an offline page's life (docs/model): spin tries every interleaving of those who meet such
a page. No error, nothing left out, no branch that is never taken; and an error wherever one of the
safeguards is missing.
"""

import re
import subprocess
from dataclasses import dataclass

import pytest
from lab.errors import LabError
from lab.host import need_tools
from lab.paths import ROOT

MODEL = ROOT / "docs/model/offline_page.pml"
README = MODEL.with_name("README.md")
# What cannot be reached without an error in the model or the kernel, and where that is.
UNREACHED = [
    ("invariants", "assert(0)"),
    # Its block does not go away under its lock.
    ("skipper", "assert(p[i].hwpoison)"),
    # It does not take the block away while it migrates a page or onlines the block, and a block
    # with a poisoned page does not come back.
    ("hotplug", "assert(p[i].hwpoison)"),
    ("hotplug", "assert(p[i].hwpoison)"),
    ("hotplug", "p[i].place = poisoned"),
]
SWITCHES = sorted(set(re.findall(r"\b(?:BUG|LIMIT)_\w*[A-Z]\b", MODEL.read_text())))


@dataclass
class Result:
    errors: int
    why: str            # what is wrong, if there is an error
    complete: bool      # all states have been visited
    unreached: list     # (process, statement), if there is no error


def verify(folder, *switches, optimize="-O0", depth=200000):
    """Explore the model with these switches (-D...), or find the first error in it."""
    need_tools("spin", "gcc")
    (folder / MODEL.name).write_bytes(MODEL.read_bytes())
    # -o3: do not merge statements; in merged ones, nobody sees which were reached.
    _run(folder, "spin", "-o3", "-a", *switches, MODEL.name)
    # Most of the time goes into compiling: optimize only what runs for long.
    _run(folder, "gcc", optimize, "-w", "-DSAFETY", "-DMEMLIM=2000", "-o", "pan", "pan.c")
    said = _run(folder, "./pan", f"-m{depth}", "-w22")

    errors = re.search(r"errors: (\d+)$", said, re.M)
    why = re.search(r"^pan:\d+: (.*)$", said, re.M)
    cut = "Search not completed" in said or "max search depth too small" in said
    unreached = [(process, statement)
                 for process, lines in re.findall(r"^unreached in proctype (\w+)\n((?:\t.*\n)*)", said, re.M)
                 for statement in re.findall(r'^\t\S+:\d+, state \d+, "(?!-end-)(.*)"$', lines, re.M)]
    assert errors, said
    return Result(int(errors[1]), why[1] if why else "", not cut, unreached)


def _run(folder, *command):
    try:
        done = subprocess.run(command, cwd=folder, timeout=600, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        raise LabError(f"{command[0]} takes more than 10 minutes: is the model too large now?") from None
    if done.returncode:
        raise LabError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


@pytest.mark.parametrize("pages", [1, 2])
def test_no_error(pages, tmp_path):
    result = verify(tmp_path, f"-DNR={pages}", optimize="-O2")
    assert not result.errors, result.why
    assert result.complete
    assert result.unreached == UNREACHED


@pytest.mark.parametrize("switch", SWITCHES)
def test_without_the_safeguard(switch, tmp_path):
    result = verify(tmp_path, f"-D{switch}")
    assert result.errors and result.why.startswith("assertion violated")


def test_a_cut_search_is_noticed(tmp_path):
    assert not verify(tmp_path, depth=100).complete


def test_a_branch_never_taken_is_noticed(tmp_path):
    result = verify(tmp_path, "-DNO_LENDER")
    assert result.complete and not result.errors
    assert ("hotplug", "p[i].in_the_way = by_test") in result.unreached


def test_each_switch_is_described():
    named = re.findall(r"^\| `((?:BUG|LIMIT)_\w+)` \|", README.read_text(), re.M)
    assert SWITCHES and sorted(named) == SWITCHES
