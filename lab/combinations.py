"""The configurations in which ./run bisect compiles the tip of the series."""

from itertools import product

# What decides how much of memory hotplug and offlining there is. Migration comes with memory
# offlining, with compaction and with CMA, and contiguous allocation with the last two.
HOTPLUG = {
    "no hotplug": ("",),
    "hotplug": ("MEMORY_HOTPLUG",),
    "hotremove": ("MEMORY_HOTPLUG", "MEMORY_HOTREMOVE"),
    "device memory": ("MEMORY_HOTPLUG", "MEMORY_HOTREMOVE", "ZONE_DEVICE"),
}
SWITCHES = ("MEMORY_HOTPLUG", "MEMORY_HOTREMOVE", "ZONE_DEVICE", "COMPACTION", "CMA")

# Who has offline pages
OFFLINE = ("HYPERV_BALLOON", "XEN", "XEN_PV", "XEN_PVH", "XEN_BALLOON", "AMD_MEM_ENCRYPT")
BALLOONS = ("VIRTIO_BALLOON", "VMWARE_BALLOON")
MODULAR = ("HYPERV_BALLOON", "VIRTIO_MEM", *BALLOONS)


def _lines(on, value="y"):
    return "".join(f"CONFIG_{symbol}={value}\n" for symbol in on)


def _off(symbols):
    return "".join(f"# CONFIG_{symbol} is not set\n" for symbol in symbols)


def of_x86():
    """
    {name: lines} of all combinations that Kconfig allows; what changes from one to the next is mostly
    something that few files depend on, so that the others need not be compiled again.
    """
    found = {}
    for hotplug, compaction, cma, offline, balloon in product(
            reversed(HOTPLUG), (True, False), (True, False), (True, False),
            ("balloons that migrate", "balloons", None)):
        on = {symbol for symbol in HOTPLUG[hotplug] if symbol}
        on |= {symbol for symbol, is_on in (("COMPACTION", compaction), ("CMA", cma)) if is_on}
        migration = "MEMORY_HOTREMOVE" in on or compaction or cma
        if balloon == "balloons that migrate" and not migration:
            continue
        contig = "MEMORY_HOTPLUG" in on and compaction or cma
        lines = _lines(sorted(on)) + _off(symbol for symbol in SWITCHES if symbol not in on)
        name = [hotplug, *(text for text, is_on in (("compaction", compaction), ("CMA", cma))
                           if is_on)]
        if balloon:
            name.append(balloon)
            lines += _lines(BALLOONS)
            if migration:
                lines += (_lines if balloon == "balloons that migrate" else _off)(
                    ["BALLOON_MIGRATION"])
        if offline:
            name.append("offline pages")
            lines += _lines(OFFLINE)
            if "MEMORY_HOTREMOVE" in on and contig:
                lines += _lines(["VIRTIO_MEM"])
        else:
            lines += _off(["XEN", "HYPERV_BALLOON", "AMD_MEM_ENCRYPT", "VIRTIO_MEM"])
        if "MEMORY_HOTPLUG" in on:
            lines += _lines(["DEBUG_OFFLINE_PAGES"])
        found[", ".join(name)] = lines
    return found


def modular():
    """All drivers that can be are modules."""
    on = (*HOTPLUG["device memory"], "COMPACTION", "BALLOON_MIGRATION", "DEBUG_OFFLINE_PAGES")
    return {"modular drivers": _lines(on) + _lines(MODULAR, "m")}
