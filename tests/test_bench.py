"""Counting instructions: the plugin counts what is known, and the flows cost no more than on stock."""

import json
import subprocess

import pytest
from conftest import image
from lab import bench, bench_report, bench_steps
from lab.bench_count import SOURCES, Counter, Counts, Masked
from lab.bench_flows import SETUPS
from lab.bench_guest import CONFIG, NAMES
from lab.errors import LabError
from lab.symbols import USER, Symbols
from lab.vm import QEMU

# What the series is for: instructions, ours against stock, at most.
TARGETS = {
    "offline, free block": 0.08,
    "offline, half plugged block": 0.60,
    "offline, block with 126 of 128 MiB skippable": 0.10,
    "hot-add and online": 0.80,
    "contiguous allocation of 128 MiB that meets an offline page": 0.10,
}
OTHERS = 1.01
# With interrupts off, whatever the flow is: a list of free pages of a CPU is drained, and the like.
MASKED = 10000


def run_loop(times, folder):
    """bench/loop.S on a bare machine; what was counted between its marks."""
    loop, out = folder / f"loop{times}", folder / f"counts{times}"
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x100000",
                    "-Wl,--build-id=none", f"-DTIMES={times}", "-o", loop, SOURCES / "loop.S"],
                   check=True)
    counter = Counter(out, None)
    ended = subprocess.run(["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", *QEMU,
                            "-kernel", loop, "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
                            *counter.arguments], timeout=120)
    assert ended.returncode & 1     # by the device
    (boot, _), (counted, counts) = counter.regions()
    assert (boot, counted) == ("boot", "counted")
    return counts


def test_a_known_loop_is_counted_exactly(tmp_path):
    few, many = (run_loop(times, tmp_path) for times in (1000, 51000))
    found = [many.total(index) - few.total(index) for index in range(3)]
    assert found == [50000 * 7, 50000 * 2, 50000 * 3]   # instructions, loads, stores of a round
    # the first two instructions, the last two, and the jump before the second mark, which counts with it
    assert few.total() == 1000 * 7 + 8
    # from cli to sti, with what is in their blocks
    assert many.masked.instructions - few.masked.instructions == 50000 * 7
    assert few.masked.instructions == 1000 * 7 + 2


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


def test_longest_stretch_is_that_of_the_middle_run():
    """Of a flow with several regions it is the longest one; it is named by who is not there for others."""
    part, other = Counts(), Counts()
    part.masked, other.masked = Masked(7, "short"), Masked(9, "long")
    assert Counts.sum([part, other]).masked == (9, "long")
    both = {}
    for tree, lengths in (("stock", (3, 9, 5)), ("ours", (1, 1, 8))):
        both[tree] = [Counts({"walk": (1, 1, 1)}) for _ in lengths]
        for run, length in zip(both[tree], lengths):
            run.masked = Masked(length, "walk")
    flow, = bench.compare({tree: {"flow": runs} for tree, runs in both.items()})
    assert flow["masked"] == {"stock": {"instructions": 5, "function": "walk"},
                              "ours": {"instructions": 1, "function": "walk"}}


def test_readme_has_the_last_table(tmp_path):
    result = {"base": {"linux": "7.3.9", "patches": 5, "qemu": "8.1", "gcc": "13"},
              "flows": [{"name": "new", "stock": 2000, "ours": 500, "ratio": 0.25}],
              "sizes": {"stock": {"size": 1000}, "ours": {"size": 1001}}}
    path = tmp_path / "README.md"
    path.write_text("Text, counted by `./run bench` (Linux 1, QEMU 2, gcc 3; a block).\n\n"
                    "| flow | stock | ours | ratio |\n|--|--|--|--|\n| old | 1 | 1 | 1.00 |\n\nMore.\n")
    bench_report.update_readme(result, path)
    assert path.read_text() == (
        "Text, counted by `./run bench` (Linux 7.3.9, 5 patches, QEMU 8.1, gcc 13; a block).\n\n"
        "| flow | stock | ours | ratio |\n| --- | --: | --: | --: |\n| new | 2,000 | 500 | 0.25 |\n"
        "| size | 1,000 | 1,001 | 1.001 |\n\nMore.\n")
    path.write_text("No table.\n")
    with pytest.raises(LabError, match="no place"):
        bench_report.update_readme(result, path)


