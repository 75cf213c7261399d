"""The series as mails: what comes out of the mailboxes is what went in, and it goes to the right people."""

import mailbox
import re
import shutil
import subprocess
import tarfile
from email.utils import getaddresses

import pytest
from conftest import ROOT
from lab import patches, series, source, tree, upstream
from lab.git import git

LETTER = "Version: 1\nSubject: mm: {}\n\nWhat it is good for.\n\n{{{{base}}}}\n"


@pytest.fixture
def mails(toy):
    """The toy's series as two sub-series, each with a letter; run() writes the mails."""
    (toy.path / "kernel/series").write_text(
        "# first\nmm-change-a-line.patch\n\n# second part\nmm-add-a-file.patch\n")
    (toy.path / "kernel/cover").mkdir()
    for name in ("first", "second-part"):
        (toy.path / "kernel/cover" / name).write_text(LETTER.format(name))
    return toy


def boxes(toy):
    return sorted((toy.path / "build/series").glob("*.mbox"))


def messages(box):
    return list(mailbox.mbox(box))


def header(message, field):
    return re.sub(r"\s+", " ", str(message[field]))


def addresses(message, field):
    return {address for _, address in getaddresses([header(message, field)])}


def applied(repository, base, found, folder, paths):
    """[(tree, message)] of the commits that git am makes of the mailboxes; only `paths` are checked out."""
    git(folder, "clone", "--quiet", "--shared", "--no-checkout", repository, "am")
    git(folder / "am", "sparse-checkout", "set", "--no-cone", *(f"/{path}" for path in paths))
    git(folder / "am", "checkout", "--quiet", base)
    git(folder / "am", "-c", "user.name=X", "-c", "user.email=x@example.org", "am", "--quiet",
        "--empty=drop", *found)       # the letters
    return contents(folder / "am", base)


def contents(repository, base):
    """[(tree, author and message)]"""
    found = git(repository, "log", "--reverse", "-z", "--format=%T%n%an <%ae>%n%B", f"{base}..HEAD")
    return [commit.split("\n", 1) for commit in found.rstrip("\0").split("\0")]


def touched(repository, base):
    return git(repository, "diff", "--name-only", "--no-renames", base, "HEAD").splitlines()


# On a toy


def test_mailboxes_make_the_same_commits(mails, tmp_path):
    result = mails.run("series")
    assert result.returncode == 0, result.stderr
    assert [box.name for box in boxes(mails)] == ["1-first.mbox", "2-second-part.mbox"]
    base = mails.git(mails.linux, "rev-parse", tree.BASE).strip()
    assert applied(mails.linux, base, boxes(mails), tmp_path, touched(mails.linux, base)) == \
        contents(mails.linux, base)


def test_letter_and_recipients(mails):
    assert mails.run("series").returncode == 0
    (letter, patch), (second, new) = map(messages, boxes(mails))
    assert [header(mail, "Subject") for mail in (letter, patch, second, new)] == [
        "[PATCH 0/1] mm: first", "[PATCH 1/1] mm: change a line",
        "[PATCH 0/1] mm: second-part", "[PATCH 1/1] mm: add a file"]
    assert "What it is good for.\n\nApplies to Linux 7.3.4. It was made" in letter.get_payload()
    assert "Applies to Linux 7.3.4, after the sub-series first. It was" in second.get_payload()
    for mail in (letter, patch):
        assert header(mail, "To") == "=?utf-8?q?Ada_B=C3=A4r?= <ada@example.org>"
        assert header(mail, "Cc") == "list@example.org"
    for mail in (second, new):
        assert header(mail, "To") == '"Bob (new), B." <bob@example.org>'
        assert header(mail, "Cc") == "=?utf-8?q?Ada_B=C3=A4r?= <ada@example.org>, list@example.org"
    assert patch["In-Reply-To"] == letter["Message-Id"]
    assert "\n" not in letter["From"]


def test_later_version_says_so(mails):
    path = mails.path / "kernel/cover/first"
    path.write_text(path.read_text().replace("Version: 1", "Version: 2"))
    assert mails.run("series").returncode == 0
    subjects = [header(mail, "Subject") for box in boxes(mails) for mail in messages(box)]
    assert [subject.partition("]")[0] for subject in subjects] == [
        "[PATCH v2 0/1", "[PATCH v2 1/1", "[PATCH 0/1", "[PATCH 1/1"]


def test_one_sub_series(mails):
    assert mails.run("series", "second-part").returncode == 0
    assert [box.name for box in boxes(mails)] == ["2-second-part.mbox"]


