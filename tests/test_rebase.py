"""The series on another version of Linux: what merges is there with all it says, what does not is named."""

import shutil

import pytest
from toy import MAKEFILE


@pytest.fixture
def other(toy, tmp_path):
    """Another version of the toy's kernel: a git tree, to be changed and committed."""
    path = tmp_path / "other"
    shutil.copytree(toy.source, path)
    (path / "Makefile").write_text(MAKEFILE.replace("SUBLEVEL = 4", "SUBLEVEL = 0")
                                   .replace("PATCHLEVEL = 3", "PATCHLEVEL = 4"))
    return path


def change(toy, other, *replacements):
    page = other / "page.c"
    for old, new in replacements:
        assert old in page.read_text()
        page.write_text(page.read_text().replace(old, new))
    toy.commit(other, "another version")


def moved(toy):
    return toy.path / "build/rebase/7.4.0/linux"


def test_series_moves(toy, other):
    change(toy, other, ("line 0\n", "line 0\nmore\nand more\n"))
    before = toy.git(toy.linux, "rev-parse", "HEAD")
    result = toy.run("rebase", other)
    assert result.returncode == 0, result.stderr
    assert "Linux 7.4.0: 2 of 2 patches merge, 0 of them with another context; 0 conflict" in result.stderr
    page = (moved(toy) / "page.c").read_text()
    assert page == (other / "page.c").read_text().replace("line 25\n", "line 25, changed: \u00fc\n")
    assert (moved(toy) / "mm/new.c").read_text() == "new\n"
    said = "%an <%ae> %ad%n%B"
    assert toy.git(moved(toy), "log", f"--format={said}", "-2") == toy.git(
        toy.linux, "log", f"--format={said}", "-2")
    assert "another version" not in toy.git(moved(toy), "log", "--format=%s")
    assert sorted(path.name for path in (moved(toy).parent / "patches").iterdir()) == [
        "0001-mm-change-a-line.patch", "0002-mm-add-a-file.patch"]
    assert toy.git(toy.linux, "rev-parse", "HEAD") == before and not toy.git(toy.linux, "status", "--short")


def test_another_context_is_told(toy, other):
    change(toy, other, ("line 27\n", "line 27, another one\n"))
    result = toy.run("rebase", other)
    assert result.returncode == 0, result.stderr
    assert "2 of 2 patches merge, 1 of them with another context" in result.stderr


def test_conflict_is_shown_by_patch(toy, other):
    change(toy, other, ("line 25\n", "line 25 is another one\n"))
    result = toy.run("rebase", other)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "conflict: mm-change-a-line: page.c\n" in result.stderr
    assert "1 of 2 patches merge, 0 of them with another context; 1 conflict" in result.stderr
    shown = (toy.path / "build/rebase/7.4.0-conflicts/mm-change-a-line.diff").read_text()
    assert "line 25 is another one" in shown and "+line 25, changed" in shown
    assert not moved(toy).exists()
    change(toy, other, ("line 25 is another one\n", "line 25\n"))       # and then it is mended
    assert toy.run("rebase", other).returncode == 0
    assert moved(toy).exists() and not (toy.path / "build/rebase/7.4.0-conflicts").exists()


def test_file_that_the_other_version_lacks(toy, other):
    (other / "page.c").unlink()
    toy.commit(other, "another version")
    result = toy.run("rebase", other)
    assert result.returncode == 1
    assert "Linux 7.4.0 has no page.c, which the series changes" in result.stderr
    assert "conflict: mm-change-a-line: page.c\n" in result.stderr


def test_change_that_the_other_version_has(toy, other):
    change(toy, other, ("line 25\n", "line 25, changed: \u00fc\n"))
    result = toy.run("rebase", other)
    assert result.returncode == 0, result.stderr
    assert "nothing is left of mm-change-a-line: the other version has it" in result.stderr
    assert toy.git(moved(toy), "log", "--format=%s", "-2").splitlines() == ["mm: add a file", "base"]


def test_what_cannot_be_moved(toy):
    result = toy.run("rebase", toy.source)
    assert result.returncode == 0 and "7.3.4 is what the series is made on: nothing to move" in result.stderr
    assert "/nowhere: no such file or git tree" in toy.refused("rebase", "/nowhere")
    (toy.linux / "page.c").write_text("precious\n")
    assert "work that is not exported" in toy.refused("rebase", toy.source)
