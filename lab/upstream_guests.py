"""
The guests that upstream's own tests run in: there are offline pages in them, of both types, where the
tests migrate, compact, pin and poison memory.
"""

import time
from dataclasses import dataclass

from lab import kernel, selftests
from lab.arch import PSERIES, X86
from lab.errors import LabError
from lab.vm import VM, size, virtio_mem

CMM = "/sys/devices/system/cmm/cmm0"
BALLOON = "64M"


@dataclass(frozen=True)
class Machine:
    config: str
    boot: object        # (name, tree) -> VM
    prepare: object     # (vm), once it is up


def _x86(name, tree):
    """Two nodes. A virtio-mem device, of whose last block a half is not plugged, is ZONE_MOVABLE."""
    return VM(name, kernel.build(tree, "upstream"), arch=X86, memory="3G", maxmem="8G", slots=4, timeout=600,
              modules=[selftests.build(tree, "upstream")], smp="2,sockets=2",
              append="kunit.enable=0 memhp_default_state=online_movable",
              args=["-object", "memory-backend-ram,id=ram0,size=1536M",
                    "-object", "memory-backend-ram,id=ram1,size=1536M",
                    "-numa", "node,cpus=0,memdev=ram0", "-numa", "node,cpus=1,memdev=ram1",
                    *virtio_mem("vmem0", "2G", "448M", node=1),
                    "-device", "virtio-balloon-pci,id=balloon0"])


def _prepare_x86(vm):
    """A virtio-balloon, and swap, which some programs ask for."""
    _unpack(vm)
    vm.run("echo 256M >/sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0")
    vm.qmp("balloon", value=size("3G") - size(BALLOON))
    _wait_for(vm, size(BALLOON) // 4096)
    deadline = time.monotonic() + 300
    while vm.qmp("query-memory-devices")[0]["data"]["size"] != size("448M"):
        if time.monotonic() > deadline:
            raise LabError("virtio-mem plugs no memory")
        time.sleep(0.1)


def _ppc64le(name, tree):
    """Blocks of 256 MiB, of which four are ZONE_MOVABLE."""
    return VM(name, kernel.build(tree, "ppc64le"), arch=PSERIES, memory="2G", maxmem="8G", slots=4,
              timeout=600, modules=[selftests.build(tree, "ppc64le")],
              append="kunit.enable=0 movablecore=1G cmm.simulate=1")


def _prepare_ppc64le(vm):
    """CMM has loaned pages to the hypervisor."""
    _unpack(vm)
    vm.run(f"echo {size(BALLOON) >> 10} >{CMM}/simulate_loan_target_kb")
    _wait_for(vm, size(BALLOON) // 65536)


def _unpack(vm):
    vm.run("tar xf /lib/modules/selftests.tar -C / && rm /lib/modules/selftests.tar", timeout=600)
    vm.run("printf 'root:x:0:0::/:/bin/sh\\nnobody:x:65534:65534::/:/bin/sh\\n' >/etc/passwd; "
           "mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm")


def _wait_for(vm, pages):
    vm.run("until echo 1 >/proc/sys/vm/stat_refresh && "
           f"grep -q 'nr_balloon_pages {pages}$' /proc/vmstat; do sleep 0.1; done", timeout=300)


MACHINES = {"x86": Machine("upstream", _x86, _prepare_x86),
            "ppc64le": Machine("ppc64le", _ppc64le, _prepare_ppc64le)}


def for_kunit(name, tree):
    return VM(name, kernel.build(tree, "upstream"), memory="2G", timeout=600,
              append="kunit.enable=1 kunit.autorun=0")
