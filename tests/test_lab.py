"""The lab where a mistake in it would hide a mistake in the kernel, or lose work."""

import shutil
import socket

import pytest
from conftest import ROOT, image
from lab import agent, progress, splat
from lab.vm import VM, GuestError, SplatError
from toy import MAKEFILE

SPLATS = """\
WARNING: include/linux/alloc_tag.h:166 at __pgalloc_tag_sub+0x285/0x2a0, CPU#1: kworker/1:0/22
WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:1234 free_one_page+0x1/0x2
WARNING: possible circular locking dependency detected
BUG: KASAN: use-after-free in scan_movable_pages+0x10/0x20
BUG: Bad page state in process swapper  pfn:12345
BUG: sleeping function called from invalid context at mm/offline_page.c:100
BUG: unable to handle page fault for address: ffffea0005000000
watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [kworker/1:1:30]
kernel BUG at drivers/virtio/virtio_mem.c:2200!
Oops: general protection fault, probably for non-canonical address 0x123: 0000 [#1] SMP
Kernel panic - not syncing: Fatal exception
list_del corruption. prev->next should be ffff888000000000, but was dead000000000100
INFO: task kworker/0:1:10 blocked for more than 122 seconds.
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
pagealloc: memory corruption
INFO: trying to register non-static key.
""".splitlines()

HARMLESS = """\
virtio_mem virtio0: plugged size: 0x1c000000
migrating pfn 118036 failed ret:1
page: refcount:1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x117e00
page dumped because: unmovable page
Memory failure: 0x1180: recovery action for free buddy page: Recovered
kunit: disabled
spurious 8259A interrupt: IRQ7.
x86/fpu: Supporting XSAVE feature 0x001: 'x87 floating point registers'
memtest invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO), order=0
Speculative Store Bypass: Vulnerable
virtio_mem virtio0: device still has system memory added
""".splitlines()


@pytest.mark.parametrize("line", SPLATS)
def test_a_splat_is_seen(line):
    for stamp in ("[    7.930334] ", "[  123.456789][    C1] ", "<4>[    0.000000] "):
        assert splat.find(f"quiet\n{stamp}{line}\nquiet\n") == [line]


@pytest.mark.parametrize("line", HARMLESS)
def test_a_harmless_line_is_none(line):
    assert splat.find(f"[    7.930334] {line}\n") == []


def test_what_a_program_prints_is_no_splat():
    assert splat.find("BUG: printed by a test program\n") == []


def test_what_a_dead_kernel_said():
    said = """quiet
Oops: int3: 0000 [#1] SMP
RIP: 0010:try_to_wake_up+0x1b/0x2c0
Code: 00 11 22
Call Trace:
 <IRQ>
 ? show_regs+0x19/0x20
 wake_up+0x1/0x20
 call_timer_fn+0x10/0x130
Kernel panic - not syncing: Fatal exception in interrupt
"""
    console = "".join(f"[    1.000000] {line}\n" for line in said.splitlines())
    assert splat.death(console) == (
        "Oops: int3: 0000 [#1] SMP; at try_to_wake_up+0x1b; called by wake_up, call_timer_fn; "
        "Kernel panic - not syncing: Fatal exception in interrupt")
    assert splat.death("[    1.000000] quiet\n") == ""


INT3 = """[    1.000000] Oops: int3: 0000 [#1] SMP
[    1.000000] RIP: 0010:wake_up+0x1b/0x2c0
[    1.000000] Code: 55 48 89 e5 {} <90> 5d c3
"""


@pytest.mark.parametrize("byte, stale", [("66", True), ("cc", False)])
def test_a_breakpoint_that_is_not_in_memory_is_the_emulators(byte, stale):
    assert splat.stale_code(INT3.format(byte)) is stale
    assert not splat.stale_code(INT3.format(byte).replace("int3: 0000", "0002"))


@pytest.mark.parametrize("last, stale", [("", True), ("[    1.000001] more\n", False)])
def test_a_death_where_the_clock_is_switched_is_the_emulators(last, stale):
    assert splat.stale_code(f"[    1.000000] sched_clock: Marking stable (1, -2)->(3, -4)\n{last}") is stale


