"""Are data races found in a console log, and told apart by whose code it is? Needs no kernel."""

import subprocess

import pytest
from lab import kcsan

CONSOLE = """\
[    1.000000] Linux version 7.3
[    2.000000] ==================================================================
[    2.000001] BUG: KCSAN: data-race in give / look
[    2.000002]
[    2.000003] write to 0xffff888003ffc240 of 8 bytes by task 61 on cpu 1:
[    2.000004]  give+0x8/0x80
[    2.000005]  look+0x10/0x20
[    2.000006]
[    2.000007] read (marked) to 0xffff888003ffc240 of 8 bytes by task 62 on cpu 0:
[    2.000008]  walk+0x10/0x30 [pfn_races]
[    2.000009]  give+0x8/0x80
[    2.000010]
[    2.000011] value changed: 0x0000000000000001 -> 0x0000000000000002
[    2.000012]
[    2.000013] Reported by Kernel Concurrency Sanitizer on:
[    2.000014] CPU: 0 UID: 0 PID: 62 Comm: sh
[    2.000015]  give+0x9/0x80
[    3.000000] BUG: KCSAN: data-race in look
[    3.000001] race at unknown origin, with read to 0xffff888003ffc240 of 4 bytes by interrupt on cpu 1:
[    3.000002]  look+0x4/0x20
"""

# Lines 2 and 3 are the function that the series has changed; gcc inlines it.
SOURCE = """\
static int shared;
static inline __attribute__((always_inline)) void ours(void)
{ shared++; }
void give(void)
{
	ours();
}
int look(void)
{
	return shared;
}
"""


def test_reports_are_found():
    one, other = kcsan.reports(CONSOLE)
    assert str(one) == "data-race in give / look (write, read (marked))"
    assert one.tops == [("give", 8)]        # what is in a module is not the series'
    assert str(other) == "data-race in look (unknown origin, read)"
    assert other.tops == [("look", 4)]
    assert not kcsan.reports("[    1.000000] BUG: KASAN: use-after-free in give\\n")


@pytest.fixture
def attribution(tmp_path, monkeypatch):
    """Of a toy that is linked like a kernel, with its objects in a folder of the tree."""
    objects = tmp_path / "obj-toy"
    objects.mkdir()
    (tmp_path / "toy.c").write_text(SOURCE)
    subprocess.run(["gcc", "-g", "-O1", "-fno-ipa-icf", "-nostdlib", "-static", "-Wl,-e,look", "-o", "vmlinux",
                    "../toy.c"], cwd=objects, check=True)
    symbols = subprocess.run(["nm", "vmlinux"], cwd=objects, check=True, capture_output=True).stdout
    (objects / "System.map").write_bytes(symbols)
    monkeypatch.setattr(kcsan, "BUILD", tmp_path.parent)
    monkeypatch.setattr(kcsan.kernel, "objects_of", lambda name, config: objects)
    monkeypatch.setattr(kcsan.touched, "functions", lambda *patterns: {"toy.c": [range(2, 4)]})
    return kcsan.Attribution(tmp_path.name, "toy")


def report(*tops):
    return kcsan.Report("a race", ["read", "write"], list(tops))


def test_inlined_function_is_ours(attribution):
    assert attribution.lines("give", 1) == [("toy.c", 3), ("toy.c", 6)]
    assert attribution.ours(report(("look", 1), ("give", 1)))


def test_others_are_not(attribution):
    [(path, line)] = attribution.lines("look", 1)
    assert path == "toy.c" and line in range(8, 12)
    assert not attribution.ours(report(("look", 1), ("look", 2)))
    assert not attribution.ours(report(("unknown", 1)))
