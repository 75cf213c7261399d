"""A guest under QEMU: boot, commands, QMP, and a look at the console at the end."""

import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from lab import accel, initramfs, progress, splat, stuck
from lab.agent import Agent
from lab.arch import X86
from lab.errors import LabError
from lab.paths import LOGS, shown
from lab.qmp import QMP, QEMUGone, QMPError

__all__ = ["VM", "GuestError", "SplatError", "QMPError", "size", "virtio_mem"]

QEMU = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
# panic=-1 with -no-reboot: a panic ends QEMU, and we know at once.
APPEND = "{early} console={console} AGENT_PORT={agent} panic=-1 nokaslr printk.devkmsg=on"

STARTS = 3      # with an emulator that is at fault


class GuestError(LabError):
    """A command in the guest failed, or the guest itself did."""


class GuestDied(GuestError):
    """And so has its QEMU."""


class SplatError(LabError):
    """The guest's kernel complained, or did not when it should have."""


def size(value):
    """Bytes, from a number or from what QEMU takes: 448M, 1G."""
    match = re.fullmatch(r"(\d+)([KMGT]?)", str(value).upper())
    if not match:
        raise LabError(f"not a size: {value} (try 448M)")
    return int(match[1]) << 10 * " KMGT".index(match[2] or " ")


def virtio_mem(device, maximum, requested=0, arch=X86, **properties):
    """QEMU arguments for a virtio-mem device whose QOM id is `device`."""
    more = "".join(f",{key.replace('_', '-')}={value}"
                   for key, value in properties.items())
    return ["-object", f"memory-backend-ram,id={device}-ram,size={maximum}",
            "-device", f"virtio-mem-{arch.bus},id={device},memdev={device}-ram,"
                       f"requested-size={requested}{more}"]


