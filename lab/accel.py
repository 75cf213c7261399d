"""Emulate or virtualise? Emulation works everywhere and is the default."""

import os
from pathlib import Path

from lab import files
from lab.errors import LabError
from lab.paths import CACHE
from lab.progress import say

ARGUMENTS = {"tcg": ["-accel", "tcg"], "kvm": ["-accel", "kvm"]}


def arguments(accelerator):
    if accelerator not in ARGUMENTS:
        raise LabError(f"ACCEL={accelerator}: must be one of {', '.join(ARGUMENTS)}")
    return ARGUMENTS[accelerator]


def choose(kernel, arch):
    """What ACCEL says, else KVM if a probe boot of this kernel proves it, else TCG.

    A /dev/kvm that cannot run an unmodified kernel exists, so that being able to
    open it proves nothing. The answer is kept until the host boots again.
    """
    if not arch.native:
        return "tcg"
    if os.environ.get("ACCEL"):
        return os.environ["ACCEL"]
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    answer = CACHE / "kvm-probe"
    if not answer.exists() or boot not in answer.read_text():
        files.write(answer, f"{boot} {_probe(kernel, arch)}\n")
    return answer.read_text().split()[1]


def _probe(kernel, arch):
    from lab.vm import VM       # which asks us in turn
    try:
        with VM("kvm-probe", kernel, arch=arch, timeout=10, accelerator="kvm") as vm:
            vm.run("true")
        return "kvm"
    except LabError:
        say("/dev/kvm cannot run this kernel: emulating")
        return "tcg"
