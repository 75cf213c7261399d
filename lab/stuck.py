"""Where a guest stands that does not come up: what its kernel said last, and what each CPU is at."""

import re
import time

from lab import splat
from lab.symbols import Symbols

LOOKS = 3       # a second apart: a CPU that loops is not always in the same function
_COUNTER = re.compile(r"^(?:E?RIP|.*\bRIP|\s*PC|NIP)\s*=?\s*([0-9a-f]{8,16})\b", re.M)


def describe(vm, kernel):
    """One line for an error message; the registers go to the end of the guest's log."""
    symbols = _symbols(kernel)
    places = []
    registers = ""
    for look in range(LOOKS):
        time.sleep(1 if look else 0)
        registers = vm.qmp("human-monitor-command", **{"command-line": "info registers -a"})
        for cpu, address in enumerate(_COUNTER.findall(registers)):
            places.append((cpu, symbols.name(int(address, 16)) if symbols else address))
    said = splat.find(vm.console()) or vm.console().splitlines() or ["nothing"]
    with vm.log.open("a") as log:
        log.write(f"\n{registers}")
    cpus = [f"CPU {cpu} at " + ", ".join(dict.fromkeys(name for each, name in places if each == cpu))
            for cpu in sorted({cpu for cpu, _ in places})]
    return "; ".join([f"the last thing it said: {said[-1].strip()}", *cpus])


def _symbols(kernel):
    """Of an image in the folder of its build, or below that."""
    for folder in kernel.parents:
        if (folder / "System.map").exists():
            return Symbols(folder / "System.map")
    return None
