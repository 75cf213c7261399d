"""The host's end of guest/agentd.c: commands over the second serial port."""

import struct
import threading
import time

from lab import splat
from lab.errors import LabError

HEADER = {"little": struct.Struct("<III"), "big": struct.Struct(">III")}
HELLO, RUN, KILL, OUTPUT, EXIT = range(5)
MAX_PAYLOAD = 65536
PATIENCE = 30       # seconds for a command that still runs when the kernel has crashed


class Job:
    """A command in the guest."""

    def __init__(self, agent, number, command):
        self.command = command
        self._agent = agent
        self._number = number
        self._output = bytearray()
        self._rc = None
        self._log_before = agent.log.stat().st_size

    @property
    def finished(self):
        return self._rc is not None

    @property
    def output(self):
        """What it has printed so far; bytes that are no text survive as surrogates."""
        return bytes(self._output).decode(errors="surrogateescape")

    def wait(self, timeout=60):
        """
        Return (exit status, output), or raise what the guest died of. If its kernel has crashed, but
        is not dead, the command may wait for what is gone: it does not get all of its time then.
        """
        end = time.monotonic() + timeout
        while not self._agent.wait(lambda: self.finished, min(PATIENCE, end - time.monotonic())):
            said = self._agent.log.read_bytes()[self._log_before:]
            crashes = splat.crashes(said.decode(errors="replace"))
            if crashes or time.monotonic() >= end:
                self.kill()
                raise self._agent.error(f"no end of: {self.command}; {crashes[0]}" if crashes else
                                        f"no end within {timeout} s of: {self.command}")
        return self._rc, self.output

    def kill(self):
        """End it and what it started; wait() then tells 137."""
        self._agent.send(self._number, KILL)


class Agent:
    """Sends commands and sorts what comes back, in a thread of its own."""

    def __init__(self, sock, log, error, byteorder="little"):
        """
        `log` is the console's; `error` makes the exception to raise, from what went wrong;
        `byteorder` is the guest's.
        """
        self.log, self.error = log, error
        self._byteorder, self._header = byteorder, HEADER[byteorder]
        self._socket = sock
        self._changed = threading.Condition()
        self._jobs = {}
        self._ready = False
        self._dead = False
        self._last = 0
        threading.Thread(target=self._receive, daemon=True).start()

    def wait_ready(self, timeout):
        """For the agent's next start, or return False; what ran in a guest that has gone never ends."""
        if not self.wait(lambda: self._ready, timeout):
            return False
        self._ready = False
        return True

    def start(self, command):
        data = command.encode(errors="surrogateescape")
        if len(data) > MAX_PAYLOAD:
            raise LabError(f"command too long for the guest: {command[:60]}...")
        with self._changed:
            self._last += 1
            number = self._last
            job = self._jobs[number] = Job(self, number, command)
        self.send(number, RUN, data)
        return job

    def send(self, number, kind, data=b""):
        try:
            with self._changed:
                self._socket.sendall(self._header.pack(number, kind, len(data)) + data)
        except OSError:
            pass    # QEMU is gone: wait() tells

    def wait(self, condition, timeout):
        """False when the time is over; raises when the guest is dead."""
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._dead, timeout)
            if condition():
                return True
            if self._dead:
                raise self.error(None)
            return False

    def _receive(self):
        try:
            while True:
                number, kind, length = self._header.unpack(self._read(self._header.size))
                data = self._read(length)
                with self._changed:
                    self._dispatch(number, kind, data)
                    self._changed.notify_all()
        except (EOFError, OSError):
            with self._changed:
                self._dead = True
                self._changed.notify_all()

    def _dispatch(self, number, kind, data):
        if kind == HELLO:
            self._ready = True
        elif kind == OUTPUT:
            self._jobs[number]._output += data
        elif kind == EXIT:
            self._jobs.pop(number)._rc = int.from_bytes(data, self._byteorder)

    def _read(self, length):
        data = bytearray()
        while len(data) < length:
            piece = self._socket.recv(length - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)
