"""Where things are."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KERNEL = ROOT / "kernel"
GUEST = ROOT / "guest"
OFFMAP = ROOT / "offmap"
TESTS = ROOT / "tests"

# All that is made in this checkout; `./run clean` removes it.
BUILD = ROOT / "build"
LOGS = BUILD / "logs"

# What a fresh clone shall not have to fetch or compile again.
CACHE = Path(os.environ.get("OFFLINE_PAGES_CACHE")
             or Path(os.environ.get("XDG_CACHE_HOME")
                     or Path.home() / ".cache") / "offline-pages").absolute()


def shown(path):
    """The path as a person at the top of the checkout would type it."""
    try:
        return str(Path(path).relative_to(ROOT))
    except ValueError:
        return str(path)