# A guest that goes wrong


def kmsg(vm, line):
    vm.run(f"echo '<4>{line}' > /dev/kmsg")


def test_a_splat_fails_the_guest():
    with pytest.raises(SplatError, match="WARNING: just kidding"):
        with VM("lab-splat", image("guest")) as vm:
            kmsg(vm, "WARNING: just kidding")


def test_a_guest_that_dies_without_a_word():
    with pytest.raises(GuestError, match=r"triple fault; its kernel said at last: sysrq: Resetting"):
        with VM("lab-reset", image("guest"), append="reboot=t") as vm:
            vm.run("echo b >/proc/sysrq-trigger")


def test_an_expected_splat_must_come():
    with VM("lab-expected", image("guest")) as vm:
        vm.expect_splat("WARNING: just kidding")
        kmsg(vm, "WARNING: just kidding")
    with pytest.raises(SplatError, match="did not come"):
        with VM("lab-missing", image("guest")) as vm:
            vm.expect_splat("WARNING: just kidding")


def test_a_guest_that_dies_and_one_that_hangs():
    """One line, and where the log is."""
    with pytest.raises(GuestError, match=r"Kernel panic.*called by .*, sysrq_handle_crash, .*"
                                         r"log build/logs/lab-panic\S*\.log$"):
        with VM("lab-panic", image("guest")) as vm:
            vm.run("echo c > /proc/sysrq-trigger", timeout=30)
    with VM("lab-hang", image("guest")) as vm:
        with pytest.raises(GuestError, match=r"no end within 1 s of: sleep 99; log build/logs/"):
            vm.run("sleep 99", timeout=1)
        with pytest.raises(GuestError, match=r"exit status 3: at the end; log build/logs/"):
            vm.run("echo at the end; exit 3")
        assert vm.run("echo all is well") == "all is well\n"


def test_a_guest_that_the_emulator_lets_down(tmp_path, monkeypatch):
    """It is started again, but not for ever; here, a first program tells of such a breakpoint."""
    init = tmp_path / "init"
    init.write_text("#!/bin/sh\nmount -t proc none /proc\nmount -t devtmpfs none /dev\n"
                    + "".join(f"echo '<4>{line.split('] ')[1]}' > /dev/kmsg\n"
                              for line in INT3.format("66").splitlines())
                    + "echo c > /proc/sysrq-trigger\n")
    init.chmod(0o755)
    said = []
    monkeypatch.setattr(progress, "say", said.append)
    with pytest.raises(GuestError, match="Oops: int3.*at wake_up.*Kernel panic"):
        with VM("lab-stale", image("guest"), modules=[init], append="rdinit=/lib/modules/init"):
            pass
    assert len(said) == 2 and "starting it once more" in said[1]


def test_a_guest_that_does_not_come_up():
    """The message says where it stands: here, with a first program that never ends."""
    with pytest.raises(GuestError, match=r"not up within 20 s; the last thing it said: .+; "
                                         r"CPU 0 at \w+.*; CPU 1 at \w+.*; log build/logs/") as error:
        with VM("lab-stuck", image("guest"), append="rdinit=/bin/cat", timeout=20):
            pass
    assert "CPU 0 at default_idle" in str(error.value)
    assert "RIP=" in (ROOT / "build/logs/lab-stuck.log").read_text()


def test_a_command_that_waits_for_what_has_crashed(tmp_path, monkeypatch):
    """It is not given all of its time; a crash before it began is another matter."""
    monkeypatch.setattr(agent, "PATIENCE", 0.1)
    log = tmp_path / "console"
    log.write_text("[    1.000000] Oops: 0001 [#1] SMP\n")
    here, there = socket.socketpair()
    with here, there:
        job = agent.Agent(here, log, GuestError).start("sleep 99")
        with pytest.raises(GuestError, match="no end within 0.5 s of: sleep 99"):
            job.wait(0.5)
        with log.open("a") as console:
            console.write("[    2.000000] Oops: 0002 [#2] SMP\n")
        with pytest.raises(GuestError, match="no end of: sleep 99; Oops: 0002"):
            job.wait(60)


