"""makedumpfile, of several Debian releases: filter a dump, and what it says about it."""

import dataclasses
import re

from lab import tools
from lab.errors import LabError

# What is left out (makedumpfile(8), -d)
ZERO, CACHE, PRIVATE_CACHE, USER, FREE = 1, 2, 4, 8, 16
EVERYTHING = ZERO | CACHE | PRIVATE_CACHE | USER | FREE
VERBOSE = ["--message-level", "31"]


@dataclasses.dataclass
class Report:
    """Pages, as makedumpfile counts them."""

    text: str

    def __getitem__(self, name):
        """Of one line: "Offline pages", "Original pages", ..."""
        found = re.search(rf"^\s*{name}\s*: 0x(\w+)$", self.text, re.M)
        if not found:
            raise LabError(f"makedumpfile does not tell its {name}: "
                           f"{(self.text.strip().splitlines() or ['nothing'])[-1]}")
        return int(found[1], 16)

    @property
    def supported(self):
        return "The kernel version is not supported" not in self.text


def command(suite):
    return tools.command("makedumpfile", suite, "usr/bin/makedumpfile")


def filtered(suite, source, target, level, vmcoreinfo=None):
    """Filter `source` to `target`, zlib compressed; return the Report."""
    target.unlink(missing_ok=True)
    instead = ["-i", vmcoreinfo] if vmcoreinfo else []
    code, text = tools.run([*command(suite), "-c", *VERBOSE, "-d", level, *instead, source, target])
    if code:
        raise LabError(f"makedumpfile of {suite}: {' '.join(text.strip().splitlines()[-2:])}")
    return Report(text)


def of_balloon(vmcoreinfo):
    """
    VMCOREINFO in which the offline pages are those of a balloon. makedumpfile knows one type of offline
    pages: filtering what it has filtered once more, with this, leaves out the other (docs/dumps.md).
    """
    name = "PAGE_OFFLINE_MAPCOUNT_VALUE"
    lines = [line for line in vmcoreinfo.splitlines() if not line.startswith(f"NUMBER({name})")]
    return "\n".join(lines).replace("PAGE_MOVABLE_OFFLINE_MAPCOUNT_VALUE", name) + "\n"


def with_old_names(vmcoreinfo):
    """
    VMCOREINFO with the name that makedumpfile knows for the field of tail pages. Without, it takes each of
    them for a page by itself, and leaves some of the kernel's out (docs/dumps.md).
    """
    return vmcoreinfo.replace("OFFSET(page.compound_info)", "OFFSET(page.compound_head)")
