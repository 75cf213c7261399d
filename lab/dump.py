"""
A dump of a guest: by QEMU from outside, or by a second kernel into which the guest has crashed.

What the second kernel needs comes on disks, and what it writes goes to one, because the guest has
neither network nor file system.
"""

import time

from lab import dumpfile, initramfs
from lab.errors import LabError
from lab.vm import GuestError, size

# The guest tells QEMU where its VMCOREINFO is.
QEMU_DEVICE = ["-device", "vmcoreinfo"]

RESERVED = "crashkernel=256M"
# Second kernel: one CPU, and the balloon's device is none of its business: it would inflate again.
SECOND = ("console={console} AGENT_PORT={agent} panic=-1 nokaslr nr_cpus=1 kunit.enable=0 "
          "initcall_blacklist=virtio_balloon_driver_init")


def by_qemu(vm, path, timeout=600):
    """Have QEMU write a dump file; the guest stands still meanwhile."""
    flat = path.with_name(f"{path.name}.flat")
    vm.qmp("dump-guest-memory", paging=False, detach=True, format="kdump-zlib",
           protocol=f"file:{flat}")
    end = time.monotonic() + timeout
    while (status := vm.qmp("query-dump")["status"]) == "active":
        if time.monotonic() > end:
            raise LabError(f"QEMU's dump takes more than {timeout} s")
        time.sleep(0.2)
    if status != "completed":
        raise LabError(f"QEMU's dump: {status}")
    dumpfile.unflatten(flat, path)
    flat.unlink()


def disk(path, readonly=False, room=None):
    """QEMU arguments for a disk, which is a file; made, and empty, if `room` says how large it is."""
    if room:
        with open(path, "wb") as file:
            file.truncate(size(room))
    name = f"disk-{path.name.replace('.', '-')}"
    return ["-drive", f"file={path},format=raw,if=none,id={name},readonly={'on' if readonly else 'off'}",
            "-device", f"virtio-blk-pci,drive={name}"]


def crash_disks(kernel, arch, *more):
    """Those of the second kernel: vda and vdb, then `more`, each a path that is there."""
    return [word for path in (kernel, initramfs.make(arch), *more)
            for word in disk(path, readonly=True)]


def arm(vm):
    """Load the second kernel."""
    vm.run("cat /dev/vda >/tmp/kernel && cat /dev/vdb >/tmp/initramfs", timeout=120)
    command_line = SECOND.format(console=vm.arch.console, agent=vm.arch.agent)
    vm.run(f"kdump /tmp/kernel /tmp/initramfs '{command_line}' && rm /tmp/kernel /tmp/initramfs")
    if vm.run("cat /sys/kernel/kexec/crash_loaded").strip() != "1":
        raise GuestError(f"guest {vm.name}: no crash kernel is loaded")


def crash(vm, timeout=300):
    """Let the first kernel die; from then on commands are for the second."""
    vm.expect_splat(r"^Kernel panic - not syncing: sysrq triggered crash")
    vm.start("echo c >/proc/sysrq-trigger")
    vm.wait_again(timeout)
    if not vm.run("test -e /proc/vmcore && echo yes || true").strip():
        raise GuestError(f"guest {vm.name}: the second kernel has no /proc/vmcore")
