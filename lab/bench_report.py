"""What ./run bench has counted, as JSON, as a table, and as a chart."""

import json
import re
import subprocess
from pathlib import Path

from lab import files, host, modules
from lab.bench_guest import NAMES
from lab.errors import LabError
from lab.kernel import objects_of
from lab.paths import BUILD, ROOT, shown
from lab.tree import commits


def versions():
    """Of everything that a number depends on."""
    qemu, gcc = _output("qemu-system-x86_64", "--version"), _output("gcc", "--version")
    base = (BUILD / "base").read_text().split()[-1]
    return {"linux": base, "patches": len(commits()), "qemu": re.search(r"version (\S+)", qemu)[1],
            "gcc": gcc.splitlines()[0].split()[-1]}


def of(base):
    """What versions() has found, for people."""
    return (f"Linux {base['linux']}, {base['patches']} patches, QEMU {base['qemu']}, "
            f"gcc {base['gcc']}")


def median(runs):
    return sorted(runs, key=lambda counts: counts.total())[len(runs) // 2]


def sizes(trees, config):
    """{tree: {what: bytes}} of the kernels."""
    found = {}
    for tree in trees:
        objects = objects_of(NAMES[tree], config)
        text, data, bss = map(int, _output("size", objects / "vmlinux").splitlines()[1].split()[:3])
        symbols = _output("nm", "-S", modules.build(NAMES[tree], config, "bench_ranges"))
        page = int(re.search(r"^\w+ (\w+) \w struct_page$", symbols, re.M)[1], 16)
        found[tree] = {"size of the kernel: text": text, "size of the kernel: data": data,
                       "size of the kernel: bss": bss, "size of struct page": page}
    return found


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def table(result):
    """Markdown; beside instructions: loads, stores, and the longest stretch with interrupts off."""
    size = result["sizes"]
    rows = [f"| {flow['name']} | {flow['stock']:,} | {flow['ours']:,} | {flow['ratio']:.2f} "
            f"| {flow['spread']:.1%} | {ratio(flow['loads'])} | {ratio(flow['stores'])} "
            f"| {flow['masked']['stock']['instructions']:,} "
            f"| {flow['masked']['ours']['instructions']:,} |"
            for flow in result["flows"]]
    rows += [f"| {name} | {stock:,} | {size['ours'][name]:,} "
             f"| {size['ours'][name] / stock:.3f} | | | | | |" for name, stock in size["stock"].items()]
    return "\n".join([
        f"{of(result['base'])}:", "",
        "| flow | stock | ours | ratio | spread | loads | stores | irqs off, stock | irqs off, ours |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|", *rows])


def short_table(result):
    """Markdown for README."""
    rows = [f"| {flow['name']} | {flow['stock']:,} | {flow['ours']:,} | {flow['ratio']:.2f} |"
            for flow in result["flows"]]
    ours = result["sizes"]["ours"]
    rows += [f"| {name} | {stock:,} | {ours[name]:,} | {ours[name] / stock:.3f} |"
             for name, stock in result["sizes"]["stock"].items()]
    return "\n".join(["| flow | stock | ours | ratio |", "| --- | --: | --: | --: |", *rows])


def update_readme(result, path):
    """Exchange the table, and the versions it is of."""
    text, versions = path.read_text(), of(result["base"])
    text, tables = re.subn(r"\| flow \| stock \|(.*\n\|)+.*", lambda _: short_table(result), text)
    text, places = re.subn(r"(?<=counted by `\./run bench` \()Linux[^;]*", versions, text)
    if (tables, places) != (1, 1):
        raise LabError(f"{shown(path)} has no place for the results of bench, or several")
    files.write(path, text)


def ratio(pair):
    return f"{pair['ours'] / pair['stock']:.2f}"


def profiles(result):
    """What each flow is made of, in text."""
    lines = []
    for flow in result["flows"]:
        lines += ["", flow["name"]]
        lines += [f"  {tree:5} {flow['masked'][tree]['instructions']:>12,}  with interrupts off, in "
                  f"{flow['masked'][tree]['function']}" for tree in NAMES]
        for tree in NAMES:
            entries = [entry for entry in flow["profile"] if entry["tree"] == tree]
            lines += [f"  {tree:5} {entry['instructions']:>12,}  {entry['function']}"
                      for entry in entries]
    return "\n".join(lines)


def write(result, folder):
    """bench.json, bench.md, bench.svg, bench.png, and the table in README"""
    files.write(folder / "bench.json", json.dumps(result, indent=1) + "\n")
    files.write(folder / "bench.md", f"# What ./run bench counted last\n\n{table(result)}\n\n"
                f"Instructions by function:\n\n```{profiles(result)}\n```\n")
    update_readme(result, ROOT / "README.md")
    for terminal, name in (("svg size 900,{}", "bench.svg"), ("pngcairo size 900,{}", "bench.png")):
        chart(result, terminal, folder / name)


def chart(result, terminal, path):
    """A bar for each flow: instructions as a share of stock's."""
    flows = list(reversed(result["flows"]))
    data = "\n".join(f"{row} {flow['ratio']}" for row, flow in enumerate(flows))
    ticks = ", ".join(f"\"{flow['name']}\" {row}" for row, flow in enumerate(flows))
    gnuplot(f"""
set terminal {terminal.format(80 + 24 * len(flows))} font "sans,10"
set output "{path}"
set title "instructions, ours / stock (Linux {result['base']['linux']})"
set xrange [0:*]
set yrange [-0.7:{len(flows) - 0.3}]
set ytics ({ticks})
set grid xtics
unset key
$data << END
{data}
END
set arrow from 1, graph 0 to 1, graph 1 nohead lw 2
plot $data using ($2 / 2):1:($2 / 2):(0.35) with boxxyerror fs solid 0.6 lc rgb "#4477aa", \\
     $data using 2:1:(sprintf(" %.2f", $2)) with labels left
""", Path(path).parent)


def gnuplot(script, folder):
    host.need_tools("gnuplot")
    subprocess.run(["gnuplot"], input=script, text=True, check=True, cwd=folder)
