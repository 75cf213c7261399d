"""
Read the compressed dump files of makedumpfile and QEMU ("KDUMP"): which pages are in one, what they
contain, and what room they take. So a test need not believe what makedumpfile says about its work.
"""

import mmap
import re
import struct
import zlib

from lab import files
from lab.errors import LabError

PAGE = 4096
HEADER = struct.Struct("<8si")
GEOMETRY = struct.Struct("<iiII")       # block size, blocks of the second header and of the bitmaps
GEOMETRY_AT = 428                       # behind utsname, a time and a status
VMCOREINFO = struct.Struct("<qQ")       # offset, size
VMCOREINFO_AT = 32                      # in the second header
DESCRIPTOR = struct.Struct("<qIIQ")     # offset, size, flags, page flags
ZLIB, INCOMPLETE = 1, 8

FLAT_HEADER = 4096
FLAT_CHUNK = struct.Struct(">qq")       # offset in the file, size


def unflatten(source, target):
    """Make a file that can be read at random from QEMU's, which is meant for a pipe."""
    with open(source, "rb") as stream, files.replacing(target) as path, open(path, "wb") as out:
        if not stream.read(FLAT_HEADER).startswith(b"makedumpfile\0"):
            raise LabError(f"{source.name}: not a flattened dump")
        while True:
            offset, size = FLAT_CHUNK.unpack(stream.read(FLAT_CHUNK.size))
            if offset < 0:
                return
            out.seek(offset)
            out.write(stream.read(size))


class DumpFile:
    """An open dump; a context manager."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self._file = open(self.path, "rb")
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        signature, _ = HEADER.unpack_from(self._map)
        if signature != b"KDUMP   ":
            raise LabError(f"{self.path.name}: not a compressed dump")
        block, second, bitmaps, _ = GEOMETRY.unpack_from(self._map, GEOMETRY_AT)
        if block != PAGE:
            raise LabError(f"{self.path.name}: blocks of {block} bytes")
        offset, size = VMCOREINFO.unpack_from(self._map, block + VMCOREINFO_AT)
        self.vmcoreinfo = self._map[offset:offset + size].decode()
        start, half = block * (1 + second), block * bitmaps // 2
        self.exist = Bitmap(self._map[start:start + half])              # bitmap 1: is RAM
        self.dumped = Bitmap(self._map[start + half:start + 2 * half])  # bitmap 2: is in the file
        self._descriptors = start + 2 * half
        return self

    def __exit__(self, *_):
        self._map.close()
        self._file.close()

    @property
    def excluded(self):
        """The pages that were left out."""
        return self.exist.minus(self.dumped)

    def number(self, name):
        """NUMBER(name) of the VMCOREINFO, None if it is not there."""
        found = re.search(rf"^NUMBER\({name}\)=(-?\d+)$", self.vmcoreinfo, re.M)
        return found and int(found[1])

    def page(self, pfn):
        """The content of a page, None if it is not in the file."""
        offset, size, flags, _ = self._descriptor(pfn) or (0, 0, INCOMPLETE, 0)
        if flags & INCOMPLETE:
            return None
        data = self._map[offset:offset + size]
        if flags & ZLIB:
            data = zlib.decompress(data)
        elif flags:
            raise LabError(f"{self.path.name}: page {pfn:#x} is compressed by {flags:#x}")
        if len(data) != PAGE:
            raise LabError(f"{self.path.name}: page {pfn:#x} has {len(data)} bytes")
        return data

    def size_of(self, pfns):
        """Bytes that these pages take in the file, with their descriptors; equal ones share theirs."""
        found = [self._descriptor(pfn) for pfn in pfns if pfn in self.dumped]
        return (DESCRIPTOR.size * len(found)
                + sum({offset: size for offset, size, *_ in found}.values()))

    def _descriptor(self, pfn):
        if pfn not in self.dumped:
            return None
        return DESCRIPTOR.unpack_from(
            self._map, self._descriptors + DESCRIPTOR.size * self.dumped.rank(pfn))


class Bitmap:
    """A set of page frames."""

    def __init__(self, data):
        self._data = data
        self._ranks = None      # pages below each 4096th byte

    def __contains__(self, pfn):
        return pfn // 8 < len(self._data) and bool(self._data[pfn // 8] >> pfn % 8 & 1)

    def __len__(self):
        return int.from_bytes(self._data, "little").bit_count()

    def __iter__(self):
        for index, byte in enumerate(self._data):
            for bit in range(8) if byte else ():
                if byte >> bit & 1:
                    yield 8 * index + bit

    def minus(self, other):
        both = (int.from_bytes(self._data, "little")
                & ~int.from_bytes(other._data, "little"))
        return Bitmap(both.to_bytes(len(self._data), "little"))

    def rank(self, pfn):
        """How many pages of the set are below this one."""
        if self._ranks is None:
            self._ranks, total = [], 0
            for start in range(0, len(self._data), PAGE):
                self._ranks.append(total)
                total += Bitmap(self._data[start:start + PAGE]).__len__()
        start = pfn // 8 // PAGE * PAGE
        before = int.from_bytes(self._data[start:pfn // 8], "little").bit_count()
        return (self._ranks[start // PAGE] + before
                + (self._data[pfn // 8] & (1 << pfn % 8) - 1).bit_count())
