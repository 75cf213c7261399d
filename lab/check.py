"""Run the tests, and end with one line that counts them."""

import fnmatch
import os

from lab.errors import LabError
from lab.passed import Passed
from lab.paths import ROOT, TESTS
from lab.progress import say


def check(pattern=None, part=None, everything=False, resume=False):
    """Run the tests; return the exit code.

    A test belongs to a named part if it is marked with @pytest.mark.part("name").
    Those run only where asked for: with `everything`, or when `part` names theirs;
    with default=True in the mark, without being asked for as well. With `resume`,
    what has passed in this very state of the repository is counted and not run again.
    """
    import pytest       # installed by now

    os.chdir(ROOT)
    tests = Tests(pattern, part, everything, resume)
    # --capture=sys: lab/progress.py still reaches the terminal, so that a kernel
    # that a test has to build first does not look like a hang.
    code = pytest.main(["-p", "no:cacheprovider", "--capture=sys", "--verbose",
                        "--tb=short", "--durations=10", "--color=auto", str(TESTS)],
                       plugins=[tests])
    if code == pytest.ExitCode.INTERRUPTED and not tests.failed:
        raise KeyboardInterrupt
    if code == pytest.ExitCode.NO_TESTS_COLLECTED and not tests.outcome:
        raise LabError(f"no test matches {pattern or part or 'anything'}")
    if code == pytest.ExitCode.NO_TESTS_COLLECTED and not tests.failed:
        code = pytest.ExitCode.OK       # all have passed before
    print(f"{tests.passed} passed, {tests.failed} failed", flush=True)
    return int(bool(tests.failed) or code != pytest.ExitCode.OK)


class Tests:
    """The pytest plugin: choose, then count. What did not pass has failed."""

    def __init__(self, pattern, part, everything, resume):
        self.pattern, self.part, self.everything, self.resume = pattern, part, everything, resume
        self.outcome, self.before = {}, Passed()

    @property
    def passed(self):
        return sum(self.outcome.values())

    @property
    def failed(self):
        return len(self.outcome) - self.passed

    def pytest_configure(self, config):
        config.addinivalue_line("markers", "part(name, default=False): run by ./run check --all [name], "
                                "with default also by ./run check")
        config.addinivalue_line("markers", "seen_before(yes): has passed as it is, says a record of its own")

    def pytest_collection_modifyitems(self, config, items):
        chosen = [item for item in items if self._chosen(item)]
        if self.resume:
            again = [item for item in chosen if item.nodeid in self.before.names or
                     any(mark.args[0] for mark in item.iter_markers("seen_before"))]
            self.outcome |= {item.nodeid: True for item in again}
            say(f"{len(again)} of {len(chosen)} tests have passed before, as all is now")
            chosen = [item for item in chosen if item not in again]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen

    def _chosen(self, item):
        parts = {mark.args[0] for mark in item.iter_markers("part")}
        if self.part and parts != {self.part}:
            return False
        if parts and not self.everything and not self._by_default(item):
            return False
        return not self.pattern or fnmatch.fnmatch(item.nodeid, f"*{self.pattern}*")

    @staticmethod
    def _by_default(item):
        return all(mark.kwargs.get("default") for mark in item.iter_markers("part"))

    def pytest_runtest_logreport(self, report):
        good = report.outcome == "passed"
        self.outcome[report.nodeid] = self.outcome.get(report.nodeid, True) and good
        if report.when == "teardown":
            self.before.note(report.nodeid, self.outcome[report.nodeid])

    def pytest_collectreport(self, report):
        if report.outcome != "passed":
            self.outcome[report.nodeid] = False
