"""Run a test module (tests/modules) in a guest of its own; each KUnit case is a pytest case."""

from conftest import TREE
from lab import kernel, ktap, modules
from lab.vm import VM


def cases(module, files="*.[ch]"):
    """The KUnit cases of a module, or of some of its files, which are all called after it."""
    sources = sorted(modules.SOURCES.glob(f"{module}{files}"))
    return ktap.cases(sources) or [f"(no case in tests/modules/{module}{files})"]


def run(module, *, only=None, config="debug", append="", parameters="", timeout=600, **options):
    """
    Load the module, with `parameters`, which runs its suites, or those that match `only`, a glob;
    return {case: (verdict, its log)}. A splat fails it, as in any guest; so may a case that hangs,
    after `timeout`.
    """
    image = kernel.build(TREE, config)
    built = modules.build(TREE, config, module)
    # No suite but the module's own.
    only = only or f"{module.removesuffix('_kunit')}*"
    with VM(module, image, modules=[built], **options,
            append=f"kunit.enable=1 kunit.autorun=1 kunit.filter_glob={only} {append}") as vm:
        vm.run(f"insmod /lib/modules/{module}.ko {parameters}", timeout)
        return ktap.parse(vm.run("cat /sys/kernel/debug/kunit/*/results"))


def check(results, case):
    """What the pytest case asserts."""
    assert case in results, f"{case} did not run on the {TREE} tree"
    verdict, log = results[case]
    assert verdict == "ok", log
