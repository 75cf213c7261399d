"""The files of /proc and /sys that offmap reads, made up: a machine that never was."""

import struct

PAGE = 4096
BLOCK = 1024        # pages: memory blocks of 4 MiB, small enough to write every page

# Bits of /proc/kpageflags; LRU stands for all that offmap does not look at.
LRU, BUDDY, HWPOISON, NOPAGE, OFFLINE = (1 << bit for bit in (5, 10, 19, 20, 23))

# A kind of page: its bits, and its line in debugfs.
KINDS = {
    "used": (LRU, None),
    "free": (BUDDY, None),
    "absent": (NOPAGE, None),
    "poisoned": (HWPOISON, None),
    "offline": (OFFLINE, "offline -"),
    "never": (OFFLINE, "offline never_onlined"),
    "skippable": (OFFLINE, "offline skippable"),
    "both": (OFFLINE, "offline never_onlined,skippable"),
    "movable": (OFFLINE, "movable_offline movable_ops"),
    "offline, poisoned": (OFFLINE | HWPOISON, "offline skippable,hwpoison"),
}


class Tree:
    """Files below a folder; whoever wants may change them afterwards."""

    def __init__(self, root, block_pages=BLOCK):
        self.root, self.block_pages = root, block_pages
        self.zones = []
        self.write("proc/sys/kernel/osrelease", "7.3.4-test\n")
        self.write("sys/devices/system/memory/block_size_bytes", f"{block_pages * PAGE:x}\n")
        self.flags = root / "proc/kpageflags"
        self.flags.touch()
        self.debugfs = self.write("sys/kernel/debug/offline_pages",
                                  "# start_pfn nr_pages type flags refcount_min refcount_max\n")
        self.iomem = self.write("proc/iomem", "")

    def write(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def block(self, number, *runs, state="online", zone="Normal", node=0):
        """runs: (pages, kind); the rest of the block is used."""
        folder = f"sys/devices/system/memory/memory{number}"
        self.write(f"{folder}/phys_index", f"{number:08x}\n")
        self.write(f"{folder}/state", f"{state}\n")
        self.write(f"{folder}/valid_zones", f"{zone}\n")
        (self.root / folder / f"node{node}").mkdir()
        pfn = number * self.block_pages
        rest = self.block_pages - sum(pages for pages, _ in runs)
        with open(self.flags, "r+b") as flags, open(self.debugfs, "a") as debugfs:
            flags.seek(pfn * 8)
            for pages, kind in (*runs, (rest, "used")):
                bits, line = KINDS[kind]
                flags.write(struct.pack("<Q", bits) * pages)
                if line and pages:
                    debugfs.write(f"{pfn:#x} {pages} {line} 0 0\n")
                pfn += pages

    def zone(self, name, start, spanned, present=None, managed=None, free=0, node=0, cached=(0, 0)):
        present = spanned if present is None else present
        managed = present if managed is None else managed
        cpus = "".join(f"    cpu: {cpu}\n              count:    {count}\n              high:     9\n"
                       for cpu, count in enumerate(cached))
        self.zones.append((node, f"""\
Node {node}, zone {name:>8}
  per-node stats
      nr_inactive_anon 17
  pages free     {free}
        boost    0
        min      5
        spanned  {spanned}
        present  {present}
        managed  {managed}
        cma      0
        protection: (0, 0, 0, 0)
      nr_free_pages {free}
  pagesets
{cpus}  node_unreclaimable:  0
  start_pfn:           {start}
"""))
        self.zones.sort(key=lambda zone: zone[0])
        self.write("proc/zoneinfo", "".join(text for _, text in self.zones))


def mixed(root, block=BLOCK):
    """Something of everything; block: pages of a memory block, 16 at least."""
    part = block // 16
    tree = Tree(root, block_pages=block)
    tree.block(0, (4, "absent"), (6 * part, "free"), zone="none")
    tree.block(1, (15 * part, "free"), (1, "poisoned"))
    tree.block(2, (8 * part, "used"), (3, "offline"), (2, "never"), (1, "skippable"), (1, "both"))
    tree.block(4, (block, "movable"), zone="Movable", node=1)
    tree.block(5, (part, "free"), (10 * part, "both"), (2, "offline, poisoned"), zone="Movable", node=1)
    tree.block(6, state="offline", zone="Normal Movable", node=1)
    tree.zone("DMA", 1, 7, present=6, managed=5, free=3)
    tree.zone("Normal", 8, 3 * block - 8, free=2, cached=(3, 4))
    tree.zone("Movable", 0, 0)
    tree.zone("Movable", 4 * block, 2 * block, node=1)
    size = block * PAGE
    tree.iomem.write_text(f"""\
00000000-00000fff : Reserved
00001000-{3 * size - 1:08x} : System RAM
  00002000-00002fff : Kernel code
{4 * size:08x}-{16 * size - 1:08x} : virtio0
  {4 * size:08x}-{7 * size - 1:08x} : System RAM (virtio_mem)
{32 * size:08x}-{48 * size - 1:08x} : virtio1
""")
    return tree


def large(root, tib, block_mib=128):
    """A whole large machine. /proc/kpageflags is a sparse file: all pages in use, but for some blocks."""
    pages = block_mib << 8
    tree = Tree(root, block_pages=pages)
    blocks = (tib << 20) // block_mib
    folder = root / "sys/devices/system/memory"
    for number in range(blocks):
        block = folder / f"memory{number}"
        (block / f"node{number * 2 // blocks}").mkdir(parents=True)
        (block / "phys_index").write_text(f"{number:08x}\n")
        (block / "state").write_text("online\n")
        (block / "valid_zones").write_text("Normal\n")
    for node in (0, 1):
        tree.zone("Normal", node * pages * blocks // 2, pages * blocks // 2, node=node)
    with open(tree.flags, "r+b") as flags, open(tree.debugfs, "a") as debugfs:
        flags.truncate(blocks * pages * 8)
        # One block in 64 changes with each page, the worst there is; one is partly offline.
        alternate = struct.pack("<QQ", LRU, BUDDY) * (pages // 2)
        half = struct.pack("<Q", OFFLINE) * (pages // 2)
        for number in range(0, blocks, 64):
            flags.seek(number * pages * 8)
            flags.write(alternate)
            flags.write(half)
            debugfs.write(f"{(number + 1) * pages:#x} {pages // 2} offline skippable 0 0\n")
    return tree


def as_input(tree):
    """The tree as an input of the fuzzer, see offmap/fuzz/fuzz.c."""
    paths = sorted(path for path in tree.root.rglob("*") if path.is_file() and path != tree.flags)
    # A folder is there by what is in it.
    folders = sorted(path / "." for path in tree.root.rglob("node[0-9]*") if path.is_dir())
    parts = [f"{path.relative_to(tree.root)}\n".encode() + path.read_bytes() for path in paths]
    parts += [f"{path.relative_to(tree.root)}/\n".encode() for path in folders]
    parts.append(b"proc/kpageflags\n" + tree.flags.read_bytes())
    return b"\xff".join(parts)
