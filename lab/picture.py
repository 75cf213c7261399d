"""
The demo as pictures: a strip of memory for each step, one below the other, as SVG and PNG; and a page
that has these and, step by step, what offmap has drawn.

A frame is what offmap --json has seen after a step, with what was done and when it began.
"""

import base64
import dataclasses
import html
import re
import shutil
import subprocess

from lab import files, offmap
from lab.progress import say

WIDTH = 1500
LEFT, RIGHT = 400, 1270     # of the strips; beside them, the steps and the counts
TOP, STRIP, ROW = 150, 24, 34
PART = "+"                  # what is behind a piece that is offline in part


@dataclasses.dataclass
class Frame:
    seconds: float
    what: str
    told: dict      # by offmap --json
    text: str       # the same, as it was


def draw(frames, directory, title, versions):
    """Writes demo.svg, demo.png, demo.html and the snapshots; returns the paths to look at."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("step-*.json"):
        old.unlink()
    paths = [directory / f"step-{number:02}.json" for number in range(len(frames))]
    for path, frame in zip(paths, frames):
        files.write(path, frame.text)
    svg, png, page = (directory / f"demo.{kind}" for kind in ("svg", "png", "html"))
    files.write(svg, strips(frames, title, versions))
    files.write(page, whole_page(frames, paths, title, versions, svg.read_text()))
    if not shutil.which("rsvg-convert"):
        say("no rsvg-convert (Debian: librsvg2-bin), so no PNG")
        return [page]
    subprocess.run(["rsvg-convert", "--background-color", "white", "--output", png, svg], check=True)
    return [page, png]


# One strip of memory per step

class Axis:
    """Where a page frame is, in pixels: all memory that ever was there, without the holes."""

    def __init__(self, frames):
        blocks = {block["start_pfn"]: block for frame in frames for block in frame.told["blocks"]}
        self.blocks = [blocks[start] for start in sorted(blocks)]
        self.gaps = sum(not self._follows(index) for index in range(1, len(self.blocks)))
        pages = sum(block["pages"] for block in self.blocks)
        scale = (RIGHT - LEFT - 14 * self.gaps) / pages
        self.at, x = {}, float(LEFT)        # start_pfn: (left, right)
        for index, block in enumerate(self.blocks):
            x += 14 * (index > 0 and not self._follows(index))
            self.at[block["start_pfn"]] = x, x + block["pages"] * scale
            x += block["pages"] * scale

    def _follows(self, index):
        before = self.blocks[index - 1]
        return before["start_pfn"] + before["pages"] == self.blocks[index]["start_pfn"]


def strips(frames, title, versions):
    axis = Axis(frames)
    colours = {entry["char"]: entry["rgb"] for entry in frames[0].told["legend"]}
    height = TOP + ROW * len(frames) + 60
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}">',
           '<style>.d { font: 15px "DejaVu Sans", sans-serif; fill: #222 } .t { font-size: 22px; '
           'font-weight: bold } .s { font-size: 13px; fill: #555 } .r { text-anchor: end } '
           '.m { text-anchor: middle }</style>',
           '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse">'
           '<rect width="7" height="7" fill="#eeeeee"/><path d="M0 7L7 0" stroke="#9a9a9a" '
           'stroke-width="1.6"/></pattern></defs>',
           _rect(0, 0, WIDTH, height, "#ffffff"),
           _text(24, 40, title, "d t"), _text(24, 66, versions, "d s")]
    out += _ruler(axis, frames)
    for index, frame in enumerate(frames):
        y = TOP + ROW * index
        out += [_text(60, y + 17, f"{frame.seconds:.1f} s", "d s r"), _text(72, y + 17, frame.what, "d"),
                *_strip(axis, frame.told, y, colours),
                _text(RIGHT + 95, y + 17, _mib(frame, "offline"), "d r"),
                _text(RIGHT + 206, y + 17, _mib(frame, "never_onlined"), "d r")]
    out += _legend(frames, colours, TOP + ROW * len(frames) + 34)
    return "\n".join([*out, "</svg>", ""])


def _ruler(axis, frames):
    """The numbers of the blocks, and what they are, above the strips."""
    yield _text(72, TOP - 12, "step", "d s")
    yield _text(RIGHT + 95, TOP - 12, "offline", "d s r")
    yield _text(RIGHT + 206, TOP - 12, "never onlined", "d s r")
    groups = {}
    for block in axis.blocks:
        left, right = axis.at[block["start_pfn"]]
        yield _text((left + right) / 2, TOP - 12, block["block"], "d s m")
        group = groups.setdefault("(" in block["origin"], [left, right, block["origin"]])
        group[1] = right
    for left, right, origin in groups.values():
        yield _rect(left, TOP - 34, right - left - 1, 2, "#bbbbbb")
        yield _text(left, TOP - 42, f"{origin or 'memory'}, by memory block", "d s")


def _strip(axis, told, y, colours):
    cell_pages = told["cell_pages"]
    for block in told["blocks"]:
        left, right = axis.at[block["start_pfn"]]
        # A thin gap, so that blocks can be told apart.
        scale = (right - left - 1) / block["pages"]
        for start, end, look in _runs(block["map"]):
            x = left + start * cell_pages * scale
            width = (min(end * cell_pages, block["pages"]) - start * cell_pages) * scale
            if look == "/":
                yield _rect(x, y, width, STRIP, "url(#hatch)")
            elif look.islower():
                yield _rect(x, y, width, STRIP, colours[PART])
                yield _rect(x, y + STRIP / 2, width, STRIP / 2, colours[look.upper()])
            elif look != " ":
                yield _rect(x, y, width, STRIP, colours[look])


def _runs(cells):
    start = 0
    for index in range(1, len(cells) + 1):
        if index == len(cells) or cells[index] != cells[start]:
            yield start, index, cells[start]
            start = index


def _legend(frames, colours, y):
    seen = {look.upper() for frame in frames for block in frame.told["blocks"] for look in block["map"]}
    x = 24
    for entry in frames[0].told["legend"]:
        if entry["char"] not in seen:
            continue
        fill = "url(#hatch)" if entry["char"] == "/" else colours[entry["char"]]
        yield _rect(x, y - 13, 16, 16, fill)
        yield _text(x + 22, y, entry["meaning"], "d s")
        x += 50 + 8 * len(entry["meaning"])
    if any(look.islower() for frame in frames for block in frame.told["blocks"] for look in block["map"]):
        yield _text(x, y, "half height: less than half", "d s")


def _mib(frame, kind):
    """The number of a kind of page, as memory."""
    pages = frame.told["total"][kind]
    return "not told" if pages is None else f"{pages * frame.told['page_size'] / (1 << 20):g} MiB"


def _rect(x, y, width, height, fill):
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{fill}"/>'


def _text(x, y, text, kind):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{html.escape(str(text))}</text>'


# The page

STYLE = """
body { font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #222; background: #fff;
       max-width: 1500px; margin: 1.5em auto; padding: 0 1em }
