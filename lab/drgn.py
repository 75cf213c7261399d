"""drgn of the Debian release that has one for Linux 7.3: what a dump tells whoever debugs with it."""

import os

from lab import apt, tools
from lab.errors import LabError

SUITE, PACKAGE = "forky", "python3-drgn"


def run(dump, vmlinux, script):
    """What the script, which has `prog` and drgn's helpers, prints for a dump of the kernel `vmlinux`."""
    root = apt.unpacked(PACKAGE, SUITE)
    python = (root / "usr/bin/python3").resolve().relative_to(root)
    home = {"PYTHONHOME": root / "usr", "PYTHONPATH": root / "usr/lib/python3/dist-packages"}
    path = dump.with_suffix(".py")
    path.write_text(script)
    code, text = tools.run([*tools.command(PACKAGE, SUITE, python), root / "usr/bin/drgn",
                            "--quiet", "-c", dump, "-s", vmlinux, path],
                           env=os.environ | {name: str(value) for name, value in home.items()})
    if code:
        raise LabError(f"drgn: {(text.strip().splitlines() or ['it says nothing'])[-1]}")
    return text
