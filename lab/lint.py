"""Everything that can be said about the sources without booting them."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from lab import checkpatch, cocci, docs, export, host, kernel, patches, sparse, touched, tree
from lab.errors import LabError
from lab.git import GitError, git
from lab.paths import GUEST, KERNEL, OFFMAP, ROOT, TESTS, shown
from lab.progress import say

EXCEPTIONS = KERNEL / "checkpatch-exceptions"


def lint(full=False):
    """
    Run the checks, each to its end; return the exit code. What takes minutes is only run with `full`.
    """
    host.need_tools("mandoc", "perl", "shellcheck")
    tree.make("linux")
    checks = [patches_checked, exported, mutations_apply, symbols_known, python, shell, man_pages,
              coccinelle]
    if full:
        checks += [documents, warnings, rules_of_the_kernel]
    found = 0
    # Nearly all of the time goes to other programs: one beside the other.
    pool = ThreadPoolExecutor()
    for check, lines in zip(checks, pool.map(lambda check: list(check()), checks)):
        say(f"lint: {check.__doc__}: {f'{len(lines)} findings' if lines else 'ok'}")
        for line in lines:
            print(line)
        found += len(lines)
    return int(bool(found))


def patches_checked():
    """checkpatch --strict over the series, the guest's programs, offmap and the test modules"""
    series = [patches.PATCHES / name for name, _ in patches.series()]
    programs = sorted([*GUEST.glob("*.[ch]"), *OFFMAP.rglob("*.[ch]"),
                       *(TESTS / "modules").glob("*.[ch]")])
    allowed, used = _exceptions(), set()
    for path, line, kind, what in [*checkpatch.findings(_output, series),
                                   *checkpatch.findings(_output, programs, "-f")]:
        keys = {(name, kind) for name in (path.name, "*.patch" if path in series else "*.c")} & allowed
        used |= keys
        if not keys:
            yield f"{shown(path)}:{line}: {kind}: {what}"
    for name, kind in sorted(allowed - used):
        yield f"{shown(EXCEPTIONS)}: {name} {kind} is not needed"


def _exceptions():
    """Lines of "FILE TYPE reason"; FILE may be *.patch or *.c."""
    lines = EXCEPTIONS.read_text().splitlines() if EXCEPTIONS.exists() else []
    return {tuple(line.split(maxsplit=2)[:2]) for line in lines
            if line and not line.startswith("#")}


def exported():
    """kernel/ is what ./run export would write"""
    return export.differences()


def mutations_apply():
    """every mutation applies to the series"""
    for path in sorted((TESTS / "mutations").glob("*.patch")):
        try:
            git(tree.LINUX, "apply", "--check", path)
        except GitError as error:
            yield f"{shown(path)}: {error}"


def symbols_known():
    """every symbol in kernel/configs exists"""
    known = kernel.known("linux")
    for path in sorted((KERNEL / "configs").iterdir()):
        for symbol in kernel.symbols(path.read_text()):
            if symbol not in known:
                yield f"{shown(path)}: the kernel has no {symbol}"


def python():
    """Python: compiles, and pyflakes"""
    sources = [path for folder in ("lab", "tests", "bench")
               for path in sorted((ROOT / folder).rglob("*.py"))]
    for path in sources:
        try:
            compile(path.read_bytes(), path, "exec")
        except SyntaxError as error:
            yield f"{shown(path)}:{error.lineno}: {error.msg}"
    yield from _output([sys.executable, "-P", "-m", "pyflakes", *sources]
                       ).replace(f"{ROOT}/", "").splitlines()


def shell():
    """shell: shellcheck"""
    scripts = [ROOT / "run", ROOT / ".ci/run", GUEST / "init"]
    yield from _output(["shellcheck", "--format=gcc", *scripts]
                       ).replace(f"{ROOT}/", "").splitlines()


def man_pages():
    """manual pages: mandoc"""
    yield from _output(["mandoc", "-T", "lint", "-W", "warning", *sorted(OFFMAP.glob("*.8"))]
                       ).replace(f"{ROOT}/", "").splitlines()


def coccinelle():
    """the rule of the series: nobody goes around the offline page interface"""
    for path, line, what in cocci.findings(cocci.candidates("linux"), tree.LINUX):
        yield f"{path}:{line}: {what}"


def documents():
    """Sphinx and kernel-doc over the documents and comments that the series touches"""
    for path, line, message in docs.findings():
        yield f"{path}:{line or ''}: {message}"


def warnings():
    """sparse, and gcc with W=1, over the files that the series touches"""
    found, left = sparse.findings()
    for path, line, message in found:
        yield f"{path}:{line}: {message}"
    for path in left:
        yield f"{path}: none of the configurations compiles it"


def rules_of_the_kernel():
    """the kernel's own Coccinelle rules, over the functions that the series touches"""
    lines_of = touched.functions("*.c", "*.h")
    for path, line, what in cocci.findings_of_the_kernel(sorted(lines_of)):
        if any(line in lines for lines in lines_of.get(path, ())):
            yield f"{path}:{line}: {what}"


def _output(command, cwd=None):
    """What a checker prints; it exits with 1 when it has found something."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True,
                            errors="replace")
    if result.returncode > 1 or (result.returncode and not result.stdout):
        raise LabError(f"{command[0]} failed: {result.stderr.strip().splitlines()[-1:]}")
    return result.stdout
