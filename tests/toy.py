"""A checkout of this project whose kernel is a toy."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAKEFILE = "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n"
WHO = ["-c", "user.name=A Toy", "-c", "user.email=toy@example.org"]


# Knows who cares for what, by the name of the file.
GET_MAINTAINER = r"""
local $/; open(my $mail, "<", $ARGV[-1]); $_ = <$mail>;
my %people = ("page.c" => "Ada B\xc3\xa4r <ada\@example.org> (maintainer:TOYS (SMALL AND LARGE))\n",
	      "mm/new.c" => "\"Bob (new), B.\" <bob\@example.org> (supporter:NEW)\nAda B\xc3\xa4r " .
			    "<ada\@example.org> (reviewer:NEW)\n");
for my $path (sort(keys(%people))) {
	print $people{$path} if m,^\+\+\+ b/\Q$path\E$,m;
}
print "list\@example.org (open list:TOYS (SMALL AND LARGE))\n";
"""


class Toy:
    """A checkout of this project whose kernel has two files."""

    def __init__(self, path):
        self.path = path / "checkout"
        self.source = path / "source"
        self.env = os.environ | {"SOURCE": str(self.source),
                                 "OFFLINE_PAGES_CACHE": str(path / "cache")}
        self.path.mkdir()
        shutil.copy(ROOT / "run", self.path)
        for name in ("lab", "kernel/configs"):
            shutil.copytree(ROOT / name, self.path / name,
                            ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "kernel/base", self.path / "kernel")
        (self.path / "kernel/series").write_text("")
        self.source.mkdir()
        (self.source / "Makefile").write_text(MAKEFILE)
        (self.source / "page.c").write_text("".join(f"line {n}\n" for n in range(50)))
        (self.source / "scripts").mkdir()
        (self.source / "scripts/get_maintainer.pl").write_text(GET_MAINTAINER)
        self.commit(self.source, "toy", init=True)

    def git(self, tree, *arguments):
        return subprocess.run(["git", *WHO, "-C", tree, *arguments], check=True,
                              capture_output=True, text=True).stdout

    def commit(self, tree, subject, init=False):
        if init:
            self.git(tree, "init", "--quiet")
        self.git(tree, "add", "--all")
        self.git(tree, "commit", "--quiet", "-m", f"{subject}\n\nThe reason why.")

    def run(self, *arguments):
        return subprocess.run([self.path / "run", *arguments], env=self.env, text=True,
                              capture_output=True)

    def refused(self, *arguments):
        """The one line of the error."""
        result = self.run(*arguments)
        assert result.returncode == 1 and "Traceback" not in result.stderr
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1 and result.stderr.splitlines()[-1] == errors[0]
        return errors[0]

    @property
    def linux(self):
        return self.path / "build/linux"

    def kernel(self):
        """All that export writes."""
        folder = self.path / "kernel"
        return {str(path.relative_to(folder)): path.read_bytes()
                for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def toy(tmp_path):
    """With two patches: one changes a file, one adds one."""
    toy = Toy(tmp_path)
    assert toy.run("tree").returncode == 0
    page = toy.linux / "page.c"
    page.write_text(page.read_text().replace("line 25\n", "line 25, changed: \u00fc\n"))
    toy.commit(toy.linux, "mm: change a line")
    (toy.linux / "mm").mkdir()
    (toy.linux / "mm/new.c").write_text("new\n")
    toy.commit(toy.linux, "mm: add a file")
    result = toy.run("export")
    assert result.returncode == 0, result.stderr
    return toy
