"""What the guest runs: busybox, guest/init, the C programs of guest/ and offmap.

The cpio archive is written here rather than by cpio(1), so that it needs no
root, no staging directory and is the same byte for byte each time.
"""

import gzip
import subprocess
from pathlib import Path

from lab import apt, files, host, offmap
from lab.arch import X86
from lab.errors import LabError
from lab.paths import BUILD, GUEST

BUSYBOX = Path("/bin/busybox")
CFLAGS = ["-static", "-O2", "-Wall", "-Wextra", "-Werror"]
X86_ONLY = {"bench"}    # its marks are instructions


def make(arch=X86, modules=()):
    """Compile what changed; return the path of the initramfs, with `modules` in /lib/modules."""
    host.need_tools(f"{arch.prefix}gcc")
    if not BUSYBOX.exists():
        raise LabError("busybox is missing: install busybox-static")
    directory = BUILD / "guest" / arch.name
    with files.locked(directory / ".lock"):
        programs = sorted(_programs(directory, arch), key=lambda program: program.name)
        busybox = BUSYBOX if arch.native else apt.foreign_file(
            "busybox-static", arch.debian, "bin/busybox")
        archive = directory / "initramfs.gz"
        files.write(archive, gzip.compress(_cpio(_contents(programs, busybox)), 6, mtime=0))
        return _with(modules, archive) if modules else archive


def _with(modules, archive):
    """
    The kernel unpacks archives one after the other; the second is of these modules alone. It is
    beside the first of them, where those of another kernel do not meet it.
    """
    entries = [("lib", 0o040755, b""), ("lib/modules", 0o040755, b""),
               *((f"lib/modules/{path.name}", path.stat().st_mode, path.read_bytes()) for path in modules)]
    both = modules[0].with_name("initramfs.gz")
    files.write(both, archive.read_bytes() + gzip.compress(_cpio(entries), 6, mtime=0))
    return both


def _programs(directory, arch):
    command = [f"{arch.prefix}gcc", *CFLAGS]
    headers = [*GUEST.glob("*.h")]
    for source in GUEST.glob("*.c"):
        if source.stem in X86_ONLY and arch is not X86:
            continue
        yield offmap.compile_all(directory / source.stem, command, [source], [source, *headers])
    yield offmap.compile_all(directory / "offmap", command, *offmap.sources())


def _contents(programs, busybox):
    """
    Yield (path in the guest, mode, data) in the order of the archive. The busybox of another
    architecture, which does not run here, is of the same release as ours and has the same applets.
    """
    for directory in ("bin", "dev", "proc", "sys", "tmp", "root", "etc"):
        yield directory, 0o040755, b""
    yield "init", 0o100755, (GUEST / "init").read_bytes()
    yield "bin/busybox", 0o100755, busybox.read_bytes()
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
