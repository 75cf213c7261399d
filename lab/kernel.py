"""Configure and build a kernel: a tree, and a list of kconfig fragments."""

import hashlib
import os
import re
import subprocess

from lab import arch, files, host, tree
from lab.errors import LabError
from lab.git import git
from lab.paths import BUILD, CACHE, KERNEL, LOGS, shown
from lab.progress import Progress

CONFIGS = KERNEL / "configs"

# Nothing of this machine or this minute goes into the kernel, so that ccache
# finds what any checkout has compiled.
MAKE = ["make", f"-j{os.cpu_count()}", "HOSTCC=ccache gcc", "LOCALVERSION=",
        "KBUILD_BUILD_TIMESTAMP=1 January 1970", "KBUILD_BUILD_USER=lab", "KBUILD_BUILD_HOST=lab"]


def build(name, config):
    """Build what changed of tree `name` ("linux" or "stock"); return its image."""
    config_text, machine = fragments(config), arch_of(config)
    host.need_tools("gcc", f"{machine.prefix}gcc", f"{machine.prefix}ld", "make", "flex", "bison",
                    "bc", "perl", "ccache")
    path = tree.make(name)
    objects = objects_of(name, config)
    image = objects / machine.image
    stamp = f"{_state(path, machine)} {config_text}" if not tree.dirty(path) else None
    with files.locked(objects / ".lock"):
        if stamp and stamp == built(objects) and image.exists():
            return image
        (objects / "lab-built").unlink(missing_ok=True)
        files.need_space(objects, 2)
        configure(name, config)
        make("build", name, config, image.name)
        if stamp:
            files.write(objects / "lab-built", stamp)
    return image


def objects_of(name, config):
    """Where the objects of a build are.

    In the tree itself, because then kbuild names the sources "../mm/..." and not by
    an absolute path: so ccache can use for one tree, and for another checkout, what
    it has compiled for the other. build/kernels/ has a link to each.
    """
    objects = BUILD / name / f"obj-{config}"
    objects.mkdir(parents=True, exist_ok=True)
    link = BUILD / "kernels" / f"{name}-{config}"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(objects, link.parent))
    return objects


def fragments(config):
    """The text of a fragment, after that of those it is based on ("# base: guest"), each once."""
    texts = {}
    _collect(config, texts)
    return "".join(texts.values())


def _collect(config, texts):
    path = CONFIGS / config
    if not path.is_file():
        known = ", ".join(sorted(file.name for file in CONFIGS.iterdir()))
        raise LabError(f"no config is called {config}; there are: {known}")
    text = path.read_text()
    for line in re.findall(r"^# base: (.*)$", text, re.M):
        for base in line.split():
            _collect(base, texts)
    texts.setdefault(config, text)


def arch_of(config):
    """The architecture that a fragment is for ("# arch: arm64"), x86 if it does not say."""
    name = re.search(r"^# arch: (.*)$", fragments(config), re.M)
    return arch.get(name[1]) if name else arch.X86


def symbols(text):
    """{symbol: its line}, the last line winning, from fragments or a .config."""
    pattern = r"^(?:# )?(CONFIG_\w+)(?:=.*| is not set)$"
    return {match[1]: match[0] for match in re.finditer(pattern, text, re.M)}


def known(name):
    """All symbols that the Kconfig of this tree has."""
    lines = git(BUILD / name, "grep", "-hE", r"^\s*(menu)?config \w+$", "--", "*Kconfig*")
    return {f"CONFIG_{line.split()[-1]}" for line in lines.splitlines()}


def configure(name, config, more=""):
    """allnoconfig, the fragments and `more` of their kind; every line of them has to survive.

    A symbol that the tree does not have is another matter: those that the series
    adds are not in stock, nor in a series that is half written.
    """
    objects = objects_of(name, config)
    wanted = symbols(fragments(config) + more)
    text = "\n".join(wanted.values()) + "\n"
    kconfig = _kconfig(BUILD / name, arch_of(config))
    if kconfig and read(objects / "lab-configured") == _configured(objects, text, kconfig):
        return
    files.write(objects / "lab.config", text)
    make("configure", name, config, "allnoconfig", "KCONFIG_ALLCONFIG=lab.config")
    got = symbols((objects / ".config").read_text())
    lost = [symbol for symbol, line in wanted.items()
            if got.get(symbol, f"# {symbol} is not set") != line]
    if lost:
        lost = sorted(known(name).intersection(lost))
    if lost:
        symbol = lost[0]
        raise LabError(f"config {config}: {wanted[symbol]} did not survive, {name} has "
                       f"{got.get(symbol, 'it invisible (a dependency is missing)')}")
    if kconfig:
        files.write(objects / "lab-configured", _configured(objects, text, kconfig))


def _kconfig(path, machine):
    """What a configuration depends on beside the fragments; None if it is being worked on."""
    if git(path, "diff", "HEAD", "--name-only", "--", "*Kconfig*"):
        return None
    return git(path, "ls-files", "--stage", "--", "*Kconfig*") + _compiler(machine)


def _configured(objects, *made_from):
    """A digest of a configuration and what it was made from."""
    parts = [*made_from, read(objects / ".config") or ""]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def make(step, name, config, *targets):
    """Run make in a tree; the log goes to build/logs, to the user only progress."""
    label = f"{step} {name}-{config}"
    log = LOGS / f"{step}-{name}-{config}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    progress, count = Progress(label), 0
    env = os.environ | {"CCACHE_DIR": str(CACHE / "ccache"), "CCACHE_MAXSIZE": "6G",
                        "LC_ALL": "C"}
    with open(log, "w") as file, subprocess.Popen(
            [*MAKE, *arch_of(config).make, "-C", BUILD / name, f"O=obj-{config}", *targets],
            env=env, text=True, errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT) as process:
        try:
            for line in process.stdout:
                file.write(line)
                if re.match(r"  [A-Z]+ ", line):
                    count += 1
                    progress.tick(f"{count} steps, {line.split()[-1]}")
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise LabError(f"{label}: {_first_error(log)}; log {shown(log)}")
    if count > 20:
        progress.done(f"done, {count} steps")
    return log


def _first_error(log):
    lines = log.read_text(errors="replace").splitlines()
    for pattern in (r"(?i)no space left", r"(?i)\berror:", r"\*\*\*|not found|Error \d"):
        for line in lines:
            if re.search(pattern, line):
                return line.strip()
    return "make failed"


def _state(path, machine):
    return f"{git(path, 'rev-parse', 'HEAD^{tree}')} {_compiler(machine)}\n"


def _compiler(machine):
    return subprocess.run([f"{machine.prefix}gcc", "--version"], capture_output=True,
                          text=True).stdout.splitlines()[0]


def built(objects):
    """What the kernel was built from, or None where the tree had changes in it."""
    return read(objects / "lab-built")


def read(path):
    return path.read_text() if path.exists() else None
