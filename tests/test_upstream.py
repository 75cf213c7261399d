"""
Upstream's own tests, run on stock and on the kernel to test: none that passes on stock may do worse.
The tests of the comparison itself need no kernel.
"""

import json
import re

import pytest
from conftest import ROOT, TREE, Guest
from lab import selftests, tap, tree, upstream_report, upstream_tests
from lab.sidebyside import KERNELS, WHOLE, Guests, Program, Said, problems
from lab.upstream_guests import MACHINES, for_kunit

PROGRAMS = {(machine, program.name): program for machine in MACHINES
            for program in upstream_tests.selftests(machine)}
NAMES = [*(f"{machine}: {name}" for machine, name in PROGRAMS), "KUnit"]


def side_by_side(name, boot, prepare=lambda vm: None):
    if Guest.running:
        Guest.running.stop()
    trees = {"stock": "stock", "ours": TREE}
    return Guests(lambda kernel: boot(f"{name}-{kernel}", trees[kernel]), prepare)


@pytest.fixture(scope="module")
def machine_guests():
    """Of one machine at a time."""
    running = {}
    yield running
    for guests in running.values():
        guests.stop()


@pytest.fixture
def guests(machine_guests, machine):
    if machine not in machine_guests:
        while machine_guests:
            machine_guests.popitem()[1].stop()
        machine_guests[machine] = side_by_side(f"upstream-{machine}", MACHINES[machine].boot,
                                               MACHINES[machine].prepare)
    return machine_guests[machine]


def record(name, found):
    if TREE == "linux":
        upstream_report.note(name, found, NAMES)


@pytest.mark.part("upstream")
@pytest.mark.parametrize(("machine", "name"), PROGRAMS)
def test_selftest(guests, machine, name):
    found = guests.run(PROGRAMS[machine, name])
    record(f"{machine}: {name}", found)
    bad = list(problems(found))
    assert not bad, "\n".join([*bad, "what it said last:", found["ours"].output[-3000:]])


@pytest.mark.part("upstream")
def test_kunit_suites(machine_guests):
    """All of the kernel's suites that may be run after boot; those of the series alone are no matter."""
    while machine_guests:
        machine_guests.popitem()[1].stop()
    guests = side_by_side("upstream-kunit", for_kunit)
    whole = {kernel: Said({}) for kernel in KERNELS}
    try:
        suites = guests.vm("stock").run(f"cd {upstream_tests.SUITES}; ls -d */run").split()
        for name in (suite.partition("/")[0] for suite in suites):
            for kernel, said in guests.run(upstream_tests.suite(name)).items():
                whole[kernel].tests |= {f"{name}: {case}": verdict for case, verdict in said.tests.items()}
                whole[kernel].splats += said.splats
                whole[kernel].seconds += said.seconds
                whole[kernel].died = whole[kernel].died or said.died
    finally:
        guests.stop()
    record("KUnit", whole)
    assert not list(problems(whole))
    assert len(whole["stock"].tests) > 300


# The comparison itself

OUTPUT = """\
TAP version 13
1..11
ok 1 plain
not ok 2 broken
ok 3 - with a dash
ok 4 left out # SKIP no memory
ok 5 # SKIP named behind
not ok 6 known # XFAIL it is
ok 7 at 0x7f1234567000 in 12.5 ms
ok 8 plain
# ok 9 of a subtest
not ok 10 # error what went wrong
ok 11 transact_test Extra pages 4 (0.0%), extra thread faults 4.
# Totals: pass:5 fail:2
"""


def test_tap_is_read_right():
    assert tap.parse(OUTPUT) == {
        "plain": "ok", "broken": "not ok", "with a dash": "ok", "left out": "SKIP",
        "named behind": "SKIP", "known": "XFAIL", "at 0x... in ... ms": "ok", "plain (2)": "ok",
        "of a subtest": "ok", "what went wrong": "not ok",
        "transact_test Extra pages ..., extra thread faults ....": "ok"}


def said(died="", splats=(), **tests):
    return Said({WHOLE: "ok"} | tests, splats=list(splats), died=died)


def compared(stock, ours):
    return list(problems({"stock": stock, "ours": ours}))


@pytest.mark.parametrize(("before", "after", "bad"), [
    ("ok", "ok", False), ("ok", "not ok", True), ("ok", "SKIP", True), ("ok", "absent", True),
    ("SKIP", "not ok", True), ("SKIP", "SKIP", False), ("SKIP", "ok", False), ("XFAIL", "SKIP", False),
    ("SKIP", "absent", True), ("not ok", "not ok", False), ("not ok", "absent", False),
    ("not ok", "ok", False)])
