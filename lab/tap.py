"""
What upstream's own tests say: TAP, as selftests print it, and how that of one kernel compares with
that of another.
"""

import re

# How good a verdict is. What is left out (SKIP), or fails as expected (XFAIL), is no pass.
RANKS = {"ok": 2, "SKIP": 1, "XFAIL": 1, "not ok": 0, "absent": 0}

_LINE = re.compile(r"(?:# )*(ok|not ok) \d+ ?(?:- )?(.*)")
_DIRECTIVE = re.compile(r"(.*?)(?:^|\s)# (SKIP|XFAIL|XPASS|error|exit=\d+)\b ?(.*)")


def parse(output):
    """{test: verdict}; a name that comes again gets a number."""
    found = {}
    for line in output.splitlines():
        match = _LINE.fullmatch(line.strip())
        if match:
            name, verdict = _name(match[2], match[1])
            number, first = 1, name
            while name in found:
                number += 1
                name = f"{first} ({number})"
            found[name] = verdict
    return found


def _name(text, verdict):
    """
    Without what differs from run to run: addresses, times, process ids. The name may be on either side
    of a directive, and behind that of a test that is named on its left comes a reason.
    """
    directive = _DIRECTIVE.fullmatch(text)
    if directive:
        text = directive[1].strip() or directive[3]
        if directive[2] in ("SKIP", "XFAIL"):
            verdict = directive[2]
        elif directive[2] == "XPASS":
            verdict = "ok"
    text = re.sub(r"\b0x[0-9a-f]{5,}\b", "0x...", text.strip())
    text = re.sub(r"\b\d+(\.\d+)? ?(ns|us|usec|ms|msec|s|sec|seconds|MiB/s|MB/s|kB)\b", r"... \2", text)
    # of pagemap_ioctl, which counts what threads of its own did meanwhile
    text = re.sub(r"\b(Extra pages|extra thread faults) \d+( \([\d.]+%\))?", r"\1 ...", text)
    return text or "(no name)", verdict


def exit_status(code):
    """The verdict of a program as a whole; None: it did not end."""
    return {0: "ok", 4: "SKIP"}.get(code, "not ok")


def worse(stock, ours):
    """What ours does worse than stock: [(test, verdict on stock, verdict on ours)]."""
    pairs = [(test, verdict, ours.get(test, "absent")) for test, verdict in stock.items()]
    return [(test, before, after) for test, before, after in pairs
            if RANKS[after] < RANKS[before]]


def new_splats(stock, ours):
    """What the kernel has complained about with ours alone, whatever the numbers in it."""
    known = {general(line) for line in stock}
    return [line for line in ours if general(line) not in known]


def general(line):
    """A splat without line numbers, offsets, addresses, process ids and CPUs."""
    return re.sub(r"\b(?:0x)?[0-9a-f]*\d[0-9a-f]*\b", "N", re.sub(r"comm: \S+", "comm", line))
