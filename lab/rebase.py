"""
The series on another version of Linux. Each patch is merged by itself, as git cherry-pick does, without
a work tree; only where all of them merge is anything written: build/rebase/VERSION, with the commits
as branch lab, and as patches.
"""

import re
import shutil

from lab import apt, source, tree
from lab.errors import LabError
from lab.files import write
from lab.git import git, resolve
from lab.paths import BUILD, shown
from lab.progress import say

SUITES = ("trixie-backports", "forky", "sid", "experimental")
HOME = BUILD / "rebase"


def rebase(version):
    """Move the series; return the exit code: 0, or 1 where a patch conflicts."""
    tree.make("linux")
    if not tree.exported():
        raise LabError("build/linux has work that is not exported: ./run export first")
    target = source.any_version(_archive(version))
    base = tree.base()
    commits = tree.commits()
    if target.commit == base.commit:
        say(f"{target.version} is what the series is made on: nothing to move")
        return 0
    git(tree.LINUX, "fetch", "--quiet", source.REPOSITORY, target.commit)
    lacking = _lacking(base.commit, target.commit)
    for path in lacking:
        say(f"Linux {target.version} has no {path}, which the series changes")
    moved, conflicts, bent = _move(commits, target.commit)
    folder = HOME / f"{target.version}-conflicts"
    shutil.rmtree(folder, ignore_errors=True)
    for name, paths, what in conflicts:
        say(f"conflict: {name}: {', '.join(paths)}")
        write(folder / f"{name}.diff", what)
    say(f"Linux {target.version}: {len(commits) - len(conflicts)} of {len(commits)} patches merge, "
        f"{len(bent)} of them with another context; {len(conflicts)} conflict")
    if conflicts:
        say(f"nothing was moved; what conflicts is in {shown(folder)}, and the patches that follow were "
            f"tried without those")
        return 1
    say(f"{shown(_checkout(target, moved))}: branch lab, and beside it the patches")
    return 0


def _archive(version):
    """A tarball or git tree that the user names, or the newest package of that version."""
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", version):
        return version
    package = "linux-source-" + ".".join(version.split(".")[:2])
    found = [(full, suite) for full, suite in apt.suites_with(package, SUITES)
             if re.match(rf"{re.escape(version)}(?!\d)", full) and "~rc" not in full]
    if not found:
        raise LabError(f"no Debian suite of {', '.join(SUITES)} has {package} with Linux {version}")
    full, suite = found[0]
    path = apt.DEBS / f"{package}_{full.replace(':', '%3a')}_all.deb"
    if not path.exists():
        path, _ = apt.download(package, full, suite, apt.DEBS)
    say(f"Linux {version}: {package} {full} of {suite}")
    return path


def _lacking(base, target):
    """What the series changes, the base has, and the other version has not."""
    touched = git(tree.LINUX, "diff", "--name-only", "--no-renames", base, "HEAD").split()
    return [path for path in touched if resolve(tree.LINUX, f"{base}:{path}")
            and not resolve(tree.LINUX, f"{target}:{path}")]


def _move(commits, head):
    """(the last new commit, [(patch, files, the conflict)], the patches that changed on the way)"""
    conflicts, bent = [], []
    for commit in commits:
        name = git(tree.LINUX, "show", "-s", "--format=%f", commit)
        # A commit with the content of now whose parent is the patch's: so the merge base is that.
        ours = git(tree.LINUX, "commit-tree", f"{head}^{{tree}}", "-p", f"{commit}^", data=b"x",
                   env=_who(commit))
        merged, problems = _merge(ours, commit)
        if problems:
            difference = git(tree.LINUX, "diff", f"{head}^{{tree}}", merged, "--", *problems,
                             strip=False)
            conflicts.append((name, problems, difference))
            continue
        if merged == git(tree.LINUX, "rev-parse", f"{head}^{{tree}}"):
            say(f"nothing is left of {name}: the other version has it")
            continue
        message = git(tree.LINUX, "show", "-s", "--format=%B", commit).encode(errors="surrogateescape")
        new = git(tree.LINUX, "commit-tree", merged, "-p", head, data=message + b"\n", env=_who(commit))
        if _change(new) != _change(commit):
            bent.append(name)
        head = new
    return head, conflicts, bent


def _who(commit):
    fields = git(tree.LINUX, "show", "-s", "--format=%an%n%ae%n%ad", "--date=raw", commit).splitlines()
    return {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
            for what, value in zip(("NAME", "EMAIL", "DATE"), fields)}


def _merge(ours, theirs):
    """(the merged tree, the files that conflict)"""
    merged, *problems = git(tree.LINUX, "merge-tree", "--write-tree", "--name-only", "--no-messages",
                            ours, theirs, codes=(0, 1)).splitlines()
    return merged, list(dict.fromkeys(problems))


def _change(commit):
    """The lines of a patch with their context, and not where they are."""
    patch = git(tree.LINUX, "diff", "--no-renames", f"{commit}^", commit)
    return [line for line in patch.splitlines() if not line.startswith(("@@", "index "))]


def _checkout(target, head):
    """A work tree on the new commits, and the patches; there whole or not at all."""
    path, temporary = HOME / target.version, HOME / f".{target.version}"
    for left in (temporary, path):
        shutil.rmtree(left, ignore_errors=True)
    git(tree.LINUX, "update-ref", f"refs/lab/rebased/{target.version}", head)
    HOME.mkdir(parents=True, exist_ok=True)
    git(BUILD, "clone", "--quiet", "--shared", "--no-checkout", tree.LINUX, temporary / "linux")
    git(temporary / "linux", "fetch", "--quiet", "origin", head)
    git(temporary / "linux", "remote", "remove", "origin")
    git(temporary / "linux", "checkout", "--quiet", "-B", "lab", head)
    git(temporary / "linux", "format-patch", "--quiet", "--no-signature", "--zero-commit",
        "--output-directory", temporary / "patches", f"{target.commit}..lab")
    temporary.rename(path)
    return path / "linux"
