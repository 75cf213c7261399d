"""The verdict on each patch: found out once, believed for as long as nothing that decides about it changes."""

import json
import re
from types import SimpleNamespace

import pytest
from lab import bisect, combinations, kernel, kunit, objects, series, sparse, touched, tree
from lab.errors import LabError
from lab.git import git


class Bisected:
    """A kernel of three commits, the last of which only documents; `bad` names what does not compile."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.tried, self.bad = folder, [], {}
        folder.mkdir()
        git(folder, "init", "--quiet")
        for subject, name in (("base", "Makefile"), ("first", "mm/a.c"), ("second", "mm/b.c"),
                              ("third", "Documentation/c.rst")):
            self.commit(subject, name)
            if subject == "base":
                git(folder, "update-ref", tree.BASE, "HEAD")
        monkeypatch.setattr(tree, "LINUX", folder)
        monkeypatch.setattr(tree, "make", lambda name: folder)
        monkeypatch.setattr(tree, "exported", lambda: True)
        monkeypatch.setattr(bisect, "RECORD", folder.parent / "bisect.json")
        monkeypatch.setattr(bisect, "TABLE", folder.parent / "bisect.md")
        monkeypatch.setattr(bisect, "_verdict", self.verdict)
        monkeypatch.setattr(bisect, "_compiler", lambda machine: "gcc")     # most are not installed
        monkeypatch.setattr(series, "alone", dict)

    def commit(self, subject, name, text=""):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(subject + text)
        git(self.folder, "add", "--all")
        git(self.folder, "-c", "user.name=X", "-c", "user.email=x@example.org", "commit", "--quiet", "-m",
            subject)

    def verdict(self, step):
        self.tried.append(f"{step.kind}: {step.name}")
        said = self.bad.get(self.tried[-1], "ok")
        if isinstance(said, Exception):
            raise said
        return said

    def run(self, *arguments):
        """(exit code, the steps that it took)"""
        self.tried = []
        return bisect.bisect(*arguments), self.tried

    def results(self):
        return {f"{entry['kind']}: {entry['name']}": entry["result"]
                for entry in json.loads(bisect.RECORD.read_text()).values()}


@pytest.fixture
def bisected(tmp_path, monkeypatch):
    return Bisected(tmp_path / "linux", monkeypatch)


VERDICT = bisect._verdict
OFF = ["off: first", "off: second", "off: third"]


def test_goes_on_where_it_ended(bisected):
    assert bisected.run("off:", 2) == (0, OFF[:2])
    assert bisected.run("off:") == (0, OFF[2:])
    assert bisected.run("off:") == (0, [])
    assert bisected.results() == {name: "ok" for name in OFF}


def test_each_verdict_is_written_at_once(bisected):
    bisected.bad["off: second"] = LabError("no space left")
    with pytest.raises(LabError):
        bisected.run("off:")
    assert bisected.results() == {"off: first": "ok"}


def test_failure_is_told_and_remembered(bisected, monkeypatch):
    said = []
    monkeypatch.setattr(bisect, "say", said.append)
    bisected.bad["off: second"] = "mm/b.c:1: error: no such thing"
    assert bisected.run("off:") == (1, OFF)
    assert "off: second: mm/b.c:1: error: no such thing" in " ".join(said)
    assert "| second | mm/b.c:1: error: no such thing | \N{EN DASH} | \N{EN DASH} |" in bisect.TABLE.read_text()
    assert bisected.run("off:") == (1, [])
    bisected.bad.clear()
    assert bisected.run("off:", None, True) == (0, ["off: second"])
    assert "off: 3 good, 0 bad, 0 not run" in bisect.TABLE.read_text()


def test_changed_patch_is_tried_again(bisected):
    bisected.run("off:")
    bisected.commit("fourth", "Documentation/d.rst")
    assert bisected.run("off:") == (0, ["off: fourth"])
    git(bisected.folder, "reset", "--quiet", "--hard", "HEAD~3")
    bisected.commit("second", "mm/b.c", ", changed")
    bisected.commit("third", "Documentation/c.rst")
    assert bisected.run("off:") == (0, OFF[1:])
    assert set(bisected.results()) == set(OFF)      # no word about what is gone


def test_changed_kunit_test_is_tried_where_it_counts(bisected):
    for kind in ("off:", "boot:", "warn:"):
        bisected.run(kind)
    git(bisected.folder, "reset", "--quiet", "--hard", "HEAD~1")
    (bisected.folder / "mm/tests").mkdir()
    bisected.commit("third", "mm/tests/c.c")
    assert bisected.run("off:") == (0, [])      # without KUnit
    assert bisected.run("boot:") == (0, ["boot: third"])
    assert bisected.run("warn:") == (0, ["warn: third"])


def test_changed_configuration_is_tried_again(bisected, monkeypatch):
    bisected.run("off:")
    monkeypatch.setattr(kernel, "fragments", lambda config: f"CONFIG_{config}=y\n")
    assert bisected.run("off:") == (0, OFF)


def test_pattern_that_matches_nothing(bisected):
    with pytest.raises(LabError, match="no step matches nonsense"):
        bisected.run("nonsense")


def test_machine_that_fails_is_no_verdict(monkeypatch):
    step = bisect.Step("off", "first", "HEAD", "off")
    monkeypatch.setattr(tree, "at", lambda commit: None)

    def fail(_):
        raise LabError(said)

    monkeypatch.setattr(bisect, "_off", fail)
    said = "build bisect-off: mm/a.c:1: error: undeclared"
    assert bisect._verdict(step) == said
    said = "build bisect-off: cc1: fatal error: No space left on device"
    with pytest.raises(LabError):
        bisect._verdict(step)


def test_warnings_are_asked_for_what_the_patch_touches(bisected, monkeypatch):
    asked = []

    def findings(name, paths):
        asked.append((name, paths))
        return [(path, 7, "dubious") for path in paths if path == "mm/b.c"], [path for path in paths if path == "mm/a.c"]

    def new(name, config, paths):
        return [(path, 9, "nothing selects it yet") for path in paths]

    monkeypatch.setattr(sparse, "new", new)
    monkeypatch.setattr(sparse, "findings", findings)
    monkeypatch.setattr(tree, "at", lambda commit: None)
    monkeypatch.setattr(bisect, "_verdict", VERDICT)
    assert bisected.run("warn:")[0] == 1
    assert asked == [("bisect", ["mm/a.c"]), ("bisect", ["mm/b.c"]), ("bisect", [])]
    assert bisected.results() == {"warn: first": "mm/a.c:9: nothing selects it yet",
                                  "warn: second": "mm/b.c:7: dubious", "warn: third": "ok"}


def test_patches_for_one_tree_are_taken_alone(bisected, monkeypatch):
    git(bisected.folder, "update-ref", tree.BASE, "HEAD")
    second = git(bisected.folder, "rev-parse", "HEAD~1")
    bisected.commit("elsewhere", "arch/powerpc/d.c")
    far = git(bisected.folder, "rev-parse", "HEAD")
    monkeypatch.setattr(series, "alone", lambda: {"fixes-x": second, "fixes-far": far})
    assert {step.name: (step.commit, step.config) for step in bisect.steps() if step.kind == "group"} == {
        "fixes-x": (second, "on"), "fixes-far": (far, "ppc64le")}
    assert bisected.run("group:") == (0, ["group: fixes-x", "group: fixes-far"])
    assert bisected.run("group:") == (0, [])
    assert "| fixes-x | ok |" in bisect.TABLE.read_text().partition("for one tree")[2]


# The configurations of the tip


def test_combinations_are_all_there():
    """Each switch is on in some and off in others; and none is there twice."""
    found = {**combinations.of_x86(), **combinations.modular()}
    assert len(set(found.values())) == len(found)
    for symbol in (*combinations.SWITCHES, *combinations.BALLOONS, "BALLOON_MIGRATION", "XEN_BALLOON",
                   "HYPERV_BALLOON", "VIRTIO_MEM"):
        on = [name for name, lines in found.items() if re.search(rf"^CONFIG_{symbol}=[ym]$", lines, re.M)]
        assert 0 < len(on) < len(found), symbol
    for symbol in combinations.MODULAR:
        assert f"CONFIG_{symbol}=m" in found["modular drivers"]


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A tree of objects by the Makefiles, two of them compiled by the machine's own compiler."""
    monkeypatch.setattr(kernel, "BUILD", tmp_path)
    monkeypatch.setattr(kernel, "objects_of", lambda name, config: tmp_path / "x")
    for name, text in (("x/mm/Makefile", "obj-y := a.o\nobj-$(CONFIG_B) += b.o \\\n\tc.o\n"),
                       ("x/drivers/Makefile", "obj-$(CONFIG_D) += d/\n"),
                       ("x/drivers/d/Makefile", "obj-y += d.o\nobj-$(CONFIG_E) += e.o\ne-y := part.o\n"),
                       ("x/drivers/d/part.c", ""), ("x/.config", "CONFIG_B=y\n"),
                       ("x/arch/x86/far.c", "void far(void)\n{\n}\n"),
                       ("x/mm/a.c", "void given(void)\n{\n}\n"), ("x/mm/b.c", ""), ("x/mm/c.c", ""),
                       ("x/drivers/d/d.c", "")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "x"


def test_objects_by_the_makefiles(built, monkeypatch):
    sources = ["mm/a.c", "mm/b.c", "mm/c.c", "drivers/d/d.c", "drivers/d/part.c"]
    monkeypatch.setattr(objects, "sources", lambda machine: sources)
    assert objects.of("x", "x", None) == ["mm/a.o", "mm/b.o", "mm/c.o"]
    (built / ".config").write_text("CONFIG_D=m\n")
    assert objects.of("x", "x", None) == ["mm/a.o", "drivers/d/d.o"]
    (built / ".config").write_text("CONFIG_D=m\nCONFIG_E=m\n")
    assert objects.of("x", "x", None) == ["mm/a.o", "drivers/d/d.o", "drivers/d/part.o"]


def test_objects_of_an_architecture_of_two_sizes(built, monkeypatch):
    monkeypatch.setattr(objects, "sources", lambda machine: ["arch/x86/mm/init_32.c", "arch/x86/mm/init_64.c"])
    (built / "arch/x86/mm").mkdir()
    (built / "arch/x86/mm/Makefile").write_text("obj-y := fault.o init_$(BITS).o\n")
    (built / "arch/x86/Kbuild").write_text("obj-y += mm/\n")
    for bits in ("32", "64"):
        (built / f"arch/x86/mm/init_{bits}.c").touch()
    assert objects.of("x", "x", None) == ["arch/x86/mm/init_32.o"]
    (built / ".config").write_text("CONFIG_64BIT=y\n")
    assert objects.of("x", "x", None) == ["arch/x86/mm/init_64.o"]


def test_function_that_nobody_has(built, monkeypatch):
    x86, riscv = (SimpleNamespace(source=source) for source in ("x86", "riscv"))
    monkeypatch.setattr(touched, "files", lambda *patterns: ["mm/a.c", "mm/b.c", "arch/x86/far.c"])
    monkeypatch.setattr(objects, "_nm", lambda machine, path, which: {
        ("a.o", "--defined-only"): ["given"], ("b.o", "--undefined-only"): ["given", "printk"],
        ("c.o", "--undefined-only"): ["far"],
        ("t.o", "--undefined-only"): ["given"],
    }.get((path.name, which), []))
    assert objects.missing("x", "x", x86, ["mm/a.o", "mm/b.o"]) == []
    assert objects.missing("x", "x", x86, ["mm/b.o"]) == [("mm/b.o", "given")]
    assert objects.missing("x", "x", x86, ["mm/c.o"]) == [("mm/c.o", "far")]
    # a file of the architecture has its own instead of the one that an ifdef of mm/ has left out
    (built / "arch/x86/given.c").write_text("void given(void)\n{\n}\n")
    assert objects.missing("x", "x", x86, ["mm/b.o"]) == []
    # another architecture has its own, which the series does not touch
    assert objects.missing("x", "x", riscv, ["mm/c.o"]) == []
    # one that an ifdef of the Makefile has left out
    assert objects.missing("x", "x", x86, ["mm/tests/t.o"]) == []


def test_boots_and_passes_its_tests(monkeypatch):
    """A case that fails is a verdict; suites that a patch does not have yet are not missed."""
    asked, found = [], {"good": ("ok", ""), "elsewhere": ("SKIP", "")}

    class Guest:
        def __init__(self, *arguments, **options):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def run(self, command, timeout=60):
            return listing

    def run(vm, suites, timeout):
        asked.append(suites)
        return found

    monkeypatch.setattr(kunit, "VM", Guest)
    monkeypatch.setattr(kunit, "run", run)
    listing = "example\n"
    kunit.check("bisect", "image")
    assert asked == []
    listing = "example\noffline_page\noffline_page_lend\n"
    kunit.check("bisect", "image")
    assert asked == [["offline_page", "offline_page_lend"]]
    found["bad"] = ("not ok", "")
    with pytest.raises(LabError, match="bad fails"):
        kunit.check("bisect", "image")
