"""
The series as mails: a folder and a mailbox for each sub-series of kernel/series, with a cover letter
(kernel/cover), recipients by the kernel's get_maintainer.pl, and each one on top of the one before.
"""

import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from email.utils import formataddr, parseaddr

from lab import patches, source, touched, tree, upstream
from lab.errors import LabError
from lab.git import git
from lab.paths import BUILD, KERNEL, ROOT, shown
from lab.progress import say

COVERS = KERNEL / "cover"
BENCH = ROOT / "docs/results/bench.json"
MAILS = BUILD / "series"


def series(only=None):
    """Write build/series, of one sub-series or all: whole, or not at all. Return the mailboxes in order."""
    tree.make("linux")
    if not tree.exported():
        raise LabError("build/linux has work that is not exported: ./run export first")
    parts = sub_series()
    if only and only not in parts:
        raise LabError(f"no sub-series is called {only}: {', '.join(parts)}")
    temporary = MAILS.with_name(".series")
    shutil.rmtree(temporary, ignore_errors=True)
    names = []
    for number, (name, commits) in enumerate(parts.items(), 1):
        if only in (None, name):
            names.append(f"{number}-{name}")
            _write(temporary / names[-1], name, commits, list(parts)[:number - 1])
    shutil.rmtree(MAILS, ignore_errors=True)
    temporary.rename(MAILS)
    for name in names:
        count = len(list((MAILS / name).iterdir())) - 1
        say(f"{shown(MAILS / name)}.mbox: {count} patches and a cover letter")
    return [MAILS / f"{name}.mbox" for name in names]


def sub_series():
    """{name: its commits in build/linux}, in order."""
    parts = {}
    for (_, heading), commit in zip(patches.series(), tree.commits(), strict=True):
        parts.setdefault(_folder(heading), []).append(commit)
    if not parts:
        raise LabError("kernel/series has no patch")
    return parts


def _folder(heading):
    """What the mails of a sub-series are called."""
    return re.sub(r"\W+", "-", (heading or "series").lower())


def _write(folder, name, commits, before):
    """The mails of one sub-series, and beside the folder the mailbox of them all."""
    fields, text = _cover(name, commits, before)
    version, subject = int(fields["Version"]), fields["Subject"]
    folder.mkdir(parents=True)
    who, address = git(tree.LINUX, "show", "-s", "--format=%an%n%ae", commits[-1]).splitlines()
    git(tree.LINUX, "-c", "diff.algorithm=myers", "-c", f"user.name={who}",
        "-c", f"user.email={address}",
        "format-patch", "--quiet", "--cover-letter", "--cover-from-description=none",
        "--thread=shallow", "--numbered", "--no-renames", "--no-base", "--no-signature",
        "--no-signoff", "--no-from", "--no-to", "--no-cc", "--no-attach", "--no-notes",
        "--no-add-header", "--encode-email-headers", "--stat=72", "--src-prefix=a/",
        "--dst-prefix=b/", "-O/dev/null", f"--subject-prefix={fields.get('Prefix', 'PATCH')}",
        *([f"--reroll-count={version}"] if version > 1 else []),
        "--output-directory", folder, f"{commits[0]}^..{commits[-1]}")
    cover, *mails = sorted(folder.iterdir())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        people = list(pool.map(_recipients, mails))
    for mail, (to, cc) in zip(mails, people):
        _address(mail, to, cc)
    letter = cover.read_text()
    for mark, said in (("*** SUBJECT HERE ***", subject), ("*** BLURB HERE ***", text)):
        if letter.count(mark) != 1:
            raise LabError(f"git format-patch left no {mark} in the cover letter")
        letter = letter.replace(mark, said)
    cover.write_text(letter)
    to = _once(address for addresses, _ in people for address in addresses)
    _address(cover, to, _once(address for _, addresses in people for address in addresses
                              if address not in to))
    box = b"".join(path.read_bytes() for path in (cover, *mails))
    folder.with_name(f"{folder.name}.mbox").write_bytes(box)


def _once(items):
    return list(dict.fromkeys(items))


