"""
Which tests have passed in this very state of the repository, so that a long run can go on where it was
interrupted. Whatever a test is made of counts: the series, the lab, the guest's programs, the tests.
"""

import json
import os
import tempfile
from pathlib import Path

from lab import files
from lab.git import git
from lab.paths import BUILD, ROOT

PARTS = ("kernel", "lab", "guest", "offmap", "tests", "docs/model", "run")


def state():
    """One name for the content of all that tests are made of, committed or not."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git(ROOT, "read-tree", "HEAD", env=index)
        git(ROOT, "add", "--all", "--", *(part for part in PARTS if (ROOT / part).exists()), env=index)
        names = git(ROOT, "ls-tree", git(ROOT, "write-tree", env=index), "--", *PARTS)
    kernel = "\n".join(f"{name}={os.environ.get(name, '')}" for name in ("TREE", "MUTATION", "SOURCE"))
    return f"{names}\n{kernel}\n"


class Passed:
    """The names of tests that passed; those of another state are forgotten."""

    def __init__(self, path=BUILD / "passed.json"):
        self.path, self.state, self.names = path, state(), set()
        try:
            known = json.loads(path.read_text())
            if known["state"] == self.state:
                self.names = set(known["passed"])
        except (OSError, ValueError, KeyError):
            pass

    def note(self, name, good):
        """A test has ended. Kept at once: the next one may be interrupted."""
        (self.names.add if good else self.names.discard)(name)
        files.write(self.path, json.dumps({"state": self.state, "passed": sorted(self.names)}, indent=1))
