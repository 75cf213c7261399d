"""Run a test module (tests/modules) in a guest of its own; each KUnit case is a pytest case."""

from conftest import TREE
from lab import kernel, ktap, modules
from lab.vm import VM


def cases(module):
    """The KUnit cases of a module, whose files are all called after it."""
    sources = sorted(modules.SOURCES.glob(f"{module}*.[ch]"))
    return ktap.cases(sources) or [f"(no case in tests/modules/{module}*)"]


def run(module, *, config="debug", append="", parameters="", timeout=600, **options):
    """
    Load the module, with `parameters`, which runs its suites; return {case: (verdict, its log)}.
    A splat fails it, as in any guest; so may a case that hangs, after `timeout`.
    """
    image = kernel.build(TREE, config)
    built = modules.build(TREE, config, module)
    # No suite but the module's own.
    only = f"kunit.filter_glob={module.removesuffix('_kunit')}*"
    with VM(module, image, modules=[built], **options,
            append=f"kunit.enable=1 kunit.autorun=1 {only} {append}") as vm:
        vm.run(f"insmod /lib/modules/{module}.ko {parameters}", timeout)
        return ktap.parse(vm.run("cat /sys/kernel/debug/kunit/*/results"))


def check(results, case):
    """What the pytest case asserts."""
    assert case in results, f"{case} did not run on the {TREE} tree"
    verdict, log = results[case]
    assert verdict == "ok", log
