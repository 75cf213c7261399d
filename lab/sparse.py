"""sparse, and gcc with W=1, over the files that the series touches: what they say that stock does not."""

import functools
import re
import shlex
from pathlib import Path

from lab import files, kernel, objects, tools, touched, tree
from lab.errors import LabError
from lab.paths import shown

# The release whose sparse knows the C of Linux 7.3: __typeof_unqual__ is newer than 0.6.4.
SUITE = "forky"
CONFIGS = ("warnings", "ppc64le")


def findings(name="linux", paths=None):
    """
    About all .c files of the series, or `paths`, in a tree as it is: [(path, line, message)], and those that
    none of the configurations compiles.
    """
    left = {path for path in (touched.files("*.c") if paths is None else paths)
            if path.endswith(".c") and not path.startswith("tools/")}
    found = []
    for config in CONFIGS:
        if not left:
            break
        kernel.configure(name, config)
        here = left.intersection(str(Path(path).with_suffix(".c")) for path in
                                 objects.of(name, config, kernel.arch_of(config)))
        left -= here
        found += new(name, config, here)
    return sorted(found), sorted(left)


def new(name, config, paths):
    """The same about files in one configuration, which make compiles even if nothing there selects them."""
    said = _said(name, config, sorted(paths))
    before = _stock(config).says_of(paths) if said else {}
    return [(path, line, key[-1]) for key, (path, line) in said.items() if key not in before]


class _Stock:
    """What stock says in one configuration, found out for each file once."""

    def __init__(self, config):
        self.config, self.compiled, self.said = config, set(), {}

    def says_of(self, paths):
        new = set(paths) - self.compiled
        self.compiled |= new
        if new:
            tree.make("stock")
            kernel.configure("stock", self.config)
            self.said |= _said("stock", self.config, sorted(
                path for path in new if (kernel.BUILD / "stock" / path).exists()))
        return self.said


_stock = functools.cache(_Stock)


def _said(name, config, paths):
    """{(path, text of the line, message): (path, line)} of what is compiled anew."""
    if not paths:
        return {}
    folder = kernel.objects_of(name, config)
    made = [str(Path(path).with_suffix(".o")) for path in paths]
    check = shlex.join(tools.command("sparse", SUITE, "usr/bin/sparse"))
    with files.locked(folder / ".lock"):
        for path in made:       # gcc says it only when it compiles
            (folder / path).unlink(missing_ok=True)
        log = kernel.make("warnings", name, config, "C=2", f"CHECK={check}", "W=1", *made)
    lines = log.read_text(errors="replace").splitlines()
    if not any(line.startswith("  CHECK ") for line in lines):     # make goes on without one that is too old
        raise LabError(f"sparse was not run; log {shown(log)}")
    found = {}
    for line in lines:
        match = re.match(r"(?:\.\./)?(\S+?):(\d+):\d+: (?:warning|error): (.*)", line)
        if match and (kernel.BUILD / name / match[1]).exists():
            text = (kernel.BUILD / name / match[1]).read_text(errors="replace").splitlines()
            found[match[1], text[int(match[2]) - 1].strip(), match[3]] = match[1], int(match[2])
    return found
