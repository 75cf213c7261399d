"""What the flows cost, in instructions of the guest, on stock and with the series."""

import time

from lab import bench_growth, bench_report, bench_steps, files, kernel
from lab.bench_flows import SETUPS
from lab.bench_guest import CONFIG, NAMES, BenchGuest
from lab.errors import LabError
from lab.paths import ROOT
from lab.progress import say
from lab.symbols import Symbols

TREES = tuple(NAMES)
RESULTS = ROOT / "docs" / "results"


def bench(pattern=None):
    """
    Count all flows, or those of the guests whose name has `pattern`, or "growth" or "steps";
    write docs/results.
    """
    if pattern in ("growth", "steps"):
        {"growth": growth, "steps": steps}[pattern]()
        return
    setups = [setup for setup in SETUPS if not pattern or pattern in setup.name]
    if not setups:
        raise LabError(f"{pattern} is neither growth nor steps, nor is it in the name of a guest: "
                       f"{', '.join(setup.name for setup in SETUPS)}")
    images = {name: kernel.build(name, CONFIG) for name in NAMES.values()}
    start = time.monotonic()
    counted = {tree: count(name, images[name], setups) for tree, name in NAMES.items()}
    flows = compare(counted)
    result = {"base": bench_report.versions(), "flows": flows,
              "sizes": bench_report.sizes(TREES, CONFIG)}
    print(bench_report.table(result))
    say(f"counted in {time.monotonic() - start:.0f} s")
    if pattern:
        say("not all flows: docs/results is left alone")
        return
    bench_report.write(result, RESULTS)


def growth():
    """The main flows in guests of different sizes."""
    setups = [bench_growth.setup(gib) for gib in bench_growth.SIZES]
    flows = compare({tree: count(name, kernel.build(name, CONFIG), setups)
                     for tree, name in NAMES.items()})
    result = {"base": bench_report.versions(), "flows": flows}
    print(bench_growth.table(result))
    bench_growth.write(result, RESULTS)


def steps():
    """What each patch does of the sub-series that make the flows faster."""
    found = bench_steps.steps()
    setups = [setup for setup in SETUPS if setup.name in bench_steps.GUESTS]
    text = bench_steps.table(found, bench_steps.counted(found, count, setups), bench_report.versions())
    print(text)
    files.write(RESULTS / "steps.md", "# What each of the faster patches does\n\n"
                f"Written by `./run bench steps`, in instructions.\n{text}")


def count(tree, image, setups):
    """{flow: [Counts, one each time]} of the kernel that one of the trees has made."""
    found = {}
    for setup in setups:
        symbols = Symbols(image.parents[3] / "System.map")
        begin = time.monotonic()
        with BenchGuest(setup, tree, image, symbols) as guest:
            for name, counts in setup.flows(guest):
                found.setdefault(name, []).append(counts)
        say(f"{tree}: guest {setup.name} counted in {time.monotonic() - begin:.0f} s")
    return found


def compare(counted):
    """A list of flows, each as it goes into bench.json."""
    flows = []
    for name, stock in counted["stock"].items():
        both = {"stock": stock, "ours": counted["ours"][name]}
        middle = {tree: bench_report.median(runs) for tree, runs in both.items()}
        flows.append({
            "name": name,
            "stock": middle["stock"].total(),
            "ours": middle["ours"].total(),
            "ratio": round(middle["ours"].total() / middle["stock"].total(), 4),
            "spread": round(max(spread(runs) for runs in both.values()), 4),
            "masked": {tree: sorted(run.masked for run in runs)[len(runs) // 2]._asdict()
                       for tree, runs in both.items()},
            "loads": {tree: middle[tree].total(1) for tree in TREES},
            "stores": {tree: middle[tree].total(2) for tree in TREES},
            "profile": [{"tree": tree, "function": function, "instructions": instructions}
                        for tree in TREES for function, instructions in middle[tree].profile()],
        })
    return flows


def spread(runs):
    """Between the lowest and the highest, as a share of the median."""
    totals = sorted(counts.total() for counts in runs)
    return (totals[-1] - totals[0]) / bench_report.median(runs).total()