def test_steps_name_what_a_patch_has_changed():
    """Not what changes from run to run, nor functions with next to nothing of it."""
    def flow(total, apart, masked, **functions):
        return {"total": total, "apart": apart, "masked": masked, "functions": functions}

    flows = {"0": {"fast": flow(1000, 10, 9000, walk=600, add=400), "noisy": flow(500, 200, 0)},
             "1": {"fast": flow(453, 10, 9000, step=50, add=403), "noisy": flow(380, 50, 0)},
             "2": {"fast": flow(445, 10, 5000, step=45, add=400), "noisy": flow(390, 50, 0)},
             "3": {"fast": flow(440, 10, 5000, step=40, add=400), "noisy": flow(390, 50, 0)}}
    steps = [(number, str(int(number) - 1), f"patch {number}", "walkers") for number in "123"]
    base = {"linux": "7.3.9", "patches": 5, "qemu": "8.1", "gcc": "13"}
    head, first, second, third = bench_steps.table(steps, flows, base).split("\n## ")
    assert head == "Linux 7.3.9, 5 patches, QEMU 8.1, gcc 13.\n"
    assert first.splitlines()[6:] == ["| fast | all | 1,000 | 453 |", "| fast | `walk()` | 600 | 0 |",
                                       "| fast | `step()` | 0 | 50 |"]
    assert second.splitlines()[6:] == ["| fast | longest with interrupts off | 9,000 | 5,000 |"]
    assert third.splitlines()[4:] == ["No flow changes by 1 % and by more than from run to run."]


def test_regions_tell_what_runs_where(tmp_path):
    """Regions of one flow are summed; one that has begun but not ended is known of."""
    (tmp_path / "System.map").write_text("ffffffff81000000 T _text\nffffffff81000010 T walk\n")
    symbols = Symbols(tmp_path / "System.map")
    assert symbols.address("walk") == 0xffffffff81000010
    symbols.add("ffffffffa0000000 t take\t[bench_ranges]\nffffffffa0000100 t init_module\t[x]\n")
    counter = Counter(tmp_path / "counts", symbols)
    region = ("region counted\nffffffff81000010 5 2 1\nffffffffa0000004 7 0 0\n"
              "masked 6 ffffffff81000000 ffffffff81000018\nend\n")
    (tmp_path / "counts").write_text("region boot\n401000 9 9 9\nend\ncounting\ncounting\n")
    assert counter.regions() == [("boot", {USER: (9, 9, 9)})]
    assert counter.counting
    with open(tmp_path / "counts", "a") as file:
        file.write(region + "counting\n" + region)
    counts = Counts.sum(counts for _, counts in counter.regions())
    assert counts == {"walk": (10, 4, 2), "take": (14, 0, 0)}
    assert counts.masked == (6, "_text")
    assert not counter.counting


@pytest.mark.part("bench")
def test_flows_cost_less_than_on_stock():
    counted = {name: bench.count(tree, image(CONFIG, tree), SETUPS) for name, tree in NAMES.items()}
    missed = [flow for flow in bench.compare(counted) if flow["ratio"] > limit(flow) or
              flow["name"] != "boot" and flow["masked"]["ours"]["instructions"] >
              max(MASKED, 1.01 * flow["masked"]["stock"]["instructions"])]
    assert not missed, json.dumps(missed)


def limit(flow):
    return next((limit for name, limit in TARGETS.items() if flow["name"].startswith(name)), OTHERS)
