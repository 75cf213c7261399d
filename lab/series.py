"""
The series as mails: a folder and a mailbox for each sub-series of kernel/series, with a cover letter
(kernel/cover), recipients by the kernel's get_maintainer.pl, and each one on top of the one before. Of a
sub-series that has a folder there, with a letter for each tree that takes some of its patches, one for each.
"""

import dataclasses
import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from email.utils import formataddr, parseaddr
from pathlib import Path

from lab import patches, source, touched, tree, upstream
from lab.errors import LabError
from lab.git import git
from lab.paths import BUILD, KERNEL, ROOT, shown
from lab.progress import say

COVERS = KERNEL / "cover"
BENCH = ROOT / "docs/results/bench.json"
MAILS = BUILD / "series"


@dataclasses.dataclass(frozen=True)
class Part:
    """What is mailed at once."""
    name: str
    number: int             # of the sub-series
    commits: list
    before: list            # what it applies on top of
    letter: Path


def series(only=None, sender=None):
    """
    Write build/series, of one sub-series, of one part of it or all: whole, or not at all. `sender`: a person
    ("Name <address>") who sends the mails and signs off. Return the mailboxes in order.
    """
    if sender and not re.fullmatch(r"[^<>]*\S <\S+@\S+>", sender):
        raise LabError(f"{sender} is not of the form Name <address>")
    tree.make("linux")
    if not tree.exported():
        raise LabError("build/linux has work that is not exported: ./run export first")
    found = parts()
    chosen = [part for part in found if only in (None, part.name, _subseries(part))]
    if not chosen:
        raise LabError(f"no sub-series is called {only}: {', '.join(part.name for part in found)}")
    temporary = MAILS.with_name(".series")
    shutil.rmtree(temporary, ignore_errors=True)
    for part in chosen:
        _write(temporary / f"{part.number}-{part.name}", part, sender)
    shutil.rmtree(MAILS, ignore_errors=True)
    temporary.rename(MAILS)
    boxes = [MAILS / f"{part.number}-{part.name}.mbox" for part in chosen]
    for box in boxes:
        say(f"{shown(box)}: {len(list(box.with_suffix('').iterdir())) - 1} patches and a cover letter")
    return boxes


def parts():
    """All that is mailed, in order."""
    found, before = [], []
    for number, (name, entries) in enumerate(_sub_series().items(), 1):
        commits = [commit for _, commit in entries]
        if (COVERS / name).is_dir():
            found += [Part(f"{name}-{letter.name}", number, mine, before[:] if _onto_series(letter) else [], letter)
                      for letter, mine in groups(name).items()]
        else:
            found.append(Part(name, number, commits, before[:], COVERS / name))
        before.append(name)
    return found


def groups(name):
    """
    {letter: commits} of a sub-series whose patches go into several trees: those that touch one of the files,
    or folders, that the letter names, without the others, on the base; or on the sub-series before, if the
    letter says so.
    """
    entries = _sub_series()[name]
    files = {patch: touched.files(by=commit) for patch, commit in entries}
    found = {letter: _belonging(letter, files) for letter in sorted((COVERS / name).iterdir())}
    taken = [patch for mine in found.values() for patch in mine]
    for patch in files:
        if taken.count(patch) != 1:
            raise LabError(f"{patch} belongs to {taken.count(patch)} of the letters in {shown(COVERS / name)}, "
                           f"by the files that they name")
    base = tree.base()
    before = dataclasses.replace(base, commit=git(tree.LINUX, "rev-parse", f"{entries[0][1]}^"))
    return {letter: _alone(before if _onto_series(letter) else base, mine) for letter, mine in found.items()}


def alone():
    """{part: its last commit} of the parts of sub-series that need nothing before."""
    return {part.name: part.commits[-1] for part in parts() if not part.before and part.name != _subseries(part)}


def _alone(base, names):
    return tree.commits(patches.apply_alone(tree.LINUX, base, names), base.commit)


def _onto_series(letter):
    onto = _fields(letter)[0].get("Onto", "base")
    if onto not in ("base", "series"):
        raise LabError(f"{shown(letter)}: Onto: is base, which it need not say, or series")
    return onto == "series"


