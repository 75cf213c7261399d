"""
offmap, compiled: for the guest by lab/initramfs.py, here for machines like this one, which draw what
a guest has seen, and for tests and the fuzzer.
"""

import os
import subprocess
from pathlib import Path

from lab import files
from lab.errors import LabError
from lab.paths import BUILD, OFFMAP, shown

CFLAGS = ["-O2", "-Wall", "-Wextra", "-Werror"]
SANITIZE = ["-g", "-O1", "-fno-sanitize-recover=all"]


def sources():
    """The program's .c files, and all that it is made of."""
    return sorted(OFFMAP.glob("*.c")), sorted(OFFMAP.glob("*.[ch]"))


def compile_all(program, command, wanted, parts):
    """Run `command`, a compiler, on the files `wanted`, if any of `parts` is newer than `program`."""
    newest = max(part.stat().st_mtime for part in parts)
    if program.exists() and program.stat().st_mtime > newest:
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(program) as output:
        result = subprocess.run([*command, "-o", output, *wanted], capture_output=True, text=True)
        if result.returncode:
            lines = (result.stderr or result.stdout).strip().splitlines()
            first = next((line for line in lines if "error:" in line), lines[-1])
            raise LabError(f"{shown(wanted[0])} does not compile: {first}")
    return program


def host():
    """For this machine; or $OFFMAP, a program that is known to be wrong, for tests of the tests."""
    if os.environ.get("OFFMAP"):
        return Path(os.environ["OFFMAP"])
    wanted, parts = sources()
    directory = BUILD / "offmap"
    with files.locked(directory / ".lock"):
        return compile_all(directory / "offmap", ["gcc", *CFLAGS], wanted, parts)


def fuzzer(libfuzzer=False):
    """
    The fuzz target with the sanitizers: under libFuzzer, which is clang's, or with a main program of
    our own, which replays inputs and changes them a little.
    """
    wanted, parts = sources()
    without = {OFFMAP / "main.c", OFFMAP / "watch.c"}
    target = [OFFMAP / "fuzz/fuzz.c"] if libfuzzer else sorted((OFFMAP / "fuzz").glob("*.c"))
    compiler = (["clang", *SANITIZE, "-fsanitize=fuzzer,address,undefined"] if libfuzzer else
                ["gcc", *SANITIZE, "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"])
    directory = BUILD / "offmap"
    with files.locked(directory / ".lock"):
        return compile_all(directory / ("fuzz" if libfuzzer else "replay"), compiler,
                           [*target, *(path for path in wanted if path not in without)],
                           [*parts, *target])


def run(*arguments, codes=(0,)):
    """What it prints, on this machine."""
    result = subprocess.run([host(), *map(str, arguments)], capture_output=True, text=True)
    if result.returncode not in codes:
        raise LabError((result.stderr.strip().splitlines() or ["offmap failed"])[0])
    return result.stdout
