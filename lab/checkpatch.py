"""
checkpatch --strict, which remembers what it has said: a file that it has seen costs nothing.

What it says about a file depends on the file, on the program and the lists that it reads, and, for names
in CamelCase, on the headers of the kernel: the base's, because the series adds no such names.
"""

import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

from lab import files, tree
from lab.errors import LabError
from lab.paths import CACHE, KERNEL

VERDICTS = CACHE / "checkpatch"
PROGRAM = ("scripts/checkpatch.pl", "scripts/spelling.txt", "scripts/const_structs.checkpatch",
           "MAINTAINERS")
# Not --terse: with that it does not say which files it has found nothing in.
OPTIONS = ("--strict", "--emacs", "--show-types", "--summary-file", "--color=never")


def findings(run, paths, *options):
    """
    Yield (path, line, type, what) about patches, or with "-f" about sources. `run` takes a command and
    a folder, and returns what the command prints.
    """
    version = hashlib.sha256(repr((OPTIONS, options)).encode())
    for part in (KERNEL / "base", *(tree.LINUX / name for name in PROGRAM)):
        version.update(part.read_bytes())
    remembered = {path: VERDICTS / hashlib.sha256(version.digest() + path.read_bytes()).hexdigest()
                  for path in paths}
    unknown = [path for path in paths if not remembered[path].exists()]
    share = os.cpu_count() or 1
    with ThreadPoolExecutor(share) as pool:
        for verdicts in pool.map(lambda first: _ask(run, unknown[first::share], options),
                                 range(min(share, len(unknown)))):
            for path, verdict in verdicts.items():
                files.write(remembered[path], json.dumps(verdict))
    for left in tree.LINUX.glob(".checkpatch-camelcase.*"):
        left.unlink(missing_ok=True)
    for path in paths:
        for finding in json.loads(remembered[path].read_text()):
            yield path, *finding


def _ask(run, paths, options):
    """{path: [(line, type, what)]}"""
    output = run(["perl", PROGRAM[0], *OPTIONS, *options, *paths], cwd=tree.LINUX)
    verdicts = {}
    for path in paths:
        start = f"^{re.escape(str(path))}"
        if not re.search(f"{start} total: ", output, re.M):
            raise LabError(f"checkpatch does not say that it has read {path.name}")
        verdicts[path] = re.findall(rf"{start}:(\d+): (?:ERROR|WARNING|CHECK):(\w+): (.*)$", output, re.M)
    return verdicts
