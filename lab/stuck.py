"""Where a guest stands that does not come up: what its kernel said last, and what each CPU is at."""

import re
import time

from lab import splat
from lab.errors import LabError
from lab.symbols import Symbols

LOOKS = 3       # a second apart: a CPU that loops is not always in the same function
_CPU = re.compile(r"^CPU#\d+\s*$", re.M)
_COUNTER = re.compile(r"^(?:[ER]IP=|\s*PC=|NIP\s+)([0-9a-f]{8,16})\b", re.M)


def describe(vm, kernel):
    """One line for an error message; the registers go to the end of the guest's log."""
    said = splat.find(vm.console()) or vm.console().splitlines() or ["nothing"]
    return "; ".join([f"the last thing it said: {said[-1].strip()}", *_cpus(vm, _symbols(kernel))])


def _cpus(vm, symbols):
    places = {}     # {number of a CPU: functions}
    for look in range(LOOKS):
        time.sleep(1 if look else 0)
        try:
            registers = vm.qmp("human-monitor-command", **{"command-line": "info registers -a"})
        except LabError as error:
            return [str(error)]
        for cpu, text in enumerate(_CPU.split(registers)[1:]):
            found = _COUNTER.search(text)
            name = "?" if not found else symbols.name(int(found[1], 16)) if symbols else found[1]
            places.setdefault(cpu, {})[name] = None     # as an ordered set
    with vm.log.open("a") as log:
        log.write(f"\n{registers}")
    return [f"CPU {cpu} at {', '.join(names)}" for cpu, names in places.items()]


def _symbols(kernel):
    """Of an image in the folder of its build, or below that."""
    for folder in kernel.parents:
        if (folder / "System.map").exists():
            return Symbols(folder / "System.map")
    return None
