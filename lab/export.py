"""build/linux to kernel/: the patches, the series and the files that Linux does not have.

What is written depends on the commits and on nothing else: no ids, no numbers, no
signature, no version or configuration of git.
"""

import shutil

from lab import files, patches, tree
from lab.errors import LabError
from lab.git import git
from lab.paths import KERNEL, shown
from lab.progress import say

# Each option undoes one that the user may have set in build/linux.
FORMAT = ["-c", "diff.algorithm=myers", "-c", "diff.indentHeuristic=true",
          "-c", "diff.interHunkContext=0", "-c", "diff.suppressBlankEmpty=false",
          "-c", "format.forceInBodyFrom=false",
          "-c", "core.quotePath=true", "-c", "diff.statGraphWidth=0",
          "format-patch", "-1", "--stdout", "--subject-prefix=PATCH", "--no-numbered",
          "--zero-commit", "--no-signature", "--no-signoff", "--no-from", "--no-to",
          "--no-cc", "--no-base", "--no-thread", "--no-attach", "--no-notes",
          "--no-add-header", "--encode-email-headers", "--full-index", "--no-renames", "--no-color",
          "--no-ext-diff", "--no-textconv", "--stat=72", "--summary", "--unified=3",
          "--src-prefix=a/", "--dst-prefix=b/", "-O/dev/null"]


def export():
    """Write kernel/series, kernel/patches and kernel/tree from the commits."""
    base = _base()
    if any((tree.LINUX / ".git" / name).exists() for name in ("rebase-merge", "rebase-apply")):
        raise LabError("build/linux is in the middle of a rebase")
    if tree.dirty(tree.LINUX):
        say("warning: changes in build/linux that are not committed are not exported")
    wanted = render(base.commit)
    for path, data in wanted.items():
        if path.name != "series":
            files.write(path, data)
    files.write(patches.SERIES, wanted[patches.SERIES])
    for path in on_disk() - wanted.keys():
        path.unlink()
    _remove_empty(KERNEL / "tree")
    tree.mark_exported(base)
    return wanted


def differences():
    """What an export would change: one line each; none after a round trip."""
    wanted, there = render(_base().commit), on_disk()
    lines = [f"{shown(path)} is not in the series" for path in there - wanted.keys()]
    for path, data in wanted.items():
        if path not in there:
            lines.append(f"{shown(path)} is missing")
        elif path.read_bytes() != data:
            lines.append(f"{shown(path)} differs from what ./run export writes")
    return sorted(lines)


def render(base):
    """{path: content} of all that export writes, for the commits on `base`."""
    if git(tree.LINUX, "rev-list", "--merges", f"{base}..HEAD"):
        raise LabError("build/linux has a merge commit: a series is a line of commits")
    commits = git(tree.LINUX, "rev-list", "--reverse", f"{base}..HEAD").split()
    written, names = {}, []
    for commit in commits:
        name, patch = _patch(commit)
        if name in names:
            raise LabError(f"two commits have the same subject: {name}")
        names.append(name)
        written[patches.PATCHES / name] = patch.encode(errors="surrogateescape")
    written[patches.SERIES] = _series(names).encode()
    for path in git(tree.LINUX, "diff", "--diff-filter=A", "--no-renames", "--name-only",
                    base, "HEAD").splitlines():
        data = git(tree.LINUX, "show", f"HEAD:{path}", strip=False)
        written[KERNEL / "tree" / path] = data.encode(errors="surrogateescape")
    return written


def on_disk():
    """What is in kernel/ of that kind now."""
    there = {path for folder in ("patches", "tree") for path in (KERNEL / folder).rglob("*")
             if path.is_file()}
    return there | ({patches.SERIES} if patches.SERIES.exists() else set())


def _base():
    base = tree.base()
    if git(tree.LINUX, "merge-base", base.commit, "HEAD") != base.commit:
        raise LabError("build/linux is not on its base any more")
    return base


def _patch(commit):
    subject = git(tree.LINUX, "show", "-s", "--format=%f", commit)
    patch = git(tree.LINUX, *FORMAT, commit, strip=False)
    if "\ndiff --git " not in patch:
        raise LabError(f"the commit {subject} changes nothing")
    return f"{subject}.patch", patch


def _series(names):
    """The names under their headings: a new patch goes where the one before it is."""
    before = patches.series()
    headings = dict(before)
    lines, shown_heading = [], None
    heading = before[0][1] if before else None
    for name in names:
        heading = headings.get(name, heading)
        if heading != shown_heading:
            lines += ["", f"# {heading}"] if lines else [f"# {heading}"]
            shown_heading = heading
        lines.append(name)
    return "".join(f"{line}\n" for line in lines)


def _remove_empty(directory):
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    if directory.is_dir() and not any(directory.iterdir()):
        shutil.rmtree(directory)
