"""Git, undisturbed by the user's own configuration."""

import os
import subprocess

from lab import host
from lab.errors import LabError

ENV = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
       "GIT_TERMINAL_PROMPT": "0"}


class GitError(LabError):
    """Git said no; the message is the first line that it printed."""


def git(repository, *arguments, data=None, env=None, strip=True, codes=(0,)):
    """Run git in a repository and return what it prints; other exit codes than `codes` are errors."""
    host.need_tools("git")
    result = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", repository, *arguments],
        input=data, env=os.environ | ENV | (env or {}), capture_output=True)
    if result.returncode not in codes:
        lines = result.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(f"git {arguments[0]}: {(lines or ['failed'])[0]}")
    output = result.stdout.decode(errors="surrogateescape")
    return output.strip() if strip else output


def resolve(repository, revision):
    """The object id of a revision, or None."""
    try:
        return git(repository, "rev-parse", "--verify", "--quiet", revision)
    except GitError:
        return None
