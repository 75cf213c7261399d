"""
Upstream's own tests, run on stock and on the kernel to test: none that passes on stock may do worse.
The tests of the comparison itself need no kernel.
"""

import json
import re

import pytest
from conftest import MIB, ROOT, TREE, image
from lab import selftests, tap, tree, upstream_report, upstream_tests
from lab.sidebyside import KERNELS, WHOLE, Guests, Program, Said, problems
from lab.vm import VM, size, virtio_mem

CONFIG = "upstream"
MEMORY, PLUGGED, BALLOON = "3G", "448M", "64M"
PROGRAMS = {program.name: program for program in upstream_tests.selftests()}
NAMES = [*PROGRAMS, "KUnit"]


def tree_of(kernel):
    return "stock" if kernel == "stock" else TREE


def boot_for_selftests(kernel):
    """
    Two nodes; ZONE_MOVABLE is a device of which half a block is not plugged, and a balloon is inflated:
    so there are offline pages of both types in the way.
    """
    archive = selftests.build(tree_of(kernel), CONFIG)
    return VM(f"upstream-{kernel}", image(CONFIG, tree_of(kernel)), memory=MEMORY, maxmem="8G", slots=4,
              modules=[archive], append="kunit.enable=0 memhp_default_state=online_movable", timeout=600,
              args=["-object", "memory-backend-ram,id=ram0,size=1536M",
                    "-object", "memory-backend-ram,id=ram1,size=1536M",
                    "-numa", "node,cpus=0,memdev=ram0", "-numa", "node,cpus=1,memdev=ram1",
                    *virtio_mem("vmem0", "2G", PLUGGED, node=1),
                    "-device", "virtio-balloon-pci,id=balloon0"])


def prepare_for_selftests(vm):
    """Also swap, which some programs ask for, and who is who."""
    vm.run("tar xf /lib/modules/selftests.tar -C / && rm /lib/modules/selftests.tar", timeout=600)
    vm.run("echo root:x:0:0::/:/bin/sh >/etc/passwd; mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm")
    vm.run("echo 256M >/sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0")
    vm.qmp("balloon", value=size(MEMORY) - size(BALLOON))
    vm.run(f"while test $(awk '/^nr_balloon_pages/ {{ print $2 }}' /proc/vmstat) -lt "
           f"{size(BALLOON) // 4096}; do sleep 0.1; done", timeout=120)
    vm.run(f"while test $(awk '/^MemTotal/ {{ print $2 }}' /proc/meminfo) -lt "
           f"{(size(MEMORY) + size(PLUGGED) - size(BALLOON) - 256 * MIB) >> 10}; do sleep 0.1; done",
           timeout=120)


def boot_for_kunit(kernel):
    return VM(f"upstream-kunit-{kernel}", image(CONFIG, tree_of(kernel)), memory="2G",
              append="kunit.enable=1 kunit.autorun=0", timeout=600)


@pytest.fixture(scope="module")
def guests():
    guests = Guests(boot_for_selftests, prepare_for_selftests)
    yield guests
    guests.stop()


def record(name, found):
    if TREE == "linux":
        upstream_report.note(name, found, NAMES)


@pytest.mark.part("upstream")
@pytest.mark.parametrize("name", PROGRAMS)
def test_selftest(guests, name):
    guests.vm("stock"), guests.vm("ours")       # what they cost is not the program's
    found = guests.run(PROGRAMS[name])
    record(name, found)
    bad = list(problems(found))
    assert not bad, "\n".join([*bad, "what it said last:", found["ours"].output[-3000:]])


@pytest.mark.part("upstream")
def test_kunit_suites():
    """All of the kernel's suites that may be run after boot; those of the series alone are no matter."""
    guests = Guests(boot_for_kunit, lambda vm: None)
    whole = {kernel: Said({}) for kernel in KERNELS}
    try:
        suites = guests.vm("stock").run(f"cd {upstream_tests.SUITES}; ls -d */run").split()
        for name in (suite.partition("/")[0] for suite in suites):
            for kernel, said in guests.run(upstream_tests.suite(name)).items():
                whole[kernel].tests |= {f"{name}: {case}": verdict for case, verdict in said.tests.items()}
                whole[kernel].splats += said.splats
                whole[kernel].seconds += said.seconds
                whole[kernel].died = whole[kernel].died or said.died
    finally:
        guests.stop()
    record("KUnit", whole)
    assert not list(problems(whole))
    assert len(whole["stock"].tests) > 300


# The comparison itself

OUTPUT = """\
TAP version 13
1..9
ok 1 plain
not ok 2 broken
ok 3 - with a dash
ok 4 left out # SKIP no memory
ok 5 # SKIP named behind
not ok 6 known # XFAIL it is
ok 7 at 0x7f1234567000 in 12.5 ms
ok 8 plain
# ok 9 of a subtest
not ok 10 # error what went wrong
# Totals: pass:5 fail:2
"""


def test_tap_is_read_right():
    assert tap.parse(OUTPUT) == {
        "plain": "ok", "broken": "not ok", "with a dash": "ok", "left out": "SKIP",
        "named behind": "SKIP", "known": "XFAIL", "at 0x... in ... ms": "ok", "plain (2)": "ok",
        "of a subtest": "ok", "what went wrong": "not ok"}


