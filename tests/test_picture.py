"""The demo's pictures show what offmap has told, and another picture if that is something else."""

import json
import re
import shutil
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from lab import offmap, picture
from offmap_tree import mixed

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def frames(tmp_path):
    """Two looks at a machine; between them, a block goes offline."""
    tree = mixed(tmp_path / "root")
    found = []
    for seconds, what in ((0.5, "boot"), (1.5, "take <block 1> offline")):
        text = offmap.run("--root", tree.root, "--json")
        found.append(picture.Frame(seconds, what, json.loads(text), text))
        tree.write("sys/devices/system/memory/memory1/state", "offline\n")
    return found


def strips(frames):
    return ElementTree.fromstring(picture.strips(frames, "Title", "Versions & more"))


def texts(svg):
    return ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]


def test_pictures_tell_each_step(frames):
    told = texts(strips(frames))
    assert told.count("boot") == told.count("take <block 1> offline") == 1
    for frame in frames:
        assert f"{frame.told['total']['offline'] * 4096 / (1 << 20):g} MiB" in told
    assert {"0", "1", "2", "4", "5", "6"} < set(told)       # blocks


@pytest.mark.parametrize("look", ".-+#SBNOM!/?")
def test_pictures_show_each_look(frames, look):
    """The colour of a piece comes and goes with it."""
    block = frames[1].told["blocks"][0]
    block["map"] = "  "
    without = picture.strips(frames[1:], "", "")
    block["map"] = f"{look} "
    svg = picture.strips(frames[1:], "", "")
    rgb = next(entry["rgb"] for entry in frames[0].told["legend"] if entry["char"] == look)
    fill = 'fill="url(#hatch)"' if look == "/" else f'fill="{rgb}"'
    assert svg.count(fill) > without.count(fill)


def test_pictures_are_as_wide_as_memory(frames):
    """Strips lie between the margins, in order, without overlap."""
    svg = strips(frames)
    ends = {}
    for rect in svg.findall(f"{SVG}rect"):
        x, width, y = (float(rect.get(name)) for name in ("x", "width", "y"))
        if float(rect.get("height")) == picture.STRIP:
            assert x >= max(picture.LEFT, ends.get(y, 0)) - 0.02
            ends[y] = x + width
    assert len(ends) == len(frames) and all(end <= picture.RIGHT for end in ends.values())


class Outside(HTMLParser):
    """What a page would fetch."""

    def __init__(self):
        super().__init__()
        self.found, self.sections, self.images = [], 0, 0

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.sections += tag == "section"
        self.images += tag == "img"
        for name in ("src", "href"):
            if not attributes.get(name, "data:").startswith("data:"):
                self.found.append(attributes[name])


def test_pictures_are_written(frames, tmp_path):
    page, png = picture.draw(frames, tmp_path / "out", "Title", "Linux 7.3.4")
    assert png.read_bytes().startswith(b"\x89PNG") and png.stat().st_size > 10000
    text = page.read_text()
    outside = Outside()
    outside.feed(text)
    assert outside.found == [] and "@import" not in text and "url(http" not in text
    assert (outside.sections, outside.images) == (2, 2)
    assert "Linux 7.3.4" in text and "take &lt;block 1&gt; offline" in text
    assert re.search(r"! block 1 .*is now \(node 0, offline\)", text)


def test_pictures_without_rsvg(frames, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert [path.suffix for path in picture.draw(frames, tmp_path / "out", "Title", "")] == [".html"]
