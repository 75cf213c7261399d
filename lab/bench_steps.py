"""./run bench steps: what each patch does to the flows, of the sub-series that are there to make them faster."""

import hashlib
import json

from lab import bench_report, bisect, files, kernel, tree
from lab.bench_guest import CONFIG
from lab.errors import LabError
from lab.git import git
from lab.patches import series
from lab.paths import BUILD
from lab.progress import say

SUBSERIES = ("faster walkers", "range orders")
GUESTS = ("movable", "normal", "data-normal", "ranges")
COUNTED = BUILD / "bench" / "steps"

# A flow, or a function in it, is named from this change on, or from that between two runs of it.
LEAST = 0.01


def steps():
    """[(commit, commit before, subject, sub-series)]"""
    commits = tree.commits()
    headings = [heading for _, heading in series()]
    if len(commits) != len(headings):
        raise LabError("build/linux has work that is not exported: ./run export first")
    before = [git(tree.LINUX, "rev-parse", tree.BASE).strip(), *commits]
    return [(commit, parent, git(tree.LINUX, "log", "-1", "--format=%s", commit).strip(), heading)
            for commit, parent, heading in zip(commits, before, headings, strict=False)
            if heading in SUBSERIES]


def counted(found, count, setups):
    """{commit: flows} of all steps and of what they begin with; what was counted before is taken over."""
    commits = list(dict.fromkeys(each for commit, parent, *_ in found for each in (parent, commit)))
    flows = {}
    for number, commit in enumerate(commits, 1):
        sources = bisect.sources(commit, False)
        path = COUNTED / f"{hashlib.sha256(chr(10).join(sources).encode()).hexdigest()}.json"
        if not path.exists():
            say(f"bench steps: {number} of {len(commits)}, "
                f"{git(tree.LINUX, 'log', '-1', '--format=%s', commit).strip()}")
            tree.at(commit)
            image = kernel.build("bisect", CONFIG)
            files.write(path, json.dumps({name: _flow(runs) for name, runs in
                                          count("bisect", image, setups).items()}))
        flows[commit] = json.loads(path.read_text())
    return flows


def _flow(runs):
    """Of the median run; how far the runs are apart, in instructions."""
    totals = sorted(run.total() for run in runs)
    middle = sorted(runs, key=lambda run: run.total())[len(runs) // 2]
    return {"total": middle.total(), "apart": totals[-1] - totals[0],
            "masked": sorted(run.masked.instructions for run in runs)[len(runs) // 2],
            "functions": {name: each[0] for name, each in middle.items()}}


def table(found, flows, base):
    """Markdown: for each patch, the flows that have changed, and the functions that made most of that."""
    lines = [f"{bench_report.of(base)}."]
    for commit, parent, subject, heading in found:
        rows = [row for name, after in flows[commit].items()
                for row in _rows(name, flows[parent][name], after)]
        lines += ["", f"## {subject}", "", f"*{heading}*", ""]
        lines += ["| flow | | before | after |", "|---|---|--:|--:|", *rows] if rows else [
            "No flow changes by more than it does from run to run."]
    return "\n".join(lines) + "\n"


def _rows(name, before, after):
    rows = []
    change = after["total"] - before["total"]
    if _is_much(change, before["total"], before["apart"], after["apart"]):
        rows.append(("all", before["total"], after["total"]))
        both = {each: (before["functions"].get(each, 0), after["functions"].get(each, 0))
                for each in before["functions"] | after["functions"]}
        rows += [(f"`{each}()`", *pair) for each, pair in sorted(
            both.items(), key=lambda item: -abs(item[1][1] - item[1][0]))
            if abs(pair[1] - pair[0]) >= abs(change) / 4]
    if _is_much(after["masked"] - before["masked"], before["masked"], 3000):
        rows.append(("longest with interrupts off", before["masked"], after["masked"]))
    return [f"| {name} | {what} | {old:,} | {new:,} |" for what, old, new in rows]


def _is_much(change, before, *apart):
    return abs(change) > max(LEAST * before, *apart)
