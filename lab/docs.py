"""
Sphinx over the kernel's documents that the series touches, with the kernel's own configuration, but
without the thousands of other documents: build/docs/html/ has what it makes of them.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import host, touched, tree
from lab.errors import LabError
from lab.paths import BUILD

FOLDER = "Documentation"
INDEX = f"{FOLDER}/index.rst"
# "WARNING" of Sphinx, "warning" or "Warning" of kernel-doc; a document as a whole has no line.
MESSAGE = re.compile(r"(?:Warning: )?(\S+?):(?:(\d+):?)?(?:\d+:)? (.*)", re.S)


def findings():
    """
    (path, line, message) of each warning about what the series touches. What there is to say about
    the rest of a document is the base kernel's own, or is about a document that is not built here.
    """
    documents = touched.lines(f"{FOLDER}/*.rst")
    sources = touched.lines("*.c", "*.h")
    found = build({path: tree.LINUX / path for path in documents}, touched.added(f"{FOLDER}/*.rst"))
    found += kernel_doc(sorted(sources))
    lines = documents | sources
    return sorted({(path, line, message) for path, line, message in found
                   if path in lines and (line is None or any(line in each for each in lines[path]))})


def build(documents, new=()):
    """
    Build documents, {path in the tree: file to take}; return [(path, line or None, message)].
    Those that are `new` have to be in a table of contents of one of the others.
    """
    host.need_tools("sphinx-build")
    directory = BUILD / "docs"
    shutil.rmtree(directory, ignore_errors=True)
    source = directory / "source"
    for path, file in documents.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).symlink_to(file)
    known = sorted(path for path in documents if path not in new)
    (source / INDEX).write_text("Index\n=====\n\n.. toctree::\n\n" + "".join(
        f"   {Path(path).relative_to(FOLDER).with_suffix('')}\n" for path in known))
    (source / "MAINTAINERS").symlink_to(tree.LINUX / "MAINTAINERS")
    return _run(["sphinx-build", "-q", "-b", "html", "-c", tree.LINUX / FOLDER,
                 "-D", f"kerneldoc_srctree={tree.LINUX}", source / FOLDER, directory / "html"],
                (f"{source}/", f"{tree.LINUX}/"))


def kernel_doc(sources):
    """[(path, line, message)] about the kernel-doc comments in sources of the tree."""
    return _run(["tools/docs/kernel-doc", "-none", "-Wall", *sources], ("",))


def _run(command, roots):
    """Run a program in the tree; its messages about files under `roots`."""
    result = subprocess.run(command, cwd=tree.LINUX, text=True, errors="replace",
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=os.environ | {"srctree": str(tree.LINUX), "LC_ALL": "C.UTF-8",
                                              "PYTHONDONTWRITEBYTECODE": "1"})
    if result.returncode:
        raise LabError(f"{command[0]}: {(result.stdout.strip().splitlines() or ['failed'])[-1]}")
    found = []
    for line in result.stdout.splitlines():
        match = MESSAGE.fullmatch(line)
        for root in roots:
            if match and match[1].startswith(root):
                found.append((match[1].removeprefix(root), int(match[2]) if match[2] else None,
                              match[3]))
                break
    return found
