"""
Programs of other Debian releases than the machine's own, each run with the libraries of its release:
what opens a dump of Linux 7.3 is newer, or older, than what a machine has.
"""

import re
import subprocess
import tarfile
from pathlib import Path

from lab import apt
from lab.errors import LabError

# The releases, oldest first, with what they are called in docs/dumps.md.
SUITES = ("bookworm", "trixie", "forky")


def command(package, suite, program):
    """The words that start a program of that package, as in a shell."""
    root = apt.unpacked(package, suite)
    libraries = [path for path in (root / "usr/lib/x86_64-linux-gnu", root / "lib/x86_64-linux-gnu")
                 if path.is_dir()]
    loader = next((path / "ld-linux-x86-64.so.2" for path in libraries
                   if (path / "ld-linux-x86-64.so.2").exists()), None)
    if not loader or not (root / program).exists():
        raise LabError(f"{package} of {suite} has no {program}")
    return [str(loader), "--library-path", ":".join(map(str, libraries)), str(root / program)]


def run(arguments, timeout=600, stdin=None, **options):
    """Run it: (exit status, all that it has printed)."""
    result = subprocess.run([str(word) for word in arguments], input=stdin, timeout=timeout,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace", **options)
    return result.returncode, result.stdout


def archive(words, path):
    """
    A tar of a program from command() and the libraries that it needs, for a guest: unpack it in
    /tmp/tool, and run IN_GUEST with the program's name.
    """
    loader, _, _, program = words
    code, text = run([*words[:-1], "--list", program])
    if code:
        raise LabError(f"{Path(program).name}: {text.strip()}")
    libraries = re.findall(r"=> (/\S+)", text)
    with tarfile.open(path, "w", dereference=True) as tar:
        for file in sorted({loader, program, *libraries}):
            if Path(file).name not in tar.getnames():
                tar.add(file, Path(file).name)
    return path


IN_GUEST = "/tmp/tool/ld-linux-x86-64.so.2 --library-path /tmp/tool /tmp/tool/"
