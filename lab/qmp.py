"""QEMU's machine protocol, as much of it as is needed: commands and their answers."""

import json
import threading

from lab.errors import LabError


class QMPError(LabError):
    """QEMU refused a command, or is gone."""


class QEMUGone(QMPError):
    """It has ended, or closed the connection."""


class QMP:
    def __init__(self, sock, timeout=30):
        sock.settimeout(timeout)
        self._stream = sock.makefile("rw")
        self._lock = threading.Lock()
        self.events = []    # that came before the last answer

    def handshake(self):
        try:
            self._receive()
        except ConnectionError as error:
            raise QEMUGone(f"QMP: {error}") from None
        except OSError as error:
            raise QMPError(f"QMP: no greeting: {error}") from None
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        """The answer to a command. Any thread may ask."""
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        with self._lock:
            return self._execute(command, message)

    def _execute(self, command, message):
        try:
            self._stream.write(json.dumps(message))
            self._stream.flush()
            while True:
                answer = self._receive()
                if "event" in answer:
                    self.events.append(answer)
                if "return" in answer:
                    return answer["return"]
                if "error" in answer:
                    raise QMPError(f"QMP {command}: {answer['error']['desc']}")
        except OSError as error:
            raise QMPError(f"QMP {command}: {error}") from None

    def _receive(self):
        line = self._stream.readline()
        if not line:
            raise QEMUGone("QMP: QEMU is gone")
        return json.loads(line)
