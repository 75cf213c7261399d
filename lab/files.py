"""Files that are either there whole or not there."""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path

from lab import progress
from lab.errors import LabError


def write(path, data):
    """Write bytes or text by way of a temporary file; leave an equal file alone."""
    path = Path(path)
    if isinstance(data, str):
        data = data.encode()
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def replacing(path):
    """A path to write to, which becomes `path` if nothing goes wrong."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path):
    """Keep two runs from working in the same place at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say(f"waiting for another run that works in {path.parent}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def need_space(path, gigabytes):
    """Better before the work than in the middle of it."""
    path.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path).free / 1e9
    if free < gigabytes:
        raise LabError(f"disk full: {path} has {free:.1f} GB free, "
                       f"{gigabytes} GB are needed")
