"""A guest's physical memory, read and written from outside, while the guest stands still."""

import socket
import tempfile
from pathlib import Path

from lab.errors import LabError

CHUNK = 1024        # bytes in one packet


class PhysicalMemory:
    """A context manager over QEMU's gdb stub; the guest goes on when it is left."""

    def __init__(self, vm):
        self.vm = vm

    def __enter__(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "gdb"
            self._monitor(f"gdbserver unix:{path},server=on,wait=off")
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(str(path))
        self.socket.settimeout(30)
        self.stream = self.socket.makefile("rb")
        try:
            self._call("Qqemu.PhyMemMode:1", "OK")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self._call("D", "OK")       # detach: the guest runs again
        finally:
            self.socket.close()
            self._monitor("gdbserver none")

    def write(self, address, data):
        for start in range(0, len(data), CHUNK):
            chunk = data[start:start + CHUNK]
            self._call(f"M{address + start:x},{len(chunk):x}:{chunk.hex()}", "OK")

    def read(self, address, size):
        return b"".join(bytes.fromhex(self._call(f"m{start:x},{min(CHUNK, address + size - start):x}"))
                        for start in range(address, address + size, CHUNK))

    def _monitor(self, command):
        self.vm.qmp("human-monitor-command", **{"command-line": command})

    def _call(self, command, expected=None):
        """One packet of the gdb remote protocol: $data#checksum, acknowledged by +."""
        packet = f"${command}#{sum(command.encode()) % 256:02x}"
        self.socket.sendall(packet.encode())
        while (answer := self._receive()).startswith("T"):
            pass        # the guest has stopped: nobody asked
        if expected is not None and answer != expected or answer[:1] == "E":
            raise LabError(f"QEMU's gdb stub answers {answer or 'nothing'} to {command[:40]}")
        return answer

    def _receive(self):
        while (byte := self.stream.read(1)) != b"$":
            if not byte:
                raise LabError("QEMU's gdb stub hung up")
        answer = b""
        while (byte := self.stream.read(1)) != b"#":
            if not byte:
                raise LabError("QEMU's gdb stub hung up")
            answer += byte
        self.stream.read(2)
        self.socket.sendall(b"+")
        return answer.decode()