@pytest.mark.parametrize("text, wanted", [
    (None, "second-part has no cover letter kernel/cover/second-part"),
    ("Version: 1\n\nNo subject.\n", "it starts with Subject: and Version:"),
    ("Version: one\nSubject: x\n\nText.\n", "it starts with Subject: and Version:"),
    ("Version: 1\nSubject: x\n\nText {{nonsense}}.\n", "{{nonsense}}: there are base, bench"),
    ("Version: 1\nSubject: x\n\nT\u00e4xt.\n", "only ASCII"),
])
def test_letter_that_is_wrong(mails, text, wanted):
    assert mails.run("series").returncode == 0
    before = [box.read_bytes() for box in boxes(mails)]
    letter = mails.path / "kernel/cover/second-part"
    letter.unlink() if text is None else letter.write_text(text)
    assert wanted in mails.refused("series")
    assert [box.read_bytes() for box in boxes(mails)] == before     # not half of the new ones


@pytest.fixture
def divided(mails):
    """Both patches in one sub-series, with a letter for page.c and one for mm."""
    (mails.path / "kernel/series").write_text("# first\nmm-change-a-line.patch\nmm-add-a-file.patch\n")
    letter(mails, "page", "page.c")
    letter(mails, "mm", "mm")
    return mails


def letter(toy, name, files, more=""):
    path = toy.path / "kernel/cover/first"
    if path.is_file():
        path.unlink()
    path.mkdir(exist_ok=True)
    (path / name).write_text(f"Files: {files}\n{more}" + LETTER.format(name))


def test_mailbox_for_each_tree(divided, tmp_path):
    """Each applies to the base, and in any order they make what the series makes."""
    assert divided.run("series").returncode == 0
    first, second = boxes(divided)
    assert (first.name, second.name) == ("1-first-mm.mbox", "1-first-page.mbox")
    assert [header(mail, "Subject") for mail in messages(second)] == [
        "[PATCH 0/1] mm: page", "[PATCH 1/1] mm: change a line"]
    assert "Applies to Linux 7.3.4. It" in messages(second)[0].get_payload()
    base = divided.git(divided.linux, "rev-parse", tree.BASE).strip()
    paths = touched(divided.linux, base)
    for number, found in enumerate(([first, second], [second, first])):
        (tmp_path / str(number)).mkdir()
        made = applied(divided.linux, base, found, tmp_path / str(number), paths)
        assert made[-1][0] == contents(divided.linux, base)[-1][0]
    assert divided.run("series", "first-mm").returncode == 0
    assert [box.name for box in boxes(divided)] == ["1-first-mm.mbox"]
    assert divided.run("series", "first").returncode == 0
    assert len(boxes(divided)) == 2


def test_part_that_needs_the_sub_series_before(divided):
    (divided.path / "kernel/series").write_text("# zero\nmm-change-a-line.patch\n# first\nmm-add-a-file.patch\n")
    (divided.path / "kernel/cover/zero").write_text(LETTER.format("zero"))
    (divided.path / "kernel/cover/first/page").unlink()
    letter(divided, "mm", "mm", "Onto: series\n")
    assert divided.run("series").returncode == 0
    assert [box.name for box in boxes(divided)] == ["1-zero.mbox", "2-first-mm.mbox"]
    assert "Applies to Linux 7.3.4, after the sub-series zero." in messages(boxes(divided)[1])[0].get_payload()
    letter(divided, "mm", "mm", "Onto: nothing\n")
    assert "Onto: is base, which it need not say, or series" in divided.refused("series")


def test_patch_of_no_tree_or_of_two(divided):
    letter(divided, "page", "page.c mm/new.c")
    assert "mm-add-a-file.patch belongs to 2 of the letters in kernel/cover/first" in divided.refused("series")
    (divided.path / "kernel/cover/first/page").unlink()
    assert "mm-change-a-line.patch belongs to 0 of the letters" in divided.refused("series")
    letter(divided, "page", "page.c lib")
    assert "kernel/cover/first/page: no patch of the sub-series touches lib" in divided.refused("series")
    (divided.path / "kernel/cover/first/page").write_text(LETTER.format("page"))
    assert "it starts with Subject: and Version: and Files:" in divided.refused("series")


def test_mails_of_a_person(mails):
    """The author stays, and the person signs off."""
    assert mails.run("series", "--from", "Eve Byron <eve@example.org>").returncode == 0
    first, patch = messages(boxes(mails)[0])
    assert addresses(first, "From") == addresses(patch, "From") == {"eve@example.org"}
    assert patch.get_payload().startswith("From: ")
    assert "\nSigned-off-by: Eve Byron <eve@example.org>\n" in patch.get_payload()
    assert "eve is not of the form Name <address>" in mails.refused("series", "--from", "eve")


