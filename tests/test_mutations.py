"""
Can the tests fail? Each file in tests/mutations breaks the patched kernel in one place and names the
tests that have to notice ("Fails:", an expression as for pytest -k): all of these have to fail.
"""

import re

import pytest
from conftest import TREE
from lab import kernel
from lab.paths import TESTS
from rerun import rerun

MUTATIONS = sorted((TESTS / "mutations").glob("*.patch"))


@pytest.mark.part("mutations")
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda path: path.stem)
def test_mutation_is_noticed(mutation, tmp_path, monkeypatch):
    assert TREE == "linux", "mutations are of the patched tree"
    expression = re.search(r"^Fails: (.*)$", mutation.read_text(), re.M)[1]
    monkeypatch.setenv("MUTATION", str(mutation))
    kernel.build("mutant", "debug")     # if this fails, no test has noticed anything

    found = rerun(expression, tmp_path / "report.xml", "mutant", without=[__file__])
    passed = [name for name, said in found.items() if said is None]
    assert not passed, f"{mutation.stem}: not noticed by {', '.join(passed)}"