class VM:
    """A guest, as a context manager; leaving it fails on any unexpected splat."""

    def __init__(self, name, kernel, *, arch=X86, memory="512M", maxmem=None, slots=0, smp=2,
                 append="", args=(), timeout=180, patience=60, accelerator=None, modules=()):
        """
        `modules`: paths of .ko files, from lab.modules, for the guest's /lib/modules. `timeout` is
        for booting, `patience` for a command that is not given a time of its own.
        """
        self.name = name
        self.arch = arch
        self.log = _new_log(name)
        self._resets = self.log.with_suffix(".resets")
        self._kernel = Path(kernel)
        self._timeout, self._patience = timeout, patience
        self._expected = []
        self._marks = 0
        self._process = None
        memory += f",maxmem={maxmem},slots={slots}" if maxmem else ""
        words = APPEND.format(early=arch.early, console=arch.console, agent=arch.agent)
        self._command = [
            *arch.emulator, *QEMU, *accel.arguments(accelerator or accel.choose(kernel, arch)),
            "-m", memory, "-smp", str(smp), *self._boot(
                kernel, initramfs.make(arch, modules), f"{words} {append}".strip()),
            *args]

    @staticmethod
    def _boot(kernel, archive, append):
        """The arguments of QEMU that say what to boot."""
        return ["-kernel", str(kernel), "-initrd", str(archive), "-append", append]

    # Life

    def __enter__(self):
        for _ in range(STARTS - 1):
            try:
                return self._start()
            except GuestDied as error:
                if not splat.stale_code(self.console()):
                    raise
                progress.say(f"{error}; that is the emulator's mistake: starting it once more")
        return self._start()

    def _start(self):
        agent_ours, agent_theirs = socket.socketpair()
        qmp_ours, qmp_theirs = socket.socketpair()
        self._spawn([
            "-serial", f"file:{self.log}",
            "-chardev", f"socket,id=agent,fd={agent_theirs.fileno()}",
            *self.arch.agent_device,
            "-chardev", f"socket,id=qmp,fd={qmp_theirs.fileno()}",
            "-mon", "chardev=qmp,mode=control"],
            pass_fds=(agent_theirs.fileno(), qmp_theirs.fileno()),
            stdin=subprocess.DEVNULL)
        agent_theirs.close()
        qmp_theirs.close()
        try:
            self._agent = Agent(agent_ours, self.log, self._error, self.arch.byteorder)
            self._qmp = QMP(qmp_ours)
            self._qmp.handshake()
            self._wait_ready(self._timeout)
        except QEMUGone:
            error = self._error(None)       # has what QEMU says itself
            self._stop()
            raise error from None
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind, error, traceback):
        try:
            problems = self._check_splats()
        except LabError as end:     # dead: one message about that is enough
            problems = [] if kind else [end]
        finally:
            self._stop()
        if problems and isinstance(problems[0], LabError):
            raise problems[0]
        if problems and kind is None:
            raise SplatError(f"guest {self.name}: {problems[0]}"
                             + (f" (and {len(problems) - 1} more)" if problems[1:] else "")
                             + f"; log {shown(self.log)}")
        for problem in problems:
            progress.say(f"guest {self.name}: {problem}")

    def interactive(self, monitor):
        """Boot with the console on this terminal, QMP on the socket `monitor`; wait."""
        self._spawn([
            "-chardev", f"stdio,id=console,mux=on,signal=off,logfile={self.log}",
            "-serial", "chardev:console", "-mon", "chardev=console,mode=readline",
            "-chardev", "null,id=agent", *self.arch.agent_device,
            "-chardev", f"socket,id=qmp,path={monitor.name},server=on,wait=off",
            "-mon", "chardev=qmp,mode=control"], cwd=monitor.parent)
        try:
            self._process.wait()
        finally:
            self._stop()
            monitor.unlink(missing_ok=True)
        if self._process.returncode or splat.panicked(self.console()):
            raise self._error(None)

    def _spawn(self, arguments, **options):
        self._stderr = tempfile.TemporaryFile("w+")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text("")
        try:
            # Should we be killed, QEMU follows.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._command, *arguments,
                 "-d", "cpu_reset", "-D", str(self._resets)],
                stderr=self._stderr, **options)
        except FileNotFoundError as error:
            raise LabError(f"{error.filename} is missing") from None

    def _stop(self):
        """End QEMU, whatever state it is in."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _error(self, what):
        """The exception for `what`, or for the guest's death if that is None."""
        kind = GuestDied if what is None else GuestError
        if what is None:
            try:
                code = self._process.wait(10)
            except subprocess.TimeoutExpired:
                code = "still running"
            self._stderr.seek(0)
            complaint = self._stderr.read().strip().splitlines()
            what = "died: " + (
                splat.death(self.console()) or
                (complaint[-1] if complaint else self._last_words(code)))
        return kind(f"guest {self.name}: {what}; log {shown(self.log)}")

    def _last_words(self, code):
        """Of a guest that did not say why it died."""
        last = list(splat.messages(self.console()))[-1:]
        return "; ".join([
            f"QEMU ended (exit code {code})",
            *["triple fault"] * ("Triple fault" in self._resets.read_text(errors="replace")),
            *[f"its kernel said at last: {line}" for line in last]])

    @property
    def pid(self):
        """Of QEMU."""
        return self._process.pid

    def wait_again(self, timeout):
        """Until the guest is up once more: it has crashed into another kernel, say."""
        self._wait_ready(timeout)

    def _wait_ready(self, timeout):
        if not self._agent.wait_ready(timeout):
            raise self._error(f"not up within {timeout} s; {stuck.describe(self, self._kernel)}")

    # Commands

    def start(self, command):
        """Run it in the background; .wait(timeout) gives (exit status, output)."""
        return self._agent.start(command)

    def call(self, command, timeout=None):
        """Run `sh -c command` as root and return (exit status, output)."""
        return self.start(command).wait(timeout or self._patience)

    def run(self, command, timeout=None):
        """Run `sh -c command` as root and return its output; it must succeed."""
        rc, output = self.call(command, timeout)
        if rc:
            last = (output.strip().splitlines() or ["no output"])[-1]
            if rc > 128:    # by a signal
                last = "; ".join([last, *splat.why_killed(self.console())[:3]])
            raise GuestError(f"guest {self.name}: {command}: exit status {rc}: {last}; "
                             f"log {shown(self.log)}")
        return output

    def qmp(self, execute, **arguments):
        return self._qmp.execute(execute, **arguments)

    def events(self, name):
        """The data of all events of that name so far."""
        self.qmp("query-status")
        return [event.get("data") for event in self._qmp.events if event["event"] == name]

    def resize(self, device, requested):
        """Ask the guest to use that much of a virtio-mem device; it may take its time."""
        self.qmp("qom-set", path=f"/machine/peripheral/{device}",
                 property="requested-size", value=size(requested))

    # Console

    def console(self):
        return self.log.read_text(errors="replace")

    def splats(self):
        """What the kernel has complained about so far."""
        self._flush_console()
        return splat.find(self.console())

    def expect_splat(self, regex):
        """From now on a splat that matches is expected, and its absence an error."""
        self._expected.append(re.compile(regex))

    def _check_splats(self):
        splats = self.splats()
        problems = [line for line in splats
                    if not any(expected.search(line) for expected in self._expected)]
        problems += [f"expected splat did not come: {expected.pattern}"
                     for expected in self._expected
                     if not any(expected.search(line) for line in splats)]
        return problems

    def _flush_console(self):
        """The kernel prints from a thread: wait until a line of ours has come through."""
        self._marks += 1
        mark = f"lab: mark {self._marks}"
        self.run(f"echo '<3>{mark}' >/dev/kmsg")
        deadline = time.monotonic() + self._patience / 2
        while mark not in self.console():
            if time.monotonic() > deadline:
                raise self._error("the console stands still")
            time.sleep(0.02)


_logs = set()


def _new_log(name):
    """The same name in each run; a second guest of that name in one run gets a number."""
    log, number = LOGS / f"{name}.log", 1
    while log in _logs:
        number += 1
        log = LOGS / f"{name}-{number}.log"
    _logs.add(log)
    return log
