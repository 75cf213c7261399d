"""
offmap on machines that never were: what it counts, what it says of files that are not there or make no
sense, how it shows that. tests/test_offmap_guest.py compares it with a real kernel.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lab import offmap
from lab.paths import OFFMAP
from offmap_tree import BLOCK, PAGE, Tree, as_input, large, mixed

KINDS = ("free", "used", "offline", "movable_offline", "absent", "never_onlined", "skippable", "poisoned")
NOBODY = 65534


@pytest.fixture
def tree(tmp_path):
    return mixed(tmp_path / "root")


def call(*arguments, **options):
    """(exit status, output, errors)"""
    done = subprocess.run([offmap.host(), *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, **options)
    return done.returncode, done.stdout, done.stderr


def show(tree, *arguments, **options):
    code, output, errors = call("--root", tree.root, *arguments, **options)
    assert (code, errors) == (0, "")
    return output


def look(tree):
    return json.loads(show(tree, "--json"))


def counts(told):
    return {kind: told[kind] for kind in KINDS}


def block(told, number):
    return next(each for each in told["blocks"] if each["block"] == number)


# What it counts

def test_total(tree):
    part = BLOCK // 16
    assert counts(look(tree)["total"]) == {
        "free": (6 + 15 + 1) * part, "absent": 4, "poisoned": 3, "movable_offline": BLOCK,
        "never_onlined": 3 + 10 * part, "skippable": 2 + 10 * part + 2, "offline": 7 + 10 * part + 2,
        "used": (BLOCK - 4 - 6 * part) + part + (BLOCK - 7) + 5 * part - 2}


def test_blocks(tree):
    told = look(tree)
    assert [each["block"] for each in told["blocks"]] == [0, 1, 2, 4, 5, 6]
    for each in told["blocks"][:-1]:
        complement = ("free", "used", "offline", "movable_offline", "absent")
        assert sum(each[kind] for kind in complement) == each["pages"] == BLOCK
    assert set(counts(told["blocks"][-1]).values()) == {None}
    assert counts(block(told, 2)) == {
        "free": 0, "used": BLOCK - 7, "offline": 7, "movable_offline": 0, "absent": 0,
        "never_onlined": 3, "skippable": 2, "poisoned": 0}
    for kind in KINDS:
        assert sum(each[kind] or 0 for each in told["blocks"]) == told["total"][kind]


def test_places(tree):
    told = look(tree)
    found = [(each["node"], each["zone"], each["state"], each["origin"]) for each in told["blocks"]]
    assert found == [(0, "DMA+Normal", "online", "System RAM"), (0, "Normal", "online", "System RAM"),
                     (0, "Normal", "online", "System RAM"),
                     *[(1, "Movable", "online", "System RAM (virtio_mem)")] * 2,
                     (1, "-", "offline", "System RAM (virtio_mem)")]
    size = BLOCK * PAGE
    assert told["regions"] == [
        {"name": "virtio0", "start": 4 * size, "size": 12 * size, "added": 3 * size},
        {"name": "virtio1", "start": 32 * size, "size": 16 * size, "added": 0}]


def test_zones(tree):
    """A block of several zones is counted with each of them, up to the very page."""
    zones = {(zone["node"], zone["zone"]): zone for zone in look(tree)["zones"]}
    assert set(zones) == {(0, "DMA"), (0, "Normal"), (1, "Movable")}
    assert (zones[0, "DMA"]["absent"], zones[0, "DMA"]["free"]) == (3, 4)
    assert zones[0, "Normal"]["free"] == 21 * BLOCK // 16 - 4
    assert (zones[0, "Normal"]["listed_free"], zones[0, "Normal"]["cpu_free"]) == (2, 7)
    assert zones[1, "Movable"]["movable_offline"] == BLOCK
    assert zones[0, "DMA"]["managed"] == 5


def test_map_has_a_character_per_2_mib(tree):
    assert [each["map"] for each in look(tree)["blocks"]] == ["-#", ".!", "#o", "MM", "B!", "//"]


@pytest.mark.parametrize("kind,pages,expected", [
    ("free", 512, "."), ("used", 512, "#"), ("offline", 512, "O"), ("never", 512, "N"),
    ("skippable", 512, "S"), ("both", 512, "B"), ("movable", 512, "M"), ("absent", 512, " "),
    ("poisoned", 1, "!"), ("offline", 1, "o"), ("both", 255, "b"), ("both", 256, "B"),
    ("free", 511, "-"), ("free", 256, "+"), ("free", 1, "+"), ("absent", 511, "#")])
def test_character(tmp_path, kind, pages, expected):
    tree = Tree(tmp_path)
    tree.block(0, (pages, kind))
    assert block(look(tree), 0)["map"][0] == expected


@pytest.mark.parametrize("change", ["flags", "debugfs", "state", "zone", "nothing"])
def test_the_counts_depend_on_the_files(tree, change):
    """None of these tests would notice a program that always tells the same."""
    before = look(tree)
    if change == "flags":
        with open(tree.flags, "r+b") as flags:
            flags.seek((BLOCK + 7) * 8)
            flags.write(bytes(8))
    elif change == "debugfs":
        tree.debugfs.write_text(tree.debugfs.read_text().replace("skippable", "never_onlined", 1))
    elif change == "state":
        tree.write("sys/devices/system/memory/memory1/state", "offline\n")
    elif change == "zone":
        tree.write("sys/devices/system/memory/memory5/valid_zones", "Normal\n")
    after = look(tree)
    for told in (before, after):
        told.pop("time")
    assert (before == after) == (change == "nothing")


# What is not there

def test_without_debugfs(tree):
    """Then offline pages of both types are one."""
    tree.debugfs.unlink()
    told = look(tree)
    total = told["total"]
    assert total["offline"] == 9 + 10 * BLOCK // 16 + BLOCK
    assert [kind for kind in KINDS if total[kind] is None] == ["movable_offline", "never_onlined", "skippable"]
    assert told["sees"] == {"kpageflags": True, "offline_pages": False}
    assert re.search("offline_pages: No such file", told["unseen"][0])


def test_without_kpageflags(tree):
    tree.flags.unlink()
    total = look(tree)["total"]
    assert (total["offline"], total["movable_offline"]) == (9 + 10 * BLOCK // 16, BLOCK)
    assert [kind for kind in KINDS if total[kind] is None] == ["free", "used", "absent", "poisoned"]
    assert "?" in show(tree, "--map")


def test_without_memory_blocks(tree):
    """Then it is the zones that say where memory is."""
    shutil.rmtree(tree.root / "sys/devices")
    told = look(tree)
    assert told["block_size"] == 0
    # The hole, and what is before the first zone, are of no zone.
    assert sum(each["pages"] for each in told["blocks"]) == 7 + 3 * BLOCK - 8 + 2 * BLOCK
    assert told["total"]["movable_offline"] == BLOCK
    assert "pieces of 128 MiB" in show(tree)


def test_without_memory_blocks_and_zones(tree):
    shutil.rmtree(tree.root / "sys/devices")
    (tree.root / "proc/zoneinfo").unlink()
    told = look(tree)
    assert sum(each["pages"] for each in told["blocks"]) == 7 * BLOCK
    assert told["total"]["offline"] == 9 + 10 * BLOCK // 16


def test_without_zoneinfo(tree):
    (tree.root / "proc/zoneinfo").unlink()
    told = look(tree)
    zones = {(zone["node"], zone["zone"]): zone for zone in told["zones"]}
    assert zones[1, "Movable"]["movable_offline"] == BLOCK and "managed" not in zones[1, "Movable"]
    assert block(told, 0)["zone"] == "-"


def test_without_iomem(tree):
    tree.iomem.unlink()
    told = look(tree)
    assert told["regions"] == [] and {each["origin"] for each in told["blocks"]} == {""}


def test_without_anything(tmp_path):
    code, output, errors = call("--root", tmp_path)
    assert (code, output) == (2, "")
    assert "there is nothing to see" in errors and "proc/kpageflags" in errors


def test_iomem_without_addresses(tree):
    """As an ordinary user has it."""
    tree.iomem.write_text("00000000-00000000 : System RAM\n  00000000-00000000 : virtio0\n")
    told = look(tree)
    assert told["regions"] == [] and "to root only" in told["unseen"][0]


def test_ordinary_user(tree):
    """Root runs the tests, so that the program has to give that up."""
    assert not os.geteuid(), "only root can run a program as somebody else"
    tree.flags.chmod(0o400)
    tree.debugfs.parent.chmod(0o700)
    # Below /tmp, where nobody may look.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shutil.copytree(tree.root, Path(folder) / "root")
        program = shutil.copy(offmap.host(), folder)
        done = subprocess.run([program, "--root", Path(folder) / "root"], user=NOBODY, group=NOBODY,
                              extra_groups=[], capture_output=True, text=True, check=True)
    assert "cannot see: /proc/kpageflags: Permission denied" in done.stdout
    assert "cannot see: /sys/kernel/debug/offline_pages: Permission denied" in done.stdout
    assert re.search(r"^1 +Movable +8M +8M +-", done.stdout, re.M)
    assert re.search(r"^6 .* offline ", done.stdout, re.M)


def test_this_machine():
    """Whatever it is, and whoever runs this."""
    told = json.loads(offmap.run("--json"))
    assert told["blocks"] and told["kernel"] == os.uname().release


# What makes no sense

MEMORY = "sys/devices/system/memory"
BAD = {
    "kpageflags short": ("proc/kpageflags", lambda old: old[:6 * BLOCK * 8 - 8], "kpageflags ends at page 0x17ff"),
    "kpageflags odd": ("proc/kpageflags", lambda old: old[:3 * BLOCK * 8 + 5], "within memory block 4"),
    "kpageflags empty": ("proc/kpageflags", lambda old: b"", "kpageflags ends at page 0x0"),
    "debugfs cut": ("sys/kernel/debug/offline_pages", lambda old: old[:-9], "cannot understand"),
    "debugfs order": ("sys/kernel/debug/offline_pages", lambda old: old + b"0x1 1 offline - 0 0\n", "order"),
    "debugfs huge": ("sys/kernel/debug/offline_pages",
                     lambda old: b"0x1 99999999999999999999 offline - 0 0\n", "line 1"),
    "debugfs type": ("sys/kernel/debug/offline_pages", lambda old: b"0x1 1 buddy - 0 0\n", "cannot"),
    "debugfs long": ("sys/kernel/debug/offline_pages", lambda old: b"#" * 9000, "a line is too long"),
    "debugfs nul": ("sys/kernel/debug/offline_pages", lambda old: b"0x1 1\0offline - 0 0\n", "NUL"),
    "zoneinfo empty": ("proc/zoneinfo", lambda old: b"", "no zones"),
    "zoneinfo twice": ("proc/zoneinfo", lambda old: old + old[old.rindex(b"Node"):], "twice"),
    "zoneinfo number": ("proc/zoneinfo", lambda old: old.replace(b"managed  5", b"managed  -5"), "managed  -5"),
    "zoneinfo large": ("proc/zoneinfo", lambda old: old.replace(b"spanned  7", b"spanned  " + b"9" * 30), "999"),
    "zoneinfo wrap": ("proc/zoneinfo", lambda old: old.replace(
        b"spanned  7", f"spanned  {(1 << 64) + 7}".encode()), "18446744073709551623"),
    "zoneinfo node": ("proc/zoneinfo", lambda old: old.replace(b"Node 1", b"Node 99999"), "Node 99999"),
    "zoneinfo escape": ("proc/zoneinfo", lambda old: old.replace(b"Node 1", b"Node \x1b[2J"), "Node ?[2J"),
    "block size": (f"{MEMORY}/block_size_bytes", lambda old: b"0\n", '"0" makes no sense'),
    "block size odd": (f"{MEMORY}/block_size_bytes", lambda old: b"400001\n", "makes no sense"),
    "block size huge": (f"{MEMORY}/block_size_bytes", lambda old: b"f" * 16, "makes no sense"),
    "block size word": (f"{MEMORY}/block_size_bytes", lambda old: b"large\n", '"large" makes no sense'),
    "block number": (f"{MEMORY}/memory5/phys_index", lambda old: b"f" * 16, "no block number"),
    "block overlap": (f"{MEMORY}/memory5/phys_index", lambda old: b"00000004\n", "overlaps"),
    "block state": (f"{MEMORY}/memory5/state", lambda old: b"", "is empty"),
    "iomem word": ("proc/iomem", lambda old: b"what is this\n", "iomem, line 1"),
    "iomem backwards": ("proc/iomem", lambda old: b"2000-1000 : System RAM\n", "iomem, line 1"),
    "iomem order": ("proc/iomem", lambda old: b"2000-2fff : System RAM\n0-1fff : System RAM\n", "order"),
    "iomem deep": ("proc/iomem", lambda old: b" " * 200 + b"2000-2fff : System RAM\n", "line 1"),
}


@pytest.mark.parametrize("path,change,message", BAD.values(), ids=BAD)
def test_bad_file(tree, path, change, message):
    """One line that names the file; nothing that looks like a result."""
    show(tree)
    target = tree.root / path
    target.write_bytes(change(target.read_bytes()))
    for how in ("--json", "--map", "--svg", "--all"):
        code, output, errors = call("--root", tree.root, how)
        assert (code, output) == (2, "")
        first = errors.splitlines()[0]
        assert first.startswith("offmap: ") and message in first and first.isprintable()


def test_sources_that_disagree(tree):
    """Pages that only one source has offline: counted as /proc/kpageflags has them, and told."""
    with open(tree.debugfs, "a") as debugfs:
        debugfs.write(f"{6 * BLOCK - 4:#x} 3 offline - 0 0\n")
    told = look(tree)
    assert told["disagree"] == 3 and "disagree about 3 pages" in told["unseen"][0]
    assert told["total"]["offline"] == 9 + 10 * BLOCK // 16


JSON_BAD = {
    "empty": "", "no object": "[]", "no snapshot": "{}", "word": "{\"offmap\": yes}",
    "cut": lambda good: good[:len(good) // 2], "cut in a string": lambda good: good[:40],
    "more": lambda good: good + "{}", "deep": "[" * 100000, "negative": lambda good: good.replace(
        '"free": ', '"free": -', 1), "fraction": lambda good: good.replace('"used": ', '"used": 0.', 1),
    "large": lambda good: good.replace('"pages": 1024', '"pages": ' + "9" * 40, 1),
    "no pages": lambda good: good.replace('"pages": 1024', '"pages": 0', 1),
    "map too short": lambda good: good.replace('"map": "-#"', '"map": "."', 1),
    "map of others": lambda good: good.replace('"map": "-#"', '"map": "<>"', 1),
    "overlap": lambda good: good.replace('"start_pfn": 4096, "pages"', '"start_pfn": 2047, "pages"', 1),
    "escape": lambda good: good.replace('"online", ', '"\\x", ', 1),
    "version": lambda good: good.replace('"offmap": 1', '"offmap": 2', 1),
    "cells": lambda good: good.replace('"cell_pages": 512', '"cell_pages": 0', 1),
    "page size": lambda good: good.replace('"page_size": 4096', '"page_size": 4095', 1),
}


@pytest.mark.parametrize("bad", JSON_BAD.values(), ids=JSON_BAD)
def test_bad_snapshot(tree, tmp_path, bad):
    good = show(tree, "--json")
    text = bad(good) if callable(bad) else bad
    assert text != good
    path = tmp_path / "bad.json"
    path.write_text(text)
    for command in (["--read", path, "--json"], ["--diff", path, path]):
        code, output, errors = call(*command)
        assert (code, output) == (2, "")
        assert errors.startswith(f"offmap: {path}") and len(errors.splitlines()) == 1


# How it is shown

def test_snapshot_is_shown_as_the_machine_is(tree, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(show(tree, "--json"))
    for how in ("--json", "--map", "--svg", "--pages"):
        assert _without_time(offmap.run("--read", path, how)) == _without_time(show(tree, how))


def _without_time(text):
    return re.sub(r'\d\d:\d\d:\d\d|"time": \d+', "", text)


def test_diff(tree, tmp_path):
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    before.write_text(show(tree, "--json"))
    tree.write("sys/devices/system/memory/memory1/state", "offline\n")
    shutil.rmtree(tree.root / "sys/devices/system/memory/memory6")
    with open(tree.flags, "r+b") as flags:
        flags.seek(4 * BLOCK * 8)
        flags.write((1 << 10).to_bytes(8, "little") * 10)
    tree.debugfs.write_text(tree.debugfs.read_text().replace(
        f"{4 * BLOCK:#x} {BLOCK} ", f"{4 * BLOCK + 10:#x} {BLOCK - 10} "))
    after.write_text(show(tree, "--json"))
    code, output, errors = call("--diff", before, after, "--pages")
    assert (code, errors) == (1, "")
    lines = output.splitlines()[2:]
    assert lines[0].startswith("! block 1 (node 0, zone Normal) is now (node 0, offline): -960 free")
    assert lines[1:] == ["  block 4 (node 1, zone Movable, System RAM (virtio_mem)): +10 free, "
                         "-10 movable_offline",
                         "- block 6 (node 1, offline, System RAM (virtio_mem)): ",
                         "all: -950 free, -64 used, -10 movable_offline, -1 poisoned"]


def test_diff_of_the_same(tree, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(show(tree, "--json"))
    code, output, _ = call("--diff", path, path)
    assert code == 0 and output.splitlines()[-1] == "all: no difference in sum"


def test_map_fits(tree):
    for width in (80, 132, 200):
        for line in show(tree, "--map", f"--width={width}").splitlines():
            assert not re.match(r" *0", line) or len(line) < width


def test_map_is_plain_without_locale_and_terminal(tree):
    output = show(tree, "--map", env={})
    assert output.isascii() and "\033" not in output and re.search(r"^ +0 +MMB!//$", output, re.M)
    fancy = show(tree, "--map", "--color=always", env={"LANG": "C.UTF-8"})
    assert "\u2588" in fancy and "\033[0;38;5;" in fancy


def test_map_of_a_unit(tree):
    assert re.search(r"^ +0 +M!/$", show(tree, "--map", "--ascii", "--unit=4M"), re.M)


def test_map_in_colour_says_the_same(tree):
    """Without its escapes, it is the map without colour."""
    colour = show(tree, "--map", "--ascii", "--color=always")
    assert _without_time(re.sub(r"\033\[[\d;]*m", "", colour)) == _without_time(show(tree, "--map", "--ascii"))


def test_watch_marks_what_has_changed(tree):
    with subprocess.Popen([offmap.host(), "--root", tree.root, "--map", "--ascii", "--color=always",
                           "--watch=1", "--count=2"], stdout=subprocess.PIPE, text=True) as process:
        first = [process.stdout.readline()]
        while "poisoned pages" not in first[-1]:
            first.append(process.stdout.readline())
        tree.write("sys/devices/system/memory/memory4/state", "offline\n")
        rest = process.stdout.read()
    assert process.returncode == 0
    assert not [line for line in first if ";7m" in line]
    marked = [line for line in rest.splitlines() if ";7m" in line]
    assert len(marked) == 1 and re.sub(r"\033\[[\d;]*m", "", marked[0]).split() == ["0", "//B!//"]
    assert ";7m//" in marked[0]


def test_svg_is_well_formed(tree):
    (tree.root / "proc/zoneinfo").unlink()
    tree.write("proc/sys/kernel/osrelease", "<&\"'>\n")
    svg = ElementTree.fromstring(show(tree, "--svg"))
    space = "{http://www.w3.org/2000/svg}"
    texts = ["".join(text.itertext()) for text in svg.iter(f"{space}text")]
    assert any("<&\"'>" in text for text in texts) and any("cannot see" in text for text in texts)
    fills = {rect.get("fill") for rect in svg.iter(f"{space}rect")}
    legend = {entry["char"]: entry["rgb"] for entry in look(tree)["legend"]}
    assert {legend[look] for look in ".+#MB!"} < fills
    height = int(svg.get("height"))
    assert all(int(rect.get("y") or 0) + int(rect.get("height")) <= height for rect in svg.iter(f"{space}rect"))


def test_dull_blocks_are_one_line(tmp_path):
    tree = Tree(tmp_path)
    for number in range(9):
        tree.block(number, (100, "free"), (int(number == 4), "offline"))
    lines = show(tree, "--pages").splitlines()
    assert [line.split()[0] for line in lines if " Normal " in line][1:] == ["0-3", "4", "5-8"]
    assert len([line for line in show(tree, "--all").splitlines() if " Normal " in line]) == 10


@pytest.mark.parametrize("arguments", [
    ["--unknown"], ["--unit=x"], ["--unit=0"], ["--watch=0"], ["--watch", "--json"], ["--diff", "a"],
    ["--color=perhaps"], ["more"], ["--width=0"], ["--count=-1"]])
def test_wrong_usage(arguments):
    code, output, errors = call(*arguments)
    assert (code, output) == (2, "") and errors


def test_full_disk(tree):
    with open("/dev/full", "w") as full:
        done = subprocess.run([offmap.host(), "--root", tree.root], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2 and b"No space left" in done.stderr


def test_help_and_man_page_tell_every_option():
    _, usage, _ = call("--help")
    options = set(re.findall(r"--[a-z\d]+", usage))
    page = (OFFMAP / "offmap.8").read_text().replace("\\-", "-")
    assert len(options) > 15 and options == {f"-{name}" for name in re.findall(r"Fl (-[a-z\d]+)", page)}


def test_man_page():
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", OFFMAP / "offmap.8"],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


# How long it takes

def test_large_machine():
    """
    1 TiB in less than 5 s and 100 MiB. It is the CPU's time that counts, not what others do on this
    machine meanwhile; with a real /proc/kpageflags, the kernel's own time comes on top.
    """
    memory = Path("/dev/shm")       # where a sparse file takes no space, and creating files no time
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        tree = large(Path(folder), tib=1)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        told = json.loads(_limited("--root", tree.root, "--json"))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert told["total"]["blocks"] == 8192
    assert sum(told["total"][kind] for kind in KINDS[:5]) == 1 << 28
    assert told["total"]["offline"] == told["total"]["skippable"] == 8192 // 64 * 16384
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{seconds:.2f} s")
    assert seconds < 5


def _limited(*arguments):
    limit = 100 << 20
    done = subprocess.run([offmap.host(), *map(str, arguments)], capture_output=True, text=True, check=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    return done.stdout


# What it survives

def seeds(folder):
    """Inputs for offmap/fuzz/fuzz.c: a small machine, with files and without, and snapshots of it."""
    folder.mkdir()
    tree = mixed(folder.parent / "fuzzed", block=16)
    files = {"tree": as_input(tree), "json": show(tree, "--json").encode()}
    tree.debugfs.unlink()
    files["no-debugfs"] = as_input(tree)
    files["json-no-debugfs"] = show(tree, "--json").encode()
    shutil.rmtree(tree.root / "sys/devices")
    files["no-blocks"] = as_input(tree)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


def test_damaged_input(tmp_path):
    """Under the sanitizers; the same damage each time."""
    done = subprocess.run([offmap.fuzzer(), "1500", *seeds(tmp_path / "seeds")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "5 inputs, 1500 changes of each\n"


@pytest.mark.part("fuzz")
def test_fuzz(tmp_path):
    """Ten minutes of libFuzzer."""
    seeds(tmp_path / "seeds")
    done = subprocess.run([offmap.fuzzer(libfuzzer=True), "-max_total_time=600", "-max_len=8192", "-timeout=30",
                           "-print_final_stats=1", tmp_path / "seeds"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(re.search(r"number_of_executed_units: (\d+)", done.stderr)[1]) > 10000
