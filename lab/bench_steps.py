"""./run bench steps: what each patch does to the flows, of the sub-series that are there to make them faster."""

import hashlib
import json

from lab import bench_count, bench_report, bisect, files, kernel, modules, tree
from lab.bench_guest import CONFIG
from lab.errors import LabError
from lab.git import git
from lab.patches import series
from lab.paths import BUILD, ROOT
from lab.progress import say

SUBSERIES = ("faster walkers", "range orders")
GUESTS = ("movable", "normal", "data-normal", "ranges")
COUNTED = BUILD / "bench" / "steps"

# A flow is named from this change on, if it is more than what its runs are apart; functions in it from this
# share of the flow on. A context switch in one of two runs makes a stretch with interrupts off longer by so much.
LEAST, SHARE, SWITCH = 0.01, 0.005, 3000


def steps():
    """[(commit, commit before, subject, sub-series)]"""
    tree.make("linux")
    if not tree.exported():
        raise LabError("build/linux has work that is not exported: ./run export first")
    commits = tree.commits()
    headings = [heading for _, heading in series()]
    before = [git(tree.LINUX, "rev-parse", tree.BASE).strip(), *commits]
    return [(commit, parent, git(tree.LINUX, "log", "-1", "--format=%s", commit).strip(), heading)
            for commit, parent, heading in zip(commits, before[:-1], headings, strict=True)
            if heading in SUBSERIES]


def counted(found, count, setups):
    """{commit: flows} of all steps and of what they begin with; what was counted before is taken over."""
    commits = list(dict.fromkeys(each for commit, parent, *_ in found for each in (parent, commit)))
    flows = {}
    for number, commit in enumerate(commits, 1):
        path = COUNTED / f"{_key(commit)}.json"
        if not path.exists():
            say(f"bench steps: {number} of {len(commits)}, "
                f"{git(tree.LINUX, 'log', '-1', '--format=%s', commit).strip()}")
            tree.at(commit)
            image = kernel.build("bisect", CONFIG)
            runs = count("bisect", image, setups)
            if git(tree.BISECT, "rev-parse", "HEAD").strip() != commit:
                raise LabError("somebody else has moved build/bisect meanwhile: once more, when it is free")
            files.write(path, json.dumps({name: _flow(each) for name, each in runs.items()}))
        flows[commit] = json.loads(path.read_text())
    return flows


def _key(commit):
    """What decides about the counts: the sources, the configuration, the tools, and how it is counted."""
    tools = {name: version for name, version in bench_report.versions().items() if name != "patches"}
    ways = [*sorted(bench_count.SOURCES.iterdir()), *sorted(modules.SOURCES.glob("bench_*.c")),
            *(ROOT / "lab" / name for name in ("bench_count.py", "bench_flows.py", "bench_guest.py"))]
    parts = [*bisect.sources(commit, False), kernel.fragments(CONFIG), json.dumps(tools),
             *(path.read_text() for path in ways)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _flow(runs):
    """Of the median run; how far the runs are apart, in instructions."""
    totals = sorted(run.total() for run in runs)
    middle = bench_report.median(runs)
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
            "No flow changes by 1 % and by more than from run to run."]
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
            if abs(pair[1] - pair[0]) >= SHARE * before["total"]]
    if _is_much(after["masked"] - before["masked"], before["masked"], SWITCH):
        rows.append(("longest with interrupts off", before["masked"], after["masked"]))
    return [f"| {name} | {what} | {old:,} | {new:,} |" for what, old, new in rows]


def _is_much(change, before, *apart):
    """So much that no run before can have been as one after."""
    return abs(change) > max(LEAST * before, sum(apart))