def test_what_cannot_be_mailed(mails):
    assert "no sub-series is called third: first, second-part" in mails.refused("series", "third")
    (mails.linux / "page.c").write_text("precious\n")
    assert "work that is not exported" in mails.refused("series")


def test_patch_that_nobody_maintains(mails):
    script = mails.source / "scripts/get_maintainer.pl"
    script.write_text("print STDERR \"lost the list\\n\"; exit(1);\n")
    mails.commit(mails.source, "nobody")
    shutil.rmtree(mails.path / "build")
    assert "get_maintainer.pl, about 0001-mm-change-a-line.patch: lost the list" in mails.refused("series")


def letters(toy):
    return " ".join(messages(boxes(toy)[0])[0].get_payload().split())


def test_base_beside_linux_itself(mails, tmp_path):
    """The letter says what was compared, for as long as the base is that one."""
    linux = tmp_path / "linux"
    shutil.copytree(mails.source, linux)
    assert mails.run("series").returncode == 0
    assert "was not checked" in letters(mails)
    assert mails.run("series", "--upstream", linux).returncode == 0
    assert "Each of the 1 files of it that the whole series touches is the same" in letters(mails)
    (linux / "page.c").write_text("another one\n")
    mails.commit(linux, "not Debian's")
    assert mails.run("series", "--upstream", linux).returncode == 0
    assert "Of the 1 files of it that the whole series touches, these differ from Linux 7.3.4: page.c." \
        in letters(mails)
    (mails.linux / "Makefile").write_text((mails.linux / "Makefile").read_text() + "# more\n")
    mails.commit(mails.linux, "mm: touch one more")
    assert mails.run("export").returncode == 0
    assert mails.run("series", "second-part").returncode == 0
    assert "Of the 2 files of it that the whole series touches, these differ from Linux 7.3.4: page.c." \
        in letters(mails)
    record = mails.path / "kernel/upstream"
    record.write_text(re.sub(r"(?m)^base .*$", "base 0123456789", record.read_text()))
    assert mails.run("series", "second-part").returncode == 0
    assert "was not checked" in letters(mails)


def package(folder, source, later):
    """Like Debian's: the source, of which the files in `later` were patched after the release."""
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "DEBIAN/control").write_text("Package: linux-source-7.3\nVersion: 7.3.4-1\nArchitecture: all\n"
                                           "Maintainer: Toys <toys@example.org>\nDescription: toy\n")
    (folder / "usr/src").mkdir(parents=True)

    def dated(member):
        member.mtime = 1000 + 500 * (member.name.partition("/")[2] in later)
        return None if "/.git" in member.name else member

    with tarfile.open(folder / "usr/src/linux-source-7.3.tar.xz", "w:xz") as tar:
        tar.add(source, "linux-source-7.3", filter=dated)
    deb = folder.with_suffix(".deb")
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", folder, deb], check=True,
                   stdout=subprocess.DEVNULL)
    return deb


@pytest.mark.parametrize("later, said", [
    (["Makefile"], "of the 1 files of it that the whole series touches Debian's patches have changed none; "
                   "the files are all as in Linux 7.3.4."),
    (["page.c"], "Debian's patches have changed page.c; the others are as in Linux 7.3.4.")])
def test_base_by_the_dates_in_its_package(mails, tmp_path, later, said):
    deb = package(tmp_path / "package", mails.source, later)
    mails.env["SOURCE"] = str(deb)
    shutil.rmtree(mails.path / "build")
    result = mails.run("series", "--upstream", deb)
    assert result.returncode == 0, result.stderr
    assert said in letters(mails)
    assert (mails.path / "kernel/upstream").read_text().splitlines()[2:] == ["by dates", *later]


def test_dates_of_another_package(mails, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mails.source, other)
    (other / "page.c").write_text("another one\n")
    deb = package(tmp_path / "package", other, ["page.c"])
    assert "package.deb: build/linux is not made of this package" in mails.refused("series", "--upstream", deb)


def test_dates_that_say_nothing(mails, tmp_path):
    deb = package(tmp_path / "package", mails.source, ["Makefile", "scripts/get_maintainer.pl"])
    mails.env["SOURCE"] = str(deb)
    shutil.rmtree(mails.path / "build")
    assert "the dates of its files do not tell" in mails.refused("series", "--upstream", deb)
    assert not (mails.path / "kernel/upstream").exists()


