"""What an architecture is to the lab: how to compile for it, and the machine that QEMU gives it."""

import platform
from dataclasses import dataclass, replace

from lab import apt, tools
from lab.errors import LabError


@dataclass(frozen=True)
class Arch:
    name: str           # the kernel's
    debian: str         # Debian's
    machine: str        # uname -m
    cross: str          # prefix of the compiler, from elsewhere
    image: str          # of the kernel; the last part is make's target
    qemu: tuple         # the command with the machine
    console: str
    agent: str          # the tty of guest/agentd.c ...
    agent_device: tuple     # ... and the arguments of QEMU that connect it to chardev "agent"
    packages: tuple     # of Debian: QEMU and, for use elsewhere, the compiler
    suite: str = ""     # the release whose QEMU it needs, where the machine's own may be too old
    bus: str = "pci"    # of virtio devices
    byteorder: str = "little"
    early: str = ""     # of the command line: how to tell of a death before there is a console

    @property
    def source(self):
        """Its folder in arch/."""
        return "x86" if self.name == "i386" else self.name

    @property
    def emulator(self):
        """The words that start its QEMU."""
        if not self.suite:
            return self.qemu
        return [*tools.command(self.qemu[0], self.suite, f"usr/bin/{self.qemu[0]}"),
                "-L", str(apt.unpacked(self.qemu[0], self.suite) / "usr/share/qemu"), *self.qemu[1:]]

    @property
    def native(self):
        return self.machine == platform.machine()

    @property
    def prefix(self):
        """Of the tools that compile for it here."""
        return "" if self.native else self.cross

    @property
    def make(self):
        """Variables of the kernel's make."""
        cross = [] if self.native else [f"CROSS_COMPILE={self.cross}"]
        return [f"ARCH={self.name}", *cross, f"CC=ccache {self.prefix}gcc"]


ARCHS = {arch.name: arch for arch in (
    Arch("x86", "amd64", "x86_64", "x86_64-linux-gnu-", "arch/x86/boot/bzImage",
         # la57=off: the vmemmap is where 4-level page tables have it, whatever the host.
         ("qemu-system-x86_64", "-machine", "q35", "-cpu", "max,la57=off"),
         "ttyS0", "/dev/ttyS1", ("-serial", "chardev:agent"), ("qemu-system-x86",),
         early="earlyprintk=ttyS0,115200"),
    Arch("arm64", "arm64", "aarch64", "aarch64-linux-gnu-", "arch/arm64/boot/Image",
         ("qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a57"),
         "ttyAMA0", "/dev/ttyS0", ("-device", "pci-serial,chardev=agent"),
         ("qemu-system-arm", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross")),
    # The machine pseries. x-vof: without the firmware SLOF, which takes its time. -prom-env: with
    # an NVRAM that has a structure, which is what Linux misses else.
    Arch("powerpc", "ppc64el", "ppc64le", "powerpc64le-linux-gnu-", "vmlinux",
         ("qemu-system-ppc64", "-machine", "pseries,x-vof=on", "-cpu", "power9",
          "-prom-env", "auto-boot?=true"),
         "hvc0", "/dev/hvc1", ("-serial", "chardev:agent"),
         ("qemu-system-ppc", "gcc-powerpc64le-linux-gnu", "libc6-dev-ppc64el-cross")),
    # virtio-mem-ccw is new in QEMU 10.
    Arch("s390", "s390x", "s390x", "s390x-linux-gnu-", "arch/s390/boot/bzImage",
         ("qemu-system-s390x", "-machine", "s390-ccw-virtio", "-cpu", "max"),
         "ttysclp0", "/dev/hvc0",
         ("-device", "virtio-serial-ccw", "-device", "virtconsole,chardev=agent"),
         ("gcc-s390x-linux-gnu", "libc6-dev-s390x-cross"), "trixie", "ccw", "big"),
    # Those that are only compiled, by ./run bisect
    Arch("i386", "i386", "x86_64", "x86_64-linux-gnu-", "vmlinux", (), "", "", (), ()),
    Arch("riscv", "riscv64", "riscv64", "riscv64-linux-gnu-", "vmlinux", (), "", "", (),
         ("gcc-riscv64-linux-gnu",)),
)}
X86 = ARCHS["x86"]
PSERIES = ARCHS["powerpc"]
# The machine without a hypervisor, of the same kernel. Its firmware takes the last serial port for
# the console, and it powers off by its BMC.
POWERNV = replace(PSERIES, qemu=("qemu-system-ppc64", "-machine", "powernv9", "-cpu", "power9",
                                 "-device", "ipmi-bmc-sim,id=bmc0",
                                 "-device", "isa-ipmi-bt,bmc=bmc0,irq=10",
                                 "-device", "pnv-phb,chip-id=0,index=0,id=phb0",
                                 "-device", "pnv-phb-root-port,bus=phb0,id=root0"),
                  agent_device=("-device", "virtio-serial-pci,bus=root0",
                                "-device", "virtconsole,chardev=agent"))


def get(name):
    if name not in ARCHS:
        raise LabError(f"no architecture is called {name}: {', '.join(ARCHS)}")
    return ARCHS[name]
