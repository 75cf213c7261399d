"""./run check --resume: what has passed is not run again, as long as nothing has changed."""

import subprocess
import sys

import mutation_record
import pytest
from conftest import ROOT

# The repository is another one, in which a file says which of its tests may pass, and one which have run.
RUN = """
import sys
from pathlib import Path
from lab import check, passed
here = Path(sys.argv[1])
check.ROOT = passed.ROOT = here
check.TESTS = here / "tests"
check.Passed = lambda: passed.Passed(here / "passed.json")
sys.exit(check.check(resume=len(sys.argv) > 2))
"""
TESTS = """
import pytest
from pathlib import Path
@pytest.mark.parametrize("name", "ab")
def test(name):
    with open("ran", "a") as ran:
        ran.write(name)
    assert name in Path("good").read_text()
"""


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_two.py").write_text(TESTS)
    (tmp_path / "good").write_text("a")
    for command in (["init", "-q"], ["add", "tests"],
                    ["-c", "user.name=a", "-c", "user.email=b", "commit", "-qm", "c"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def check(repository, *resume):
    """Returns the last line, the exit code, and which tests were run."""
    (repository / "ran").write_text("")
    done = subprocess.run([sys.executable, "-c", RUN, repository, *resume], cwd=ROOT, text=True,
                          capture_output=True, check=False)
    assert done.stdout, done.stderr
    return done.stdout.splitlines()[-1], done.returncode, (repository / "ran").read_text()


def test_only_the_rest_is_run(repository):
    assert check(repository) == ("1 passed, 1 failed", 1, "ab")
    assert check(repository, "--resume") == ("1 passed, 1 failed", 1, "b")
    (repository / "good").write_text("ab")
    assert check(repository, "--resume") == ("2 passed, 0 failed", 0, "b")
    assert check(repository, "--resume") == ("2 passed, 0 failed", 0, "")
    assert check(repository) == ("2 passed, 0 failed", 0, "ab")


def test_what_fails_later_has_not_passed(repository):
    check(repository)
    (repository / "good").write_text("")
    assert check(repository) == ("0 passed, 2 failed", 1, "ab")
    assert check(repository, "--resume") == ("0 passed, 2 failed", 1, "ab")


@pytest.mark.parametrize("change", ["tests/test_two.py", "tests/new.txt", "kernel/series"])
def test_a_change_forgets_all(repository, change):
    check(repository)
    (repository / change).parent.mkdir(exist_ok=True)
    with open(repository / change, "a") as file:
        file.write("\n")
    assert check(repository, "--resume")[2] == "ab"


def test_a_mutation_that_was_seen_is_another_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(mutation_record, "RECORD", tmp_path / "mutations.json")
    mutation = tmp_path / "breaks.patch"
    mutation.write_text("Fails: this\n---\nindex 1..2\n@@ -1 +1 @@\n-good\n+bad\n")
    assert not mutation_record.seen(mutation)
    mutation_record.note(mutation, ["this"])
    assert mutation_record.seen(mutation)
    mutation.write_text(mutation.read_text().replace("index 1..2", "index 3..4"))
    assert mutation_record.seen(mutation)
    mutation.write_text(mutation.read_text().replace("bad", "worse"))
    assert not mutation_record.seen(mutation)
