"""Allocations of a guest's kernel that fail: CONFIG_FAULT_INJECTION_STACKTRACE_FILTER chooses by function."""

from lab.errors import LabError

DEBUGFS = "/sys/kernel/debug"
PAGES, SLAB = "fail_page_alloc", "failslab"
# Those that may sleep, too, and single pages; the log would have a stack for each.
ANY = {PAGES: {"ignore-gfp-wait": "N", "ignore-gfp-highmem": "N", "min-order": 0},
       SLAB: {"ignore-gfp-wait": "N"}}


def allow_any(vm):
    """From now on, nothing but what asks for failures decides which allocations fail."""
    _set(vm, {kind: {**settings, "verbose": 0} for kind, settings in ANY.items()})


class FailOnce:
    """
    One allocation of pages that `function` makes, or what it calls, fails: the first one after `spared`
    pages. `hit` tells afterwards if there was one.
    """

    def __init__(self, vm, symbols, function, spared):
        start, end = symbols.range(function)
        self.vm, self.hit = vm, False
        self._settings = {"require-start": f"{start:#x}", "require-end": f"{end:#x}",
                          "stacktrace-depth": 32, "space": spared, "interval": 1, "times": 1,
                          "probability": 100}

    def __enter__(self):
        _set(self.vm, {PAGES: self._settings})
        return self

    def __exit__(self, *error):
        self.hit = self.failed()
        _set(self.vm, {PAGES: {"probability": 0}})

    def failed(self):
        return self.vm.run(f"cat {DEBUGFS}/{PAGES}/times").strip() == "0"


def fail_nth(vm, path, value, nth):
    """
    Write to a file while the nth allocation of that system call fails. Returns the error, or "0", and
    whether there is an nth one.
    """
    words = vm.run(f"failnth {path} {value} {nth}", timeout=300).split()
    if len(words) != 2:
        raise LabError(f"failnth {path} {value} {nth}: {' '.join(words)}")
    return words[0], words[1] == "failed"


def _set(vm, files):
    vm.run(" && ".join(f"echo {value} >{DEBUGFS}/{kind}/{name}"
                       for kind, settings in files.items() for name, value in settings.items()))
