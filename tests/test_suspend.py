"""What the driver refuses, because its memory would not survive it, and what it does not."""

import pytest
from conftest import MIB, Guest, check
from test_virtio_mem import unplugged


@pytest.fixture(scope="module")
def guest():
    guest = Guest("suspend", "memhp_default_state=online_movable")
    yield guest
    guest.stop()


@pytest.fixture(autouse=True)
def partial_block(memory):
    memory.resize(448 * MIB)


def power(memory, state):
    """Writes to /sys/power/state: (error or "", what the kernel said meanwhile)."""
    vm = memory.vm
    vm.run("dmesg -c >/dev/null")
    code, output = vm.call(f"echo {state} > /sys/power/state", timeout=120)
    assert code or not output
    return output.rpartition(": ")[2].strip(), vm.run("dmesg")


def test_hibernation_is_refused(memory):
    error, log = power(memory, "disk")
    assert error == "Operation not permitted"
    assert "hibernation is not supported." in log
    check(memory, offline=unplugged(448))


def test_suspend_to_ram_is_refused(memory):
    memory.vm.run("echo deep > /sys/power/mem_sleep")
    error, log = power(memory, "mem")
    assert error == "Operation not permitted"
    assert "suspending with plugged memory is not supported" in log
    check(memory, offline=unplugged(448))
    memory.resize(512 * MIB)
    check(memory, offline=0)


def test_suspend_to_idle_works(memory):
    """pm_test: the devices are suspended, five seconds pass, all comes back."""
    memory.vm.run("echo devices > /sys/power/pm_test")
    try:
        error, _ = power(memory, "freeze")
    finally:
        memory.vm.run("echo none > /sys/power/pm_test")
    assert error == ""
    check(memory, offline=unplugged(448))
    memory.resize(330 * MIB)
    check(memory, offline=unplugged(330))
