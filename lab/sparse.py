"""sparse, and gcc with W=1, over what the series touches: what they say that they did not say before it."""

import re
import shlex
from pathlib import Path

from lab import files, kernel, objects, tools, touched, tree
from lab.errors import LabError
from lab.paths import shown

# The release whose sparse knows the C of Linux 7.3: __typeof_unqual__ is newer than 0.6.4.
SUITE = "forky"
CONFIGS = ("warnings", "ppc64le")


def findings():
    """[(path, line, message)] in the functions that the series touches, but what stock has as well."""
    lines_of = touched.functions("*.c", "*.h")
    left = {path for path in lines_of if path.endswith(".c") and not path.startswith("tools/")}
    found = []
    for config in CONFIGS:
        kernel.configure("linux", config)
        here = sorted(left.intersection(str(Path(path).with_suffix(".c")) for path in
                                        objects.of("linux", config, kernel.arch_of(config))))
        left -= set(here)
        said = {key: place for key, place in _said("linux", config, here).items()
                if any(place[1] in lines for lines in lines_of.get(place[0], ()))}
        before = _before(config, said, here)
        found += [(path, line, key[-1]) for key, (path, line) in said.items() if key not in before]
    return sorted(found) + [(path, 1, "none of the configurations compiles it") for path in sorted(left)]


def _before(config, said, paths):
    """What stock says, if there is anything to be compared with it."""
    paths = [path for path in paths if path not in touched.added()]
    if not said or not paths:
        return {}
    tree.make("stock")
    kernel.configure("stock", config)
    return _said("stock", config, paths)


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