def _recipients(mail):
    """(To, Cc) of a patch: who maintains what it touches, and the lists and reviewers."""
    result = subprocess.run(["perl", "scripts/get_maintainer.pl", "--no-git", "--no-git-fallback",
                             "--no-fixes", "--roles", "--no-rolestats", mail], cwd=tree.LINUX,
                            capture_output=True, text=True)
    found = [re.match(r"(.*\S@\S+) \((\w+)", line) for line in result.stdout.splitlines()]
    if result.returncode or not all(found) or not found:
        why = result.stderr.strip() or result.stdout.strip() or "nobody maintains that"
        raise LabError(f"get_maintainer.pl, about {mail.name}: {why.splitlines()[0]}")
    to = _once(match[1] for match in found if match[2] in ("maintainer", "supporter"))
    return to, _once(match[1] for match in found if match[1] not in to)


def _address(mail, to, cc):
    """Add the header fields, after the ones that are there."""
    head, body = mail.read_text(errors="surrogateescape").split("\n\n", 1)
    head = re.sub(r"\n(?=\s)", "", head)        # b4 0.12 dies of a From that is folded
    for field, addresses in (("To", to), ("Cc", cc)):
        if addresses:
            head += f"\n{field}: " + ",\n ".join(formataddr(parseaddr(each)) for each in addresses)
    mail.write_text(f"{head}\n\n{body}", errors="surrogateescape")


# The letter

def _cover(name, commits, before):
    """
    (fields, text) from kernel/cover: Version, Subject and, if it is not PATCH, Prefix; {{...}} in the
    text is something that is looked up.
    """
    path, letter = _letter(name)
    head, _, text = letter.partition("\n\n")
    fields = dict(re.findall(r"^(\w+): (.*)$", head, re.M))
    if not fields.get("Version", "").isdigit() or "Subject" not in fields or not text.strip():
        raise LabError(f"{shown(path)}: it starts with Subject: and Version:, then an empty line "
                       f"and the text")
    if not letter.isascii():
        raise LabError(f"{shown(path)}: only ASCII gets through every mailer")
    known = {"base": lambda _: _base(before), "bench": _measured,
             "numbers": lambda paths: _numbers(paths.split(), commits)}

    def fill(match):
        if match[1] not in known:
            raise LabError(f"{shown(path)}: {match[0]}: there are {', '.join(known)}")
        return known[match[1]](match[2].strip())

    text = re.sub(r"\{\{(\w+)([^}]*)\}\}", fill, text)
    return fields, text.strip()


def _letter(name):
    """(its path, its text)"""
    path = COVERS / name
    if not path.is_file():
        raise LabError(f"the sub-series {name} has no cover letter {shown(path)}")
    return path, path.read_text()


def groups(name):
    """{group: its patches} of a sub-series whose letter says which go where: a line with {{numbers ...}} each."""
    commits = sub_series()[name]
    names = [patch for patch, heading in patches.series() if _folder(heading) == name]
    return {group: [names[number - 1] for number in _touching(paths.split(), commits)]
            for group, paths in re.findall(r"^ +(\S.*?) +\{\{numbers ([^}]*)\}\}$", _letter(name)[1], re.M)}


def _base(before):
    """What the sub-series applies to."""
    pin = source.pin()
    after = f", after the sub-series {', '.join(before)}" if before else ""
    return upstream.paragraph(f"Applies to Linux {pin['version']}{after}. {upstream.statement(pin)}")


def _touching(paths, commits):
    """The numbers of the patches that touch files under one of the paths, in order."""
    found = set()
    for path in paths:
        touching = {number for number, commit in enumerate(commits, 1) if touched.files(path, by=commit)}
        if not touching:
            raise LabError(f"{{{{numbers ...}}}} of a cover letter: no patch of the sub-series touches {path}")
        found |= touching
    return sorted(found)


def _numbers(paths, commits):
    """The same as text: 1, 3-5."""
    runs = []
    for number in _touching(paths, commits):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}-{last}" if first < last else f"{first}" for first, last in runs)


def _measured(pattern):
    """Rows of ./run bench whose flow starts so."""
    flows = [flow for flow in json.loads(BENCH.read_text())["flows"]
             if flow["name"].startswith(pattern)]
    if not flows:
        raise LabError(f"no flow of {shown(BENCH)} starts with {pattern}")
    return "\n".join(f"  {flow['name']:60} {flow['stock']:>11,} {flow['ours']:>11,} "
                     f"{flow['ratio']:.2f}" for flow in flows)