def test_linux_of_another_version(mails, tmp_path):
    linux = tmp_path / "linux"
    shutil.copytree(mails.source, linux)
    (linux / "Makefile").write_text((linux / "Makefile").read_text().replace("= 4", "= 5"))
    mails.commit(linux, "the next one")
    assert "is Linux 7.3.5, the base is 7.3.4" in mails.refused("series", "--upstream", linux)


# The series itself

@pytest.fixture(scope="module")
def written():
    """{part: its mailbox}"""
    return {box.stem.partition("-")[2]: box for box in series.series()}


@pytest.fixture(scope="module")
def base():
    return tree.base().commit


def is_the_series(made, base):
    """All patches are there, and once those for different trees are, each tree is that of build/linux."""
    wanted = contents(tree.LINUX, base)
    assert sorted(said for _, said in made) == sorted(said for _, said in wanted)
    headings = [heading for _, heading in patches.series()]
    ends = {number for number, heading in enumerate(headings) if [heading] != headings[number + 1:number + 2]}
    parted = {number for number, heading in enumerate(headings) if (series.COVERS / heading).is_dir()}
    for number in set(range(len(headings))) - parted | ends:
        assert made[number][0] == wanted[number][0]


@pytest.mark.part("mails")
def test_mailboxes_reproduce_the_tree(written, base, tmp_path):
    is_the_series(applied(tree.LINUX, base, written.values(), tmp_path, touched(tree.LINUX, base)), base)


@pytest.mark.part("mails")
def test_mails_are_complete(written):
    sizes = []
    for name, box in written.items():
        letter, *mails = messages(box)
        sizes.append(len(mails))
        prefix = "RFC PATCH" if name == "range-orders" else "PATCH"
        assert re.match(rf"\[{prefix} 0+/{len(mails)}\] ", header(letter, "Subject"))
        assert not re.search(r"\*\*\*|\{\{", letter.get_payload())
        assert "This is the first version." in letter.get_payload()
        for mail in (letter, *mails):
            for address in addresses(mail, "To") | addresses(mail, "Cc"):
                assert re.fullmatch(r"[\w.+-]+@[\w.-]+", address)
            assert addresses(mail, "To") and "linux-kernel@vger.kernel.org" in addresses(mail, "Cc")
        everybody = addresses(letter, "To") | addresses(letter, "Cc")
        assert all(addresses(mail, "To") <= everybody for mail in mails)
    assert sum(sizes) == len(patches.series())


def test_stock_bugs_have_their_patches():
    """docs/stock-bugs.md names the patch of each, and all fixes."""
    names = {patch.removesuffix(".patch"): heading for patch, heading in patches.series()}
    text = (ROOT / "docs/stock-bugs.md").read_text().partition("## Fixed here")[2].partition("## ")[0]
    rows = [line.split("|")[-2] for line in text.splitlines() if line.startswith("| ")][1:]
    found = [set(re.findall("`(.*?)`", row)) for row in rows]
    assert len(found) > 80 and all(each and each <= names.keys() for each in found)
    assert {name for name, heading in names.items() if heading == "fixes"} <= set().union(*found)


def test_letters_say_which_files_debian_has_changed():
    """What kernel/upstream says is about this base."""
    tree.make("linux")
    assert "was not checked" not in upstream.statement(source.pin())


@pytest.mark.part("mails")
def test_dates_in_the_package_are_as_recorded():
    """Of Debian's package, all of whose files are looked at."""
    changed = source.changed_by_debian(source.package())
    assert changed == upstream.RECORD.read_text().splitlines()[3:]


@pytest.mark.part("mails")
def test_b4_takes_the_mailboxes(written, base, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))       # nothing of the user's, but b4 wants to know who applies
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = X\n\temail = x@example.org\n")
    found = []
    for name, box in written.items():
        (tmp_path / name).mkdir()
        message = messages(box)[0]["Message-Id"].strip("<>")
        result = subprocess.run(["b4", "--offline-mode", "--no-interactive", "am", "--use-local-mbox", box,
                                 "--outdir", tmp_path / name, message], cwd=ROOT, text=True,
                                capture_output=True, stdin=subprocess.DEVNULL)
        assert result.returncode == 0, result.stderr
        found += (tmp_path / name).glob("*.mbx")
    assert len(found) == len(written)
    is_the_series(applied(tree.LINUX, base, found, tmp_path, touched(tree.LINUX, base)), base)
