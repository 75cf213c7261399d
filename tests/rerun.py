"""Runs tests of this folder once more, on another kernel."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from lab.paths import ROOT, TESTS


def rerun(expression, report, tree, without=(), **environment):
    """
    Runs the tests that match (as for pytest -k) on `tree`, apart from those in the files `without`.
    Returns {name: what it said when it failed, or None if it passed}.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-q", TESTS,
         *(f"--ignore={Path(file)}" for file in without), "-k", expression,
         f"--junitxml={report}"],
        cwd=ROOT, env={**os.environ, "TREE": tree, **environment}, text=True,
        capture_output=True, check=False)
    assert report.exists(), done.stdout + done.stderr
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        said = [f"{problem.get('message')}\n{problem.text}"
                for kind in ("failure", "error") for problem in case.iter(kind)]
        found[case.get("name")] = "\n".join(said) or None
    assert found, f"no test matches {expression}"
    return found
