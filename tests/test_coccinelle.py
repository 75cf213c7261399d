"""The Coccinelle rule of the series: silent about the patched tree, and not about anything wrong."""

import re

import pytest
from conftest import TREE
from lab import cocci, tree
from lab.paths import BUILD, TESTS

BAD = TESTS / "coccinelle"

# What had offline pages before the series; mm/balloon.c is part of mm.
OLD_DRIVERS = [
    "arch/powerpc/platforms/powernv/memtrace.c",
    "arch/x86/coco/sev/core.c",
    "drivers/hv/hv_balloon.c",
    "drivers/misc/vmw_balloon.c",
    "drivers/virtio/virtio_mem.c",
    "drivers/xen/balloon.c",
]


def test_nothing_is_found_in_the_series():
    tree.make(TREE)
    assert cocci.findings(cocci.candidates(TREE), BUILD / TREE) == []


def test_setters_are_private():
    """The compiler keeps drivers from setting the type: it is no longer in a header of theirs."""
    tree.make(TREE)
    header = (BUILD / TREE / "include/linux/page-flags.h").read_text()
    assert not re.search(r"^PAGE_TYPE_(OPS|SET)\((Movable)?Offline,", header, re.M)
    assert re.search(r"^PAGE_TYPE_TEST\(Offline,", header, re.M)


@pytest.fixture(scope="module")
def on_stock():
    tree.make("linux")
    tree.make("stock")
    return cocci.findings(cocci.candidates("stock"), BUILD / "stock")


@pytest.mark.parametrize("driver", OLD_DRIVERS)
def test_old_driver_is_found(on_stock, driver):
    assert [what for path, _, what in on_stock if path == driver]


def test_nobody_else_is_found_on_stock(on_stock):
    assert {path for path, *_ in on_stock} == set(OLD_DRIVERS)


@pytest.fixture(scope="module")
def in_samples():
    tree.make("linux")
    return cocci.findings(sorted(path.name for path in BAD.glob("*.c")), BAD)


def expected():
    """(file, line) of each line in tests/coccinelle that is marked as wrong."""
    return [(path.name, number) for path in sorted(BAD.glob("*.c"))
            for number, line in enumerate(path.read_text().splitlines(), 1) if "/* wrong */" in line]


def test_what_is_wrong_is_found_and_nothing_else(in_samples):
    assert sorted({(path, line) for path, line, _ in in_samples}) == expected()
    assert len(expected()) == 11
