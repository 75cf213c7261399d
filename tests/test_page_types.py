"""dump_page() knows the name of every page type that there is (include/linux/page-flags.h)."""

import re

import pytest
from conftest import TREE, image
from lab import modules
from lab.paths import BUILD
from lab.vm import VM

pytestmark = pytest.mark.part("stock-bugs", default=True)


def test_dump_page_names_every_type():
    module = modules.build(TREE, "debug", "page_types")
    header = (BUILD / TREE / "include/linux/page-flags.h").read_text()
    names = {int(value, 16): name
             for name, value in re.findall(r"^\tPGTY_(\w+)\s*= (0x\w\w)", header, re.M)}
    last = max(names)
    assert names.pop(last) == "mapcount_underflow"
    with VM("page-types", image("debug"), modules=[module], append="kunit.enable=0") as vm:
        vm.run("insmod /lib/modules/page_types.ko")
        dumped = {int(value, 16): name for value, name in
                  re.findall(r"page_type: (\w+)\((.*)\)", vm.run("dmesg"))}
    assert dumped == {value: names.get(value, "unknown") for value in range(min(names), last)}
