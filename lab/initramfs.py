"""What the guest runs: busybox, guest/init and the C programs of guest/.

The cpio archive is written here rather than by cpio(1), so that it needs no
root, no staging directory and is the same byte for byte each time.
"""

import gzip
import subprocess
from pathlib import Path

from lab import files, host
from lab.errors import LabError
from lab.paths import BUILD, GUEST, shown

BUSYBOX = Path("/bin/busybox")
CFLAGS = ["-static", "-O2", "-Wall", "-Wextra", "-Werror"]


def make():
    """Compile what changed and return the path of the initramfs."""
    host.need_tools("gcc")
    if not BUSYBOX.exists():
        raise LabError("busybox is missing: install busybox-static")
    with files.locked(BUILD / "guest" / ".lock"):
        programs = [_compile(source) for source in sorted(GUEST.glob("*.c"))]
        archive = BUILD / "guest" / "initramfs.gz"
        files.write(archive, gzip.compress(_cpio(_contents(programs)), 6, mtime=0))
    return archive


def _compile(source):
    program = BUILD / "guest" / source.stem
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    with files.replacing(program) as output:
        result = subprocess.run(["gcc", *CFLAGS, "-o", output, source],
                                capture_output=True, text=True)
        if result.returncode:
            first = next((line for line in result.stderr.splitlines()
                          if "error:" in line), result.stderr.strip())
            raise LabError(f"{shown(source)} does not compile: {first}")
    return program


def _contents(programs):
    """Yield (path in the guest, mode, data) in the order of the archive."""
    for directory in ("bin", "dev", "proc", "sys", "tmp", "root", "etc"):
        yield directory, 0o040755, b""
    yield "init", 0o100755, (GUEST / "init").read_bytes()
    yield "bin/busybox", 0o100755, BUSYBOX.read_bytes()
    own = {program.name for program in programs}
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True,
                             check=True).stdout.split()
    for applet in sorted(set(applets) - own - {"busybox"}):
        yield f"bin/{applet}", 0o120777, b"busybox"
    for program in programs:
        yield f"bin/{program.name}", 0o100755, program.read_bytes()


def _cpio(entries):
    """The "newc" format, see Documentation/driver-api/early-userspace/."""
    out = bytearray()
    for inode, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields)
        out += name.encode() + b"\0"
        out += bytes(-len(out) % 4)
        out += data
        out += bytes(-len(out) % 4)
    return bytes(out)
