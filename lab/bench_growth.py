"""./run bench growth: what growing and shrinking by virtio-mem costs, the larger the guest is."""

import json
import re

from lab import bench_report, files
from lab.bench_guest import NAMES, Setup
from lab.memory import MIB, Memory
from lab.vm import virtio_mem

GIB = 1024 * MIB
SIZES = (1, 4, 16, 64)      # GiB
FLOWS = ("plug", "unplug, free", "offline a free block", "online a free block")


def setup(gib):
    """
    A guest that can grow by that much. The host has nothing behind it until somebody writes there;
    the boot memory is for the struct pages.
    """
    args = virtio_mem("vmem0", f"{gib}G")
    args[1] += ",reserve=off"
    return Setup(f"growth-{gib}", lambda guest: grow_and_shrink(guest, gib), args=args,
                 memory=f"{512 + 16 * gib}M", maxmem=f"{gib + 4}G",
                 append="memhp_default_state=online_movable", modules=("bench_workers",))


def grow_and_shrink(guest, gib):
    """Each once: the numbers are large, and what disturbs them is small."""
    memory = Memory(guest.vm)
    guest.mark_work("virtio_mem_run_wq")

    def resized(size):
        return guest.counted_work(lambda: memory.request(size),
                                  lambda: memory.info()["size"] == size, timeout=3600)

    plug, unplug, offline, online = FLOWS
    yield f"{plug}, {gib} GiB", resized(gib * GIB)
    guest.unmark_work()
    block = max(memory.block_states())
    yield f"{offline}, {gib} GiB", guest.set_state(block, "offline")
    yield f"{online}, {gib} GiB", guest.set_state(block, "online_movable")
    guest.mark_work("virtio_mem_run_wq")
    yield f"{unplug}, {gib} GiB", resized(0)


def series(flows, flow, tree):
    """[(GiB, instructions)] of one kind of flow."""
    found = []
    for entry in flows:
        match = re.fullmatch(rf"{flow}, (\d+) GiB", entry["name"])
        if match:
            found.append((int(match[1]), entry[tree]))
    return found


def table(result):
    rows = [f"| {flow['name']} | {flow['stock']:,} | {flow['ours']:,} | {flow['ratio']:.2f} |"
            for flow in result["flows"]]
    return "\n".join([f"{bench_report.of(result['base'])}:", "",
                      "| flow, size of the device | stock | ours | ratio |", "|---|--:|--:|--:|", *rows])


def write(result, folder):
    """growth.json, growth.md, growth.svg, growth.png"""
    files.write(folder / "growth.json", json.dumps(result, indent=1) + "\n")
    files.write(folder / "growth.md", "# What ./run bench growth counted last\n\n"
                f"{table(result)}\n\n```{bench_report.profiles(result)}\n```\n")
    for terminal, name in (("svg size 1000,500", "growth.svg"), ("pngcairo size 1000,500", "growth.png")):
        bench_report.gnuplot(chart(result, terminal, name), folder)


def chart(result, terminal, name):
    """Left what depends on the size, for each GiB of it; right what should not."""
    blocks, plots = [], [[], []]
    for index, flow in enumerate(FLOWS):
        for color, tree in enumerate(NAMES):
            data = f"$data{len(blocks)}"
            scale = (lambda gib: gib) if index < 2 else (lambda gib: 1)
            blocks.append(f"{data} << END\n" + "\n".join(
                f"{gib} {count / scale(gib)}"
                for gib, count in series(result["flows"], flow, tree)) + "\nEND")
            plots[index // 2].append(
                f'{data} using 1:2 with linespoints lc {color + 1} dt {index % 2 + 1} pt {color + 5} '
                f'title "{flow}, {tree}"')
    return f"""
set terminal {terminal} font "sans,10"
set output "{name}"
{chr(10).join(blocks)}
set logscale x 2
set xtics ({", ".join(map(str, SIZES))})
set xrange [{SIZES[0] * 0.8}:{SIZES[-1] * 1.25}]
set yrange [0:*]
set format y "%.1s%c"
set grid ytics
set key below
set multiplot layout 1,2 title "by GiB of virtio-mem (Linux {result['base']['linux']})"
set title "instructions per GiB"
plot {", ".join(plots[0])}
set title "instructions for a block of 128 MiB"
plot {", ".join(plots[1])}
unset multiplot
"""
