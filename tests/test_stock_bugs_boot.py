"""
What stock Linux does wrong on its way up, so that guests stand still now and then
(docs/stock-bugs.md; test_stock_has_bugs.py expects each test to fail there).
"""

import os
import re
import time

import pytest
from conftest import TREE, image
from lab import modules, stuck
from lab.vm import VM, GuestError

pytestmark = pytest.mark.part("stock-bugs", default=True)

SECONDS = 20
CLOCK = "/sys/devices/system/clocksource/clocksource0/current_clocksource"


def test_watchdog_of_clocksources_while_the_machine_is_stopped():
    """
    As it is until the first clocksource is selected, which stops the machine for that: time is kept
    by jiffies, and the clocksource watchdog waits for the other CPU.
    """
    kernel = image("debug")
    with VM("stop-machine", kernel, modules=[modules.build(TREE, "debug", "stop_machine")],
            accelerator="tcg",
            append="kunit.enable=0 clocksource=jiffies highres=off nohz=off") as vm:
        assert vm.run(f"cat {CLOCK}").strip() == "jiffies"
        # Where one CPU of the host runs both, the one that has disabled interrupts waits for the
        # other one's turn: long enough for the watchdog to find it so.
        for thread in os.listdir(f"/proc/{vm.pid}/task"):
            os.sched_setaffinity(int(thread), {min(os.sched_getaffinity(0))})
        job = vm.start("insmod /lib/modules/stop_machine.ko")
        time.sleep(SECONDS)     # of the host: the watchdog looks twice a second
        try:
            vm.run("kill $(pidof insmod)", timeout=60)
            job.wait(60)
        except GuestError as error:
            raise AssertionError(f"{error}; {stuck.describe(vm, kernel)}") from None
        vm.splats()     # the console is up to date
        assert int(re.search(r"stopped (\d+) times", vm.console())[1]) > 1000
        # The watchdog has met a CPU that did not answer.
        assert "clocksource: Watchdog remote CPU" in vm.console()
