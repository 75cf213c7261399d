"""What sparse and gcc say about the series, or a patch of it: what is new; and never nothing by mistake."""

from types import SimpleNamespace

import pytest
from lab import kernel, objects, sparse, tools, touched, tree
from lab.errors import LabError

TEXTS = {"linux": "int a;\nint known;\nint fresh;\n", "stock": "int known;\nint a;\n"}


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Trees with mm/a.c, and mm/b.c, which stock has not; `logs` is what make prints."""
    compiled = SimpleNamespace(logs={"linux": "  CHECK   mm/a.c\n", "stock": "  CHECK   mm/a.c\n"},
                               objects=["mm/a.o", "mm/b.o"], made=[])
    for name, text in TEXTS.items():
        (tmp_path / name / "obj/mm").mkdir(parents=True)
        (tmp_path / name / "mm").mkdir()
        (tmp_path / name / "mm/a.c").write_text(text)
        (tmp_path / name / "obj/mm/a.o").touch()

    def make(step, name, config, *words):
        assert not (tmp_path / name / "obj/mm/a.o").exists(), "gcc would say nothing"
        compiled.made.append((name, words))
        log = tmp_path / f"{name}.log"
        log.write_text(compiled.logs[name])
        return log

    monkeypatch.setattr(sparse, "CONFIGS", ("all",))
    monkeypatch.setattr(kernel, "BUILD", tmp_path)
    monkeypatch.setattr(kernel, "configure", lambda name, config: None)
    monkeypatch.setattr(kernel, "arch_of", lambda config: None)
    monkeypatch.setattr(kernel, "objects_of", lambda name, config: tmp_path / name / "obj")
    monkeypatch.setattr(kernel, "make", make)
    monkeypatch.setattr(tree, "make", lambda name: None)
    monkeypatch.setattr(tools, "command", lambda *package: ["loader", "sparse"])
    monkeypatch.setattr(touched, "files", lambda *patterns: ["mm/a.c", "mm/b.c", "tools/c.c"])
    monkeypatch.setattr(objects, "of", lambda name, config, machine: compiled.objects)
    sparse._stock.cache_clear()
    return compiled


def test_what_is_new(compiled):
    compiled.logs["linux"] += "".join(f"../mm/a.c:{line}:5: warning: dubious\n" for line in (1, 2, 3, 3))
    compiled.logs["stock"] += "mm/a.c:1:5: warning: dubious\n"
    assert sparse.findings() == ([("mm/a.c", 1, "dubious"), ("mm/a.c", 3, "dubious")], [])
    assert [(name, words[-2:]) for name, words in compiled.made] == [
        ("linux", ("mm/a.o", "mm/b.o")), ("stock", ("W=1", "mm/a.o"))]
    assert "CHECK=loader sparse" in compiled.made[0][1] and "C=2" in compiled.made[0][1]


def test_files_of_one_patch(compiled):
    """Only they are compiled, and stock is asked once about each."""
    compiled.logs["linux"] += "mm/a.c:2:5: warning: dubious\n"
    compiled.logs["stock"] += "mm/a.c:1:5: warning: dubious\n"
    for _ in range(2):
        assert sparse.findings("linux", ["mm/a.c", "tools/c.c"]) == ([], [])
        for name in TEXTS:
            (kernel.BUILD / name / "obj/mm/a.o").touch()
    assert [(name, words[-2:]) for name, words in compiled.made] == [
        (name, ("W=1", "mm/a.o")) for name in ("linux", "stock", "linux")]
    assert sparse.findings("linux", []) == ([], [])


def test_nothing_to_compare(compiled):
    assert sparse.findings() == ([], [])
    assert [name for name, _ in compiled.made] == ["linux"]


def test_file_that_is_not_compiled(compiled):
    compiled.objects = ["mm/a.o"]
    assert sparse.findings() == ([], ["mm/b.c"])


def test_sparse_that_was_not_run(compiled):
    compiled.logs["linux"] = "  CC      mm/a.o\n"
    with pytest.raises(LabError, match="sparse was not run; log .*linux.log"):
        sparse.findings()
