"""The demo succeeds, and would not if the kernel, or the guest's data, were not right."""

import dataclasses
import json
import re

import pytest
from conftest import MIB, TREE, image
from lab import demo
from lab.memory import State
from lab.paths import BUILD


@pytest.fixture(scope="module")
def output():
    """The lines of one run, on the tree under test, and its exit code."""
    import contextlib
    import io
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = demo.show(image("guest"), stock=TREE == "stock")
    return code, text.getvalue().splitlines()


def test_demo_succeeds(output):
    code, lines = output
    assert code == 0, "\n".join(lines)
    assert lines[-1].endswith("0 of them with a refcount other than 0")
    assert int(lines[-1].split()[0]) > 0


def test_demo_shows_every_step(output):
    _, lines = output
    story = "\n".join(lines)
    for step in ("grow from 0", "fill", "shrink from", "partially plugged", "online again",
                 "verify all"):
        assert step in story
    assert "LOST" not in story


def test_demo_is_drawn(output):
    """By each run, with a step for each line of the story."""
    _, lines = output
    steps = [line for line in lines if re.match(r" *\d+\.\d s  ", line)]
    folder = BUILD / ("demo-stock" if TREE == "stock" else "demo")
    page = (folder / "demo.html").read_text()
    assert page.count("<section>") == len(list(folder.glob("step-*.json"))) == len(steps) == 15
    assert (folder / "demo.png").stat().st_mtime_ns >= (folder / "step-14.json").stat().st_mtime_ns
    last = json.loads((folder / "step-14.json").read_text())
    assert f"{last['total']['offline']} offline" in steps[-1]


@pytest.mark.part("stock")
def test_demo_ends_red_on_stock(capsys):
    assert demo.demo(stock=True) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "wrong: offline pages carry a reference count" in lines
    line = next(line for line in lines if "offline pages seen" in line)
    offline, refcounted = int(line.split()[0]), int(line.split(", ")[1].split()[0])
    assert offline == refcounted > 0


def block(**changes):
    """A memory block of 128 MiB, half plugged, as it should be."""
    return {"block": 32, "start_pfn": 32 * 32768, "pages": 32768, "state": "online",
            "zone": "Movable", "buddy": 16000, "offline": 16384, "refcounted": 0,
            "refcount_min": 0, "refcount_max": 0, "unstable": 0, "never_onlined": 16384,
            "skippable": 16384} | changes


GOOD = State(blocks=[block()], others=[], plugged=64 * MIB, hidden=0, growth=64 * MIB,
             block_size=128 * MIB, debugfs=True)
INTACT = (True, "ok pages=1000 passes=3 verified=4000")


def wrong(*looks, workload=INTACT, splats=(), want_flags=True):
    return demo.verdict(list(looks), workload, list(splats), want_flags)[1]


def look(**changes):
    return dataclasses.replace(GOOD, **changes)


def test_verdict_good():
    line, problems = demo.verdict([GOOD, GOOD], INTACT, [], True)
    assert line == "32768 offline pages seen in 2 looks, 0 of them with a refcount other than 0"
    assert not problems


@pytest.mark.parametrize("bad", [
    look(blocks=[block(refcounted=1, refcount_max=1)]),
    look(blocks=[block(refcounted=1, refcount_min=-1)]),
    look(blocks=[block(skippable=16383)]),
    look(blocks=[block(unstable=1)]),
    look(blocks=[block(offline=16383, skippable=16383)]),
    look(growth=64 * MIB - 4096),
    look(plugged=66 * MIB),
    look(others=[block(block=0)]),
    look(debugfs=False),
], ids=["refcount 1", "refcount -1", "one not skippable", "one unstable", "one page too few",
        "MemTotal", "device", "boot memory", "no flags"])
def test_verdict_of_one_bad_look(bad):
    """Wherever in the story it comes."""
    assert wrong(bad, GOOD) and wrong(GOOD, bad)


def test_verdict_needs_offline_pages():
    full = look(blocks=[block(offline=0, skippable=0, never_onlined=0, refcount_min=None,
                              refcount_max=None)], plugged=128 * MIB, growth=128 * MIB)
    assert not full.problems()
    assert wrong(full, full) and wrong()
    assert not wrong(full, GOOD)


@pytest.mark.parametrize("workload", [
    None, (False, "mismatch process=0 page=7 word=100 generation=3"), (False, "died signal=9")])
def test_verdict_needs_intact_data(workload):
    assert wrong(GOOD, workload=workload)


def test_verdict_needs_a_quiet_kernel():
    assert wrong(GOOD, splats=["WARNING: mm/page_alloc.c:1234 at free_one_page"])


def test_verdict_on_stock_does_without_flags():
    bare = look(debugfs=False, blocks=[block(never_onlined=None, skippable=None)])
    assert not wrong(bare, want_flags=False)