def _belonging(letter, patched):
    """Of {patch: files}, those patches that touch what the letter names; each thing has to be touched."""
    found = set()
    for path in _fields(letter)[0]["Files"].split():
        touching = {patch for patch, files in patched.items()
                    if any(file == path or file.startswith(f"{path}/") for file in files)}
        if not touching:
            raise LabError(f"{shown(letter)}: no patch of the sub-series touches {path}")
        found |= touching
    return [patch for patch in patched if patch in found]


def _sub_series():
    """{name: its [(patch, commit in build/linux)]}, in order."""
    found = {}
    for (patch, heading), commit in zip(patches.series(), tree.commits(), strict=True):
        found.setdefault(re.sub(r"\W+", "-", (heading or "series").lower()), []).append((patch, commit))
    if not found:
        raise LabError("kernel/series has no patch")
    return found


def _subseries(part):
    """The name of the one that it is a part of."""
    return part.letter.relative_to(COVERS).parts[0]


def _write(folder, part, sender):
    """The mails of one part, and beside the folder the mailbox of them all."""
    commits = part.commits
    fields, text = _cover(part)
    version, subject = int(fields["Version"]), fields["Subject"]
    folder.mkdir(parents=True)
    author = git(tree.LINUX, "show", "-s", "--format=%an <%ae>", commits[-1])
    who, address = parseaddr(sender or author)
    git(tree.LINUX, "-c", "diff.algorithm=myers", "-c", f"user.name={who}",
        "-c", f"user.email={address}",
        "format-patch", "--quiet", "--cover-letter", "--cover-from-description=none",
        "--thread=shallow", "--numbered", "--no-renames", "--no-base", "--no-signature",
        *(["--signoff", f"--from={sender}"] if sender else ["--no-signoff", "--no-from"]), "--no-to", "--no-cc", "--no-attach", "--no-notes",
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

def _cover(part):
    """(fields, text) of the letter; {{...}} in the text is something that is looked up."""
    fields, text = _fields(part.letter)
    known = {"base": lambda _: _base(part.before), "bench": _measured}

    def fill(match):
        if match[1] not in known:
            raise LabError(f"{shown(part.letter)}: {match[0]}: there are {', '.join(known)}")
        return known[match[1]](match[2].strip())

    text = re.sub(r"\{\{(\w+)([^}]*)\}\}", fill, text)
    return fields, text.strip()


def _fields(path):
    """
    (fields, text) from kernel/cover: Version, Subject and, if it is not PATCH, Prefix. A letter that is one
    of several has Files, and may have Onto.
    """
    if not path.is_file():
        raise LabError(f"the sub-series {path.name} has no cover letter {shown(path)}")
    letter = path.read_text()
    head, _, text = letter.partition("\n\n")
    fields = dict(re.findall(r"^(\w+): (.*)$", head, re.M))
    wanted = ["Subject", "Version"] + ["Files"] * (path.parent != COVERS)
    if not fields.get("Version", "").isdigit() or not fields.keys() >= set(wanted) or not text.strip():
        raise LabError(f"{shown(path)}: it starts with {' and '.join(f'{field}:' for field in wanted)}, "
                       f"then an empty line and the text")
    if not letter.isascii():
        raise LabError(f"{shown(path)}: only ASCII gets through every mailer")
    return fields, text


def _base(before):
    """What the sub-series applies to."""
    pin = source.pin()
    after = f", after the sub-series {', '.join(before)}" if before else ""
    return upstream.paragraph(f"Applies to Linux {pin['version']}{after}. {upstream.statement(pin)}")


def _measured(pattern):
    """Rows of ./run bench whose flow starts so."""
    flows = [flow for flow in json.loads(BENCH.read_text())["flows"]
             if flow["name"].startswith(pattern)]
    if not flows:
        raise LabError(f"no flow of {shown(BENCH)} starts with {pattern}")
    return "\n".join(f"  {flow['name']:60} {flow['stock']:>11,} {flow['ours']:>11,} "
                     f"{flow['ratio']:.2f}" for flow in flows)
