"""Remove what the lab has made."""

import shutil

from lab import tree
from lab.errors import LabError
from lab.paths import BUILD, CACHE, shown
from lab.progress import say


def clean(cache=False, force=False):
    """Remove build/, and the cache if asked; work that is not exported is safe."""
    if (tree.LINUX / ".git").exists() and not force and not tree.exported():
        raise LabError("build/linux has work that is not exported: ./run export writes it "
                       "to kernel/, ./run clean --force throws it away")
    for path in (BUILD, CACHE) if cache else (BUILD,):
        if path.exists():
            say(f"removing {shown(path)}")
            shutil.rmtree(path)
