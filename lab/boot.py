"""A shell in the guest, and a way to resize its memory from another terminal."""

import os
import socket

from lab import kernel, vm
from lab.errors import LabError
from lab.paths import BUILD
from lab.progress import say
from lab.qmp import QMP

DEVICE = "vmem0"
MAXIMUM = "1G"
REQUESTED = "448M"
MONITOR = BUILD / "boot.qmp"


def boot(name, config, append=""):
    """Boot with a virtio-mem device and the console here, until the guest ends."""
    if _running():
        raise LabError("a guest of ./run boot is running already in this checkout")
    image = kernel.build(name, config)
    guest = vm.VM("boot", image, arch=kernel.arch_of(config), maxmem="4G", slots=4,
                  args=vm.virtio_mem(DEVICE, MAXIMUM, REQUESTED),
                  append=f"lab.shell memhp_default_state=online_movable {append}")
    say(f"A guest with 512M and a virtio-mem device {DEVICE} of {MAXIMUM} at most, "
        f"{REQUESTED} at first.\n"
        f"From another terminal:  ./run resize 256M\n"
        f"The end:                exit, or Ctrl-A X")
    guest.interactive(MONITOR)


def resize(requested):
    """Set the requested size of the device of the guest that ./run boot has started."""
    wanted = vm.size(requested)
    sock = _connect()
    if not sock:
        raise LabError("no guest to resize: ./run boot starts one")
    qmp = QMP(sock)
    qmp.handshake()
    path = f"/machine/peripheral/{DEVICE}"
    qmp.execute("qom-set", path=path, property="requested-size", value=wanted)
    now = qmp.execute("qom-get", path=path, property="size")
    say(f"{DEVICE}: {wanted >> 20}M requested, {now >> 20}M plugged at this moment")


def _connect():
    """The path of a socket may not be long, so that it is named from its folder."""
    sock = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    try:
        os.chdir(MONITOR.parent)
        sock.connect(MONITOR.name)
        return sock
    except OSError:
        sock.close()
        return None
    finally:
        os.chdir(here)


def _running():
    sock = _connect()
    if sock:
        sock.close()
    return bool(sock)