def said(died="", splats=(), **tests):
    return Said({WHOLE: "ok"} | tests, splats=list(splats), died=died)


def compared(stock, ours):
    return list(problems({"stock": stock, "ours": ours}))


@pytest.mark.parametrize(("before", "after", "bad"), [
    ("ok", "ok", False), ("ok", "not ok", True), ("ok", "SKIP", True), ("ok", "absent", True),
    ("SKIP", "not ok", True), ("SKIP", "SKIP", False), ("SKIP", "ok", False), ("XFAIL", "SKIP", False),
    ("SKIP", "absent", True), ("not ok", "not ok", False), ("not ok", "absent", False),
    ("not ok", "ok", False)])
def test_what_is_worse(before, after, bad):
    ours = said(good="ok") if after == "absent" else said(good="ok", a=after)
    assert compared(said(good="ok", a=before), ours) == (
        [f"a: {before} on stock, {after} on ours"] if bad else [])


def test_exit_status_is_a_test():
    assert [tap.exit_status(code) for code in (0, 4, 1, 139, None)] == [
        "ok", "SKIP", "not ok", "not ok", "not ok"]
    assert compared(said(), Said({WHOLE: "not ok"})) == [
        f"{WHOLE}: ok on stock, not ok on ours"]


SPLAT = "WARNING: mm/page_alloc.c:{} at free_it+0x{}/0x20, CPU#1: cow/{}"


def test_splat_of_both_is_none_of_ours():
    there = SPLAT.format(100, 17, 123)
    assert not compared(said(splats=[there]), said(splats=[SPLAT.format(107, 19, 99)]))
    other = SPLAT.replace("free_it", "take_it").format(1, 2, 3)
    assert compared(said(splats=[there]), said(splats=[there, other])) == [
        f"the kernel complains, as it does not on stock: {other}"]


def test_end_of_a_guest():
    assert compared(said(), said(died="guest ours: died")) == ["guest ours: died"]
    assert "to be left out" in compared(said(died="no end within 300 s"), said())[0]


def test_blocks_that_go_offline_are_counted():
    tests = upstream_tests.blocks("online->offline memory0\n-> Failure\nonline->offline memory1\n"
                                  "-> Success\nonline->offline memory2\n-> Success\n")
    assert tests == {f"block {number} of the target goes offline": "ok" for number in (1, 2)}


def test_guests_go_through_the_same(monkeypatch):
    """What kills one guest takes both; what wants guests of its own gets them."""
    boots = []

    class ToyVM:
        def __init__(self, kernel):
            self.kernel = kernel

        def __enter__(self):
            boots.append(self.kernel)

        def __exit__(self, *_):
            pass

        def start(self, command):
            job = type("Job", (), {"output": "ok 1 a\n"})()
            job.wait = lambda timeout: (0, "ok 1 a\nnot ok 2 b\n" if self.kernel == "ours" else
                                        "ok 1 a\nok 2 b\n")
            return job

        def splats(self):
            return []

    guests = Guests(ToyVM, lambda vm: None)
    found = guests.run(Program("p", "p"))
    assert list(problems(found)) == ["b: ok on stock, not ok on ours"]
    guests.run(Program("p", "p"))
    assert boots == [*KERNELS]
    guests.run(Program("alone", "alone", alone=True))
    guests.run(Program("p", "p"))
    assert boots == [*KERNELS] * 3


def test_record(tmp_path):
    path = tmp_path / "upstream.json"
    found = {"stock": said(a="ok", b="SKIP"), "ours": said(a="not ok", b="SKIP", c="ok")}
    upstream_report.note("old", found, ["old", "new"], path)
    upstream_report.note("new", found, ["new"], path)
    told = json.loads(path.read_text())["programs"]
    assert list(told) == ["new"]
    assert told["new"]["tests"] == {WHOLE: ["ok", "ok"], "a": ["ok", "not ok"], "b": ["SKIP", "SKIP"],
                                    "c": ["absent", "ok"]}
    assert told["new"]["worse"] == ["a: ok on stock, not ok on ours"]
    assert '"a": ["ok", "not ok"]' in path.read_text()
    assert "| `new` | a | ok | not ok |" in path.with_suffix(".md").read_text()


def test_each_program_is_run_or_left_out():
    """Of those that the Makefile of selftests/mm makes; docs/upstream-tests.md says why."""
    tree.make("linux")
    folder = ROOT / "build/linux" / selftests.SELFTESTS / "mm"
    made = set(re.findall(r"^TEST_GEN_FILES \+?= ([\w-]+)$", (folder / "Makefile").read_text(), re.M))
    # Of these, the Makefile has a list of its own.
    made = made - {"protection_keys", "pkey_sighandler_tests"} | {"protection_keys_64", "pkey_sighandler_tests_64"}
    made |= {path.name for path in folder.glob("*.sh")}
    left_out = set(re.findall(r"^\| `([\w.-]+)` \|", (ROOT / "docs/upstream-tests.md").read_text(), re.M))
    chosen = upstream_tests.programs_of_mm()
    assert not chosen & left_out
    assert chosen | left_out == made