# Trees and patches, on a toy


def test_export_writes_the_series(toy):
    kernel = toy.kernel()
    assert kernel["series"].decode().splitlines() == ["mm-change-a-line.patch",
                                                      "mm-add-a-file.patch"]
    assert kernel["tree/mm/new.c"] == b"new\n"
    assert "tree/page.c" not in kernel
    patch = kernel["patches/mm-change-a-line.patch"].decode()
    assert "From: A Toy <toy@example.org>" in patch and "The reason why." in patch
    head = toy.git(toy.linux, "rev-parse", "HEAD").strip()
    assert head not in patch and "[PATCH 1/2]" not in patch


def test_round_trip(toy):
    """Tree, export: no difference, in another checkout either, whoever the user is."""
    before = toy.kernel()
    assert toy.run("export").returncode == 0
    assert toy.kernel() == before
    shutil.rmtree(toy.path / "build")
    assert toy.run("tree").returncode == 0
    assert (toy.linux / "mm/new.c").read_text() == "new\n"
    with open(toy.linux / ".git/config", "a") as config:
        config.write("[format]\n\tsubjectPrefix = X\n\tnoprefix = true\n")
    assert toy.run("export").returncode == 0
    assert toy.kernel() == before


def test_export_forgets_what_was_dropped(toy):
    toy.git(toy.linux, "reset", "--quiet", "--hard", "HEAD~1")
    assert toy.run("export").returncode == 0
    assert [name for name in toy.kernel() if name.startswith(("patches", "tree"))] == [
        "patches/mm-change-a-line.patch"]


def test_work_that_is_not_exported_is_kept(toy):
    (toy.linux / "page.c").write_text("precious\n")
    series = toy.path / "kernel/series"
    series.write_text("mm-change-a-line.patch\n")
    assert "work that is not exported" in toy.refused("tree")
    assert (toy.linux / "page.c").read_text() == "precious\n"
    assert toy.run("tree", "--force").returncode == 0
    assert "line 25, changed" in (toy.linux / "page.c").read_text()
    assert not (toy.linux / "mm/new.c").exists()


def test_series_that_does_not_apply(toy):
    page = toy.source / "page.c"
    page.write_text(page.read_text().replace("line 25\n", "line 25 is another one\n"))
    toy.commit(toy.source, "another base")
    shutil.rmtree(toy.path / "build")
    line = toy.refused("tree")
    assert "mm-change-a-line.patch does not apply" in line and "page.c" in line


def test_patch_that_is_missing(toy):
    (toy.path / "kernel/series").write_text("mm-change-a-line.patch\nnobody-knows.patch\n")
    assert "nobody-knows.patch" in toy.refused("tree")


@pytest.mark.parametrize("version", ["7.4", "6.3"])
def test_other_kernel_is_refused(toy, version):
    major, minor = version.split(".")
    makefile = MAKEFILE.replace("VERSION = 7", f"VERSION = {major}", 1)
    makefile = makefile.replace("PATCHLEVEL = 3", f"PATCHLEVEL = {minor}")
    (toy.source / "Makefile").write_text(makefile)
    toy.commit(toy.source, "another version")
    shutil.rmtree(toy.path / "build")
    assert version in toy.refused("tree")


def test_other_stable_kernel_is_warned_about(toy):
    (toy.source / "Makefile").write_text(MAKEFILE.replace("SUBLEVEL = 4", "SUBLEVEL = 9"))
    toy.commit(toy.source, "another stable version")
    shutil.rmtree(toy.path / "build")
    result = toy.run("tree")
    assert result.returncode == 0
    assert "warning" in result.stderr and "7.3.9" in result.stderr


def test_source_that_is_none(toy):
    shutil.rmtree(toy.path / "build")
    toy.env["SOURCE"] = "/nowhere"
    assert "/nowhere" in toy.refused("tree")
    toy.env["SOURCE"] = str(toy.path / "lab")
    assert toy.refused("tree")
