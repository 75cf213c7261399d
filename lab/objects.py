"""The objects that a configuration makes of what the series touches, and whether these find each other's
functions without the rest of a kernel."""

import re
import subprocess
from pathlib import Path

from lab import kernel, touched


def sources(machine):
    """The .c files that an architecture can have."""
    return [path for path in touched.files("*.c")
            if not path.startswith("arch/") or path.startswith(f"arch/{machine.source}/")]


def of(name, config, machine):
    """The objects that the .config of a tree makes of the files of the series that it has."""
    settings = (kernel.objects_of(name, config) / ".config").read_text()
    on = {match[1] for match in re.finditer(r"^(CONFIG_\w+)=[ym]$", settings, re.M)}
    root = kernel.BUILD / name
    return [str(Path(path).with_suffix(".o")) for path in sources(machine)
            if (root / path).exists() and _enabled(root, Path(path).with_suffix(".o"), on)]


def _enabled(root, path, on):
    """Do the Makefiles from the file up to the top ask for it?"""
    folder = path.parent
    if folder == Path(".") or path.parts[0] == "arch" and len(path.parts) == 2:
        return True
    makefile = next((root / folder / name for name in ("Kbuild", "Makefile")
                     if (root / folder / name).exists()), None)
    if not makefile:        # mm/tests/, which mm/Makefile knows
        name, folder = f"{folder.name}/{path.name}", folder.parent
        makefile = root / folder / "Makefile"
    else:
        name = path.name + ("" if path.suffix else "/")
    text = re.sub(r"\\\n", " ", makefile.read_text())
    text = text.replace("$(BITS)", "64" if "CONFIG_64BIT" in on else "32")
    for variable, words in re.findall(r"^\s*([^\s:+=]+)\s*[:+]?=(.*)$", text, re.M):
        if name in words.split():
            symbol = re.search(r"\$\((CONFIG_\w+)\)$", variable)
            if (symbol and symbol[1] in on) or variable.endswith(("-y", "-m")):
                whole = variable.rpartition("-")[0] + ".o"      # a module of several objects
                return _enabled(root, folder / whole if whole in text.split() else folder, on)
    return False


def missing(name, config, machine, paths):
    """
    [(object, function)]: functions that only files of the series define, that one of the objects
    `paths` calls, and that none of them has. So a kernel of this configuration does not link.
    """
    folder, root = kernel.objects_of(name, config), kernel.BUILD / name
    # A test may stand in an ifdef of its Makefile; nobody calls tests.
    paths = [path for path in paths if not path.startswith("mm/tests/") or (folder / path).exists()]
    defined = {symbol for path in paths for symbol in _nm(machine, folder / path, "--defined-only")}
    touched = [path for path in sources(machine) if (root / path).exists()]
    owned = {symbol for path in touched for symbol in _functions(root / path)}
    return [(path, symbol) for path in paths
            for symbol in _nm(machine, folder / path, "--undefined-only")
            if symbol in owned and symbol not in defined and not _others(root, machine, touched, symbol)]


def _others(root, machine, touched, symbol):
    """The .c files for this architecture that define a function and that the series does not touch."""
    folders = [path.name for path in root.iterdir() if path.is_dir() and path.name != "arch"
               and not path.name.startswith(("obj-", "."))]
    found = subprocess.run(["grep", "-rlw", "--include=*.c", symbol, *folders, f"arch/{machine.source}"],
                           cwd=root, capture_output=True, text=True).stdout.split()
    return [path for path in found if path not in touched and symbol in _functions(root / path)]


def _nm(machine, path, which):
    output = subprocess.run([f"{machine.prefix}nm", "--format=just-symbols", which, path],
                            capture_output=True, text=True, check=True).stdout
    return output.split()


def _functions(path):
    """Names of what a .c file defines that is not static."""
    return re.findall(r"^(?!static\b|extern\b)\w[\w \t*]*?\b(\w+)\([^;{}]*\)\n\{",
                      path.read_text(errors="replace"), re.M)
