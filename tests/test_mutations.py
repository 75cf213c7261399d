"""
Can the tests fail? Each file in tests/mutations breaks the patched kernel in one place and names the
tests that have to notice ("Fails:", an expression as for pytest -k): all of these have to fail.
"Config:" names the configuration that these tests use, if it is not debug.
"""

import re

import mutation_record
import pytest
from conftest import TREE
from lab import kernel
from lab.paths import TESTS
from rerun import rerun

MUTATIONS = sorted((TESTS / "mutations").glob("*.patch"))


@pytest.mark.part("mutations")
@pytest.mark.parametrize("mutation", [
    pytest.param(path, id=path.stem, marks=pytest.mark.seen_before(mutation_record.seen(path)))
    for path in MUTATIONS])
def test_mutation_is_noticed(mutation, tmp_path, monkeypatch):
    assert TREE == "linux", "mutations are of the patched tree"
    says = dict(re.findall(r"^(Fails|Config): (.*)$", mutation.read_text(), re.M))
    monkeypatch.setenv("MUTATION", str(mutation))
    # If this fails, no test has noticed anything.
    kernel.build("mutant", says.get("Config", "debug"))

    # Not these: the same KUnit suites on powerpc, in another configuration; and what fails on stock.
    expression = f"({says['Fails']}) and not test_kunit_powerpc and not test_stock_has_it"
    found = rerun(expression, tmp_path / "report.xml", "mutant", without=[__file__])
    passed = [name for name, said in found.items() if said is None]
    assert not passed, f"{mutation.stem}: not noticed by {', '.join(passed)}"
    mutation_record.note(mutation, found)
