"""What upstream's own tests said on stock and with the series: docs/results/upstream.json and .md."""

import datetime
import json

from lab import files, tap
from lab.bench_report import versions
from lab.paths import ROOT
from lab.sidebyside import KERNELS, WHOLE, problems

RECORD = ROOT / "docs/results/upstream.json"


def note(name, found, names, record=RECORD):
    """
    The program `name` has been run. Kept at once: the next one may be interrupted. Those that are not
    among `names` any more are forgotten.
    """
    known = json.loads(record.read_text())["programs"] if record.exists() else {}
    known[name] = entry(found)
    programs = {each: known[each] for each in names if each in known}
    files.write(record, _json({"versions": versions(), "programs": programs}))
    files.write(record.with_suffix(".md"), table(versions(), programs, names))


def entry(found):
    stock, ours = (found[kernel] for kernel in KERNELS)
    tests = {test: [stock.tests.get(test, "absent"), ours.tests.get(test, "absent")]
             for test in [*stock.tests, *(test for test in ours.tests if test not in stock.tests)]}
    return {"date": datetime.date.today().isoformat(), "seconds": [stock.seconds, ours.seconds],
            "worse": list(problems(found)), "splats": [stock.splats, ours.splats], "tests": tests}


def _json(result):
    """A line for each test, so that a change is to be seen."""
    lines = json.dumps(result, indent=1).splitlines()
    text, inside = "", False
    for line in lines:
        # [stock, ours] on the line of its test
        text += line.strip() if inside else line
        inside = line.endswith(": [") or inside and not line.strip().startswith("]")
        text += " " if inside and line.endswith(",") else "" if inside else "\n"
    return text


def table(base, programs, names):
    """Markdown: how many of each program, and every test that does not pass on both."""
    lines = ["# Upstream's own tests, on stock and with the series", "",
             f"Linux {base['linux']}, QEMU {base['qemu']}, gcc {base['gcc']}. Written by `./run check --all "
             "upstream`; what is run, and what is left out and why, is in `docs/upstream-tests.md`. "
             "`upstream.json` has each test. Passed, not passed (failed, or left out by the program "
             f"itself), of {len(programs)} programs that have been run:", "",
             "| program | stock | ours | worse | date |", "|---|--:|--:|--:|---|"]
    lines += [f"| `{name}` | {count(told, 0)} | {count(told, 1)} | {len(told['worse'])} | {told['date']} |"
              for name, told in programs.items()]
    left = [f"`{name}`" for name in names if name not in programs]
    lines += ["", f"Not run yet: {', '.join(left)}."] if left else []
    lines += ["", "Tests that do not pass on both, and what the kernel complained about:", "",
              "| program | test | stock | ours |", "|---|---|---|---|"]
    return "\n".join([*lines, *details(programs)]) + "\n"


def details(programs):
    for name, told in programs.items():
        for test, both in told["tests"].items():
            if set(both) != {"ok"}:
                yield f"| `{name}` | {_cell(test)} | {both[0]} | {both[1]} |"
        stock, ours = (dict.fromkeys(map(tap.general, splats)) for splats in told["splats"])
        for line in stock | ours:
            yield (f"| `{name}` | kernel log: {_cell(line)} | {'x' if line in stock else ''} "
                   f"| {'x' if line in ours else ''} |")


def count(told, kernel):
    verdicts = [both[kernel] for test, both in told["tests"].items() if test != WHOLE]
    verdicts = verdicts or [told["tests"][WHOLE][kernel]]
    good = verdicts.count("ok")
    return f"{good}, {len(verdicts) - good}"


def _cell(text):
    return text.replace("|", "\\|").replace("_", "\\_")
