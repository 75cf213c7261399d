"""
Can the tests fail? Each file in tests/mutations breaks the patched kernel in one place and names the
tests that have to notice ("Fails:", an expression as for pytest -k): all of these have to fail.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import TREE
from lab import kernel
from lab.paths import ROOT, TESTS

MUTATIONS = sorted((TESTS / "mutations").glob("*.patch"))


@pytest.mark.part("mutations")
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda path: path.stem)
def test_mutation_is_noticed(mutation, tmp_path, monkeypatch):
    assert TREE == "linux", "mutations are of the patched tree"
    expression = re.search(r"^Fails: (.*)$", mutation.read_text(), re.M)[1]
    monkeypatch.setenv("MUTATION", str(mutation))
    monkeypatch.setenv("TREE", "mutant")
    kernel.build("mutant", "debug")     # if this fails, no test has noticed anything

    report = tmp_path / "report.xml"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-q", TESTS,
         f"--ignore={Path(__file__)}", "-k", expression, f"--junitxml={report}"],
        cwd=ROOT, env=os.environ, text=True, capture_output=True, check=False)
    assert report.exists(), done.stdout + done.stderr
    cases = list(ElementTree.parse(report).iter("testcase"))
    passed = [case.get("name") for case in cases
              if case.find("failure") is None and case.find("error") is None]
    assert cases, f"no test matches {expression}"
    assert not passed, f"{mutation.stem}: not noticed by {', '.join(passed)}"