h1 { font-size: 1.5em; margin-bottom: 0 } h2 { font-size: 1.2em } .s { color: #555; margin-top: 0 }
svg, img { max-width: 100%; height: auto } .strips svg { cursor: pointer }
#mark { fill: none; display: none } .scripted #mark { display: inline; stroke: #222; stroke-width: 1.5 }
nav { position: sticky; top: 0; background: #fff; padding: .6em 0; border-bottom: 1px solid #ccc;
      display: none; gap: 1em; align-items: center }
nav input { flex: 1 } nav button { font: inherit; min-width: 5em }
.scripted nav { display: flex } .scripted section { display: none }
.scripted section.now { display: grid }
section { display: grid; grid-template-columns: minmax(0, 2fr) minmax(20em, 1fr); gap: 1em 2em; align-items: start;
          border-top: 1px solid #ccc; margin-top: 1em }
section h2 { grid-column: 1 / -1; margin-bottom: 0 }
table { border-collapse: collapse } td, th { padding: .1em .8em; text-align: right }
th { text-align: left; font-weight: normal; color: #555 } .up { color: #1b6e2f } .down { color: #a3201d }
pre { white-space: pre-wrap; font-size: 13px; background: #f6f6f6; padding: .7em }
@media (max-width: 900px) { section, .scripted section.now { grid-template-columns: 1fr } }
"""

SCRIPT = """
document.body.classList.add("scripted");
const TOP = @TOP@, ROW = @ROW@;
const steps = [...document.querySelectorAll("section")], range = document.querySelector("nav input");
const label = document.querySelector("nav output"), play = document.querySelector("nav button");
let timer = null;
function show(n) {
  range.value = n;
  steps.forEach((step, i) => step.classList.toggle("now", i === n));
  label.textContent = (n + 1) + " of " + steps.length;
  document.getElementById("mark").setAttribute("y", TOP + ROW * n - 4);
}
function stop() { clearInterval(timer); timer = null; play.textContent = "play"; }
range.max = steps.length - 1;
range.oninput = () => { stop(); show(+range.value); };
play.onclick = () => {
  if (timer) return stop();
  if (+range.value === steps.length - 1) show(0);
  play.textContent = "stop";
  timer = setInterval(() => +range.value < steps.length - 1 ? show(+range.value + 1) : stop(), 900);
};
const strips = document.querySelector(".strips svg");
strips.onclick = event => {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(strips.getScreenCTM().inverse());
  const n = Math.floor((point.y - TOP + 4) / ROW);
  if (steps[n]) { stop(); show(n); }
};
const asked = parseInt(location.hash.slice(1), 10) - 1;     // demo.html#4
show(steps[asked] ? asked : 0);
"""


def whole_page(frames, paths, title, versions, svg):
    script = SCRIPT.replace("@TOP@", str(TOP)).replace("@ROW@", str(ROW))
    sections = [_section(frames, paths, index) for index in range(len(frames))]
    return "\n".join([
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{html.escape(title)}</title>",
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>',
        f"<h1>{html.escape(title)}</h1><p class=\"s\">{html.escape(versions)}</p>",
        f'<div class="strips">{_for_page(svg)}</div>',
        '<nav><button type="button">play</button><input type="range" min="0" value="0" '
        'aria-label="step"><output></output></nav>',
        *sections, f"<script>{script}</script></body></html>", ""])


def _for_page(svg):
    """Without the two lines that the page has said itself, with a mark for a step."""
    height = int(re.search(r'height="(\d+)"', svg)[1])
    mark = f'<rect id="mark" x="2" width="{WIDTH - 4}" height="{ROW - 2}"/>'
    return (svg.replace(f'height="{height}" viewBox="0 0 {WIDTH} {height}"',
                        f'height="{height - 80}" viewBox="0 80 {WIDTH} {height - 80}"', 1)
            .replace("</svg>", f"{mark}</svg>"))


def _section(frames, paths, index):
    frame = frames[index]
    picture = base64.b64encode(offmap.run("--read", paths[index], "--svg").encode()).decode()
    changes = ""
    if index:
        text = offmap.run("--diff", paths[index - 1], paths[index], codes=(0, 1))
        changes = "<h3>Since the step before</h3><pre>" + html.escape(text.split("\n", 2)[2]) + "</pre>"
    return "\n".join([
        f"<section><h2>{index + 1}. {html.escape(frame.what)} "
        f'<span class="s">at {frame.seconds:.1f} s</span></h2>',
        f'<img alt="map of the memory" src="data:image/svg+xml;base64,{picture}">',
        f"<div><table>{''.join(_counts(frames, index))}</table>{changes}</div></section>"])


def _counts(frames, index):
    """MiB of each kind, with what has changed."""
    now = frames[index].told["total"]
    before = frames[index - 1].told["total"] if index else now
    scale = frames[index].told["page_size"] / (1 << 20)
    for kind in ("free", "used", "offline", "never_onlined", "skippable", "movable_offline", "poisoned"):
        if now[kind] is None:
            yield f"<tr><th>{kind.replace('_', ' ')}</th><td>not told</td><td></td></tr>"
            continue
        change = (now[kind] - (before[kind] or 0)) * scale
        yield (f"<tr><th>{kind.replace('_', ' ')}</th><td>{now[kind] * scale:.1f} MiB</td>"
               f'<td class="{"up" if change > 0 else "down"}">{f"{change:+.1f}" if change else ""}</td></tr>')
