"""Test modules: are they built, loaded, and their failures told?"""

import kunit_module
import pytest
from conftest import TREE
from lab import kernel, modules
from lab.errors import LabError

MODULE = "lab_selftest"


@pytest.mark.parametrize("fail, verdict", [(0, "ok"), (1, "not ok")])
def test_results_of_a_module(fail, verdict):
    results = kunit_module.run(MODULE, parameters=f"fail={fail}")
    assert list(results) == kunit_module.cases(MODULE)
    assert {case: found for case, (found, _) in results.items()} == {
        "test_passes": "ok", "test_fails_if_told": verdict}
    assert ("Expected fail to be false" in results["test_fails_if_told"][1]) == bool(fail)


def test_a_module_that_does_not_compile(tmp_path, monkeypatch):
    kernel.build(TREE, "debug")
    (tmp_path / "broken.c").write_text("int broken(void) { return this_is_nowhere; }\n")
    (tmp_path / "Kbuild").write_bytes((modules.SOURCES / "Kbuild").read_bytes())
    monkeypatch.setattr(modules, "SOURCES", tmp_path)
    with pytest.raises(LabError) as error:
        modules.build(TREE, "debug", "broken")
    assert "this_is_nowhere" in str(error.value) and "log build/logs" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(LabError, match="missing.c does not exist"):
        modules.build(TREE, "debug", "missing")
