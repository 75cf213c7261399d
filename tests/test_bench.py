"""Counting instructions: the plugin counts what is known, and the flows cost no more than on stock."""

import json

import pytest
from conftest import ROOT, TREE, image
from lab import bench
from lab.bench_count import USER, Counts, Symbols
from lab.bench_flows import SETUPS, BenchGuest, Setup

# What the series is for: instructions, ours against stock, at most.
TARGETS = {
    "offline, free block": 0.08,
    "offline, half plugged block": 0.60,
    "offline, block with 126 of 128 MiB skippable": 0.60,
    "hot-add and online": 0.80,
}


def test_a_known_loop_is_counted_exactly():
    with BenchGuest(Setup("loop", None), TREE, image("guest"), None) as guest:
        for command, instructions, accesses in (("loop", 2, 0), ("memory", 4, 1)):
            few, many = (guest.count(f"{command} {times}") for times in (1000, 51000))
            found = [many[USER][index] - few[USER][index] for index in range(3)]
            assert found == [50000 * each for each in (instructions, accesses, accesses)]


def test_functions_are_named(tmp_path):
    path = tmp_path / "System.map"
    path.write_text("ffffffff81000000 T _text\nffffffff81000010 t walk.isra.0\n"
                    "ffffffff81000020 D data\nffffffff81000030 T next\n")
    symbols = Symbols(path)
    assert [symbols.name(0xffffffff81000000 + offset) for offset in (0, 0xf, 0x10, 0x2f, 0x30)] == [
        "_text", "_text", "walk", "walk", "next"]
    assert symbols.name(0x401000) == USER


def test_small_functions_are_one_line():
    counts = Counts({"walk": (990, 0, 0), "a": (6, 0, 0), "b": (4, 0, 0)})
    assert counts.profile() == [("walk", 990), ("everything else", 10)]


def test_flows_are_compared_by_the_median():
    def runs(*totals):
        return [Counts({"walk": (total, total, 0), "rest": (0, 0, 1)}) for total in totals]

    flow, = bench.compare({"stock": {"flow": runs(100, 1000, 110)}, "ours": {"flow": runs(55, 50, 60)}})
    assert (flow["stock"], flow["ours"], flow["ratio"]) == (110, 55, 0.5)
    assert flow["spread"] == round(900 / 110, 4)


@pytest.mark.part("bench")
def test_flows_cost_less_than_on_stock():
    setups = [setup for setup in SETUPS if setup.name in ("movable", "probe")]
    counted = {name: bench.count(name, image(bench.CONFIG, tree), setups)
               for name, tree in (("stock", "stock"), ("ours", "linux"))}
    for flow in bench.compare(counted):
        limit = next((limit for name, limit in TARGETS.items() if flow["name"].startswith(name)), 1.01)
        assert flow["ratio"] <= limit, json.dumps(flow)


def test_recorded_results_are_within_the_targets():
    result = json.loads((ROOT / "docs" / "results" / "bench.json").read_text())
    too_high = [(flow["name"], flow["ratio"]) for flow in result["flows"]
                if flow["ratio"] > next((limit for name, limit in TARGETS.items()
                                         if flow["name"].startswith(name)), 1.01)]
    assert not too_high
