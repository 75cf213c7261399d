"""
Build test modules, tests/modules/NAME.c, against a kernel of the lab.

A test module is a KUnit suite that only a test has a use for: one that brings its own copy of a
driver, say, between a fake of what the driver talks to. It is built outside of the tree, so that it
needs no patch and runs on the unpatched kernel too.
"""

import hashlib

from lab import files, kernel
from lab.errors import LabError
from lab.paths import TESTS, shown

SOURCES = TESTS / "modules"


def build(name, config, module):
    """Build what changed, the kernel too; return the module's .ko, for that very kernel."""
    if not (SOURCES / f"{module}.c").is_file():
        raise LabError(f"{shown(SOURCES / module)}.c does not exist")
    kernel.build(name, config)
    objects = kernel.objects_of(name, config)
    output = objects / "test-modules" / module
    with files.locked(objects / ".lock"):
        of_kernel = kernel.built(objects)
        _modules_of_kernel(name, config, of_kernel)
        stamp = of_kernel and of_kernel + _sources()
        if not (stamp and kernel.read(output / "lab-built") == stamp):
            (output / "lab-built").unlink(missing_ok=True)
            # MODULE is for our Kbuild. MO= keeps what is built out of tests/.
            kernel.make(f"module-{module}", name, config, f"M={SOURCES}", f"MO={output}",
                        f"MODULE={module}", "modules")
            if stamp:
                files.write(output / "lab-built", stamp)
    return output / f"{module}.ko"


def _modules_of_kernel(name, config, of_kernel):
    """Module.symvers, which ours are linked by, and the kernel's own modules."""
    objects = kernel.objects_of(name, config)
    stamp = objects / "lab-modules-built"
    if of_kernel and kernel.read(stamp) == of_kernel:
        return
    stamp.unlink(missing_ok=True)
    kernel.make("modules", name, config, "modules")
    if of_kernel:
        files.write(stamp, of_kernel)


def _sources():
    """Of all modules: they share headers."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