def test_what_is_worse(before, after, bad):
    ours = said(good="ok") if after == "absent" else said(good="ok", a=after)
    assert compared(said(good="ok", a=before), ours) == (
        [f"a: {before} on stock, {after} on ours"] if bad else [])


def test_exit_status_is_a_test():
    assert [tap.exit_status(code) for code in (0, 4, 1, 139, None)] == [
        "ok", "SKIP", "not ok", "not ok", "not ok"]
    assert compared(said(), Said({WHOLE: "not ok"})) == [
        f"{WHOLE}: ok on stock, not ok on ours"]


SPLAT = "WARNING: mm/page_alloc.c:{} at free_it+0x{}/0x20, CPU#1: cow/{}"


def test_splat_of_both_is_none_of_ours():
    there = SPLAT.format(100, 17, 123)
    assert not compared(said(splats=[there]), said(splats=[SPLAT.format(107, 19, 99)]))
    other = SPLAT.replace("free_it", "take_it").format(1, 2, 3)
    assert compared(said(splats=[there]), said(splats=[there, other])) == [
        f"the kernel complains, as it does not on stock: {other}"]


def test_end_of_a_guest():
    assert compared(said(), said(died="guest ours: died")) == ["guest ours: died"]
    assert "to be left out" in compared(said(died="no end within 300 s"), said())[0]


def test_blocks_that_go_offline_are_counted():
    tests = upstream_tests.blocks("online->offline memory0\n-> Failure\nonline->offline memory1\n"
                                  "-> Success\nonline->offline memory2\n-> Success\n")
    assert tests == {f"block {number} of the target goes offline": "ok" for number in (1, 2)}


def test_guests_go_through_the_same(monkeypatch):
    """What kills one guest takes both; what wants guests of its own gets them."""
    boots = []

    class ToyVM:
        def __init__(self, kernel):
            self.kernel = kernel

        def __enter__(self):
            boots.append(self.kernel)

        def __exit__(self, *_):
            pass

        def start(self, command):
            job = type("Job", (), {"output": "ok 1 a\n"})()
            job.wait = lambda timeout: (0, "ok 1 a\nnot ok 2 b\n" if self.kernel == "ours" else
                                        "ok 1 a\nok 2 b\n")
            return job

        def splats(self):
            return []

    guests = Guests(ToyVM, lambda vm: None)
    found = guests.run(Program("p", "p"))
    assert list(problems(found)) == ["b: ok on stock, not ok on ours"]
    guests.run(Program("p", "p"))
    assert boots == [*KERNELS]
    guests.run(Program("alone", "alone", alone=True))
    guests.run(Program("p", "p"))
    assert boots == [*KERNELS] * 3


def test_record(tmp_path):
    path = tmp_path / "upstream.json"
    found = {"stock": said(a="ok", b="SKIP"), "ours": said(a="not ok", b="SKIP", c="ok")}
    upstream_report.note("old", found, ["old", "new"], path)
    upstream_report.note("new", found, ["new", "later"], path)
    told = json.loads(path.read_text())["programs"]
    assert list(told) == ["new"]
    assert told["new"]["tests"] == {WHOLE: ["ok", "ok"], "a": ["ok", "not ok"], "b": ["SKIP", "SKIP"],
                                    "c": ["absent", "ok"]}
    assert told["new"]["worse"] == ["a: ok on stock, not ok on ours"]
    assert '"a": ["ok", "not ok"]' in path.read_text()
    assert "| `new` | a | ok | not ok |" in path.with_suffix(".md").read_text()
    assert "Not run yet: `later`." in path.with_suffix(".md").read_text()


def test_each_program_is_run_or_left_out():
    """Of those that the Makefile of selftests/mm makes; docs/upstream-tests.md says why."""
    tree.make("linux")
    folder = ROOT / "build/linux" / selftests.SELFTESTS / "mm"
    made = set(re.findall(r"^TEST_GEN_FILES \+?= ([\w-]+)$", (folder / "Makefile").read_text(), re.M))
    # Of these, the Makefile has a list of its own.
    made -= {"protection_keys", "pkey_sighandler_tests"}
    made |= {"protection_keys_64", "pkey_sighandler_tests_64"}
    made |= {path.name for path in folder.glob("*.sh")}
    left_out = set(re.findall(r"^\| `([\w.-]+)` \|", (ROOT / "docs/upstream-tests.md").read_text(), re.M))
    chosen = upstream_tests.programs_of_mm()
    assert not chosen & left_out
    assert chosen | left_out == made
