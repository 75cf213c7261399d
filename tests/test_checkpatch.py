"""What checkpatch has said is remembered for as long as it would say the same, and for no longer."""

from pathlib import Path

import pytest
from lab import checkpatch, lint, tree
from lab.errors import LabError

# Finds fault with each line that has the word, and tells in `asked` which files it has read.
PROGRAM = r"""
for my $path (grep { !/^-/ } @ARGV) {
	open(my $asked, ">>", "asked");
	print $asked "$path\n";
	next if $path =~ /unread/;
	open(my $file, "<", $path);
	while (<$file>) {
		print "$path:$.: WARNING:WORD: there is a bad word\n#$.: FILE: a bad word:\n" if /bad/;
	}
	print "$path total: some errors\n";
}
exit(1);
"""


class Checked:
    """A toy of a kernel with its checkpatch, and two files to check."""

    def __init__(self, folder):
        self.folder = folder
        self.files = [folder / "good.c", folder / "bad.c"]
        self.files[0].write_text("good\n")
        self.files[1].write_text("good\nbad\n")
        (folder / "base").write_text("7.3\n")
        (folder / "scripts").mkdir()
        for name in checkpatch.PROGRAM:
            (folder / name).write_text("")
        (folder / checkpatch.PROGRAM[0]).write_text(PROGRAM)

    def findings(self, *options):
        """What is found, as (name, line), and the names of the files that checkpatch had to read for it."""
        asked = self.folder / "asked"
        asked.write_text("")
        found = [(path.name, int(line)) for path, line, kind, what in
                 checkpatch.findings(lint._output, self.files, *options)
                 if (kind, what) == ("WORD", "there is a bad word")]
        return found, sorted(Path(line).name for line in asked.read_text().splitlines())


@pytest.fixture
def checked(tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "LINUX", tmp_path)
    monkeypatch.setattr(checkpatch, "KERNEL", tmp_path)
    monkeypatch.setattr(checkpatch, "VERDICTS", tmp_path / "cache")
    return Checked(tmp_path)


def test_verdict_is_remembered(checked):
    first = checked.findings()
    assert first == ([("bad.c", 2)], ["bad.c", "good.c"])
    assert checked.findings() == (first[0], [])


def test_verdict_on_a_changed_file_is_forgotten(checked):
    checked.findings()
    checked.files[0].write_text("bad\n")
    assert checked.findings() == ([("good.c", 1), ("bad.c", 2)], ["good.c"])


@pytest.mark.parametrize("name", [*checkpatch.PROGRAM, "base"])
def test_verdict_of_another_checkpatch_is_forgotten(checked, name):
    checked.findings()
    with open(checked.folder / name, "a") as file:
        file.write("\n")
    assert checked.findings()[1] == ["bad.c", "good.c"]


def test_verdict_is_of_the_options(checked):
    checked.findings()
    assert checked.findings("-f")[1] == ["bad.c", "good.c"]


def test_verdict_that_is_missing_is_an_error(checked):
    checked.files.append(checked.folder / "unread.c")
    checked.files[2].write_text("bad\n")
    for _ in range(2):      # and is not remembered
        with pytest.raises(LabError, match="does not say that it has read unread.c"):
            checked.findings()
