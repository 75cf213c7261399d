"""./run: the table of commands."""

import argparse
import errno
import os
import signal
import sys

from lab import host
from lab.errors import LabError
from lab.progress import say


def tree(options):
    from lab import tree
    path = tree.make("linux", options.source, options.force)
    say(f"{path} is up to date")


def export(options):
    from lab import export
    names = sorted(path.name for path in export.export() if path.suffix == ".patch")
    say(f"{len(names)} patches in kernel/patches")


def build(options):
    from lab import kernel
    say(kernel.build(options.tree, options.config))


def boot(options):
    from lab import boot
    boot.boot(options.tree, options.config, options.append)


def resize(options):
    from lab import boot
    boot.resize(options.size)


def check(options):
    from lab import check
    part = options.all if isinstance(options.all, str) else None
    return check.check(options.pattern, part, bool(options.all), options.resume)


def lint(options):
    from lab import lint
    return lint.lint(options.full)


def demo(options):
    from lab import demo
    return demo.demo(stock=options.stock)


def bench(options):
    from lab import bench
    bench.bench(options.pattern)


def series(options):
    from lab import series, upstream
    if options.upstream is not None:
        upstream.check(options.upstream)
    series.series(options.name, options.sender)


def rebase(options):
    from lab import rebase
    return rebase.rebase(options.version)


def bisect(options):
    from lab import bisect
    return bisect.bisect(options.pattern, options.steps, options.again)


def clean(options):
    from lab import clean
    clean.clean(options.cache, options.force)


def parser():
    top = argparse.ArgumentParser(
        prog="./run", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Linux 7.3 in which logically offline memory carries no reference "
                    "count,\nand the lab that builds, boots and proves it.",
        epilog="environment:\n"
               "  OFFLINE_PAGES_CACHE  where downloads, the base kernel and ccache are kept\n"
               "                       (~/.cache/offline-pages; about 2 GB)\n"
               "  SOURCE               a kernel tarball or git tree instead of the package\n"
               "  ACCEL                tcg or kvm; else kvm where a probe boot proves it\n"
               "  TREE                 linux, stock or mutant: the kernel that check tests\n"
               "  MUTATION             of tests/mutations: what breaks the kernel of tree mutant\n")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def add(function, text):
        command = commands.add_parser(function.__name__, help=text, description=text)
        command.set_defaults(function=function)
        return command

    def add_kernel(command, tree_is_option):
        name = "--tree" if tree_is_option else "tree"
        command.add_argument(name, **({} if tree_is_option else {"nargs": "?"}),
                             choices=["linux", "stock", "mutant"], default="linux",
                             help="linux (with the series, the default) or stock")
        name = "--config" if tree_is_option else "config"
        command.add_argument(name, **({} if tree_is_option else {"nargs": "?"}),
                             default="guest", help="a name in kernel/configs; default guest")

    command = add(demo, "show the point of it: a guest grows and shrinks, and nothing is counted")
    command.add_argument("--stock", action="store_true", help="the same on the unpatched kernel")

    command = add(check, "run the tests; ends with N passed, N failed")
    command.add_argument("pattern", nargs="?", help="only tests with this in their name (* and ? work)")
    command.add_argument("--all", nargs="?", const=True, metavar="PART",
                         help="the named parts too, or only that part")
    command.add_argument("--resume", action="store_true",
                         help="count what has passed in this very state, and run only the rest")

    command = add(tree, "make or update build/linux: the base kernel and the series as commits")
    command.add_argument("--source", metavar="PATH",
                         help="a kernel tarball or git tree instead of the package")
    command.add_argument("--force", action="store_true",
                         help="throw away work in build/linux that is not exported")

    add(export, "write kernel/ from the commits in build/linux")

    command = add(build, "build a kernel")
    add_kernel(command, tree_is_option=False)

    command = add(boot, "a shell in a guest with a virtio-mem device")
    add_kernel(command, tree_is_option=True)
    command.add_argument("--append", default="", help="more for the kernel command line")

    command = add(resize, "resize the virtio-mem device of the guest that boot has started")
    command.add_argument("size", help="for example 256M")

    command = add(lint, "checkpatch, the Coccinelle rule, Python and shell checks, round trip of kernel/")
    command.add_argument("--full", action="store_true",
                         help="sparse, gcc with W=1, Sphinx, kernel-doc and the kernel's own "
                              "Coccinelle rules as well")

    command = add(bench, "count the instructions of each flow, on stock and with the series")
    command.add_argument("pattern", nargs="?", help="only the guests with this in their name, or growth, or steps")

    command = add(series, "write the series as mails: build/series")
    command.add_argument("name", nargs="?", metavar="SUB", help="only that sub-series, or one part of it")
    command.add_argument("--from", dest="sender", metavar="'NAME <ADDRESS>'",
                         help="who sends the mails: also adds that person's Signed-off-by")
    command.add_argument("--upstream", metavar="PATH", nargs="?", const="",
                         help="first compare the base with Linux itself, a tarball or git tree of that "
                              "version; without PATH, by the dates in Debian's package")

    command = add(rebase, "move the series to another kernel version: build/rebase")
    command.add_argument("version", help="7.2, say, of a package linux-source-7.2; or a kernel tarball "
                                         "or git tree")

    command = add(bisect, "try each patch by itself, the tip in many configurations, and what "
                          "goes into one tree")
    command.add_argument("pattern", nargs="?", help="only steps with this in their name, which "
                                                    "starts with off:, boot:, warn:, tip: or group:")
    command.add_argument("--steps", type=int, metavar="N", help="only so many now")
    command.add_argument("--again", action="store_true", help="those that failed, too")

    command = add(clean, "remove build/")
    command.add_argument("--cache", action="store_true", help="the cache as well")
    command.add_argument("--force", action="store_true",
                         help="even with work in build/linux that is not exported")
    return top


def archs(options):
    """Those for which a command needs compilers and machines beside the usual ones."""
    from lab import arch, kernel
    if "config" in options:
        return [kernel.arch_of(options.config)]
    if options.function is check and options.all:       # a part may have its architecture's name
        return [each for each in arch.ARCHS.values() if each.qemu and options.all in (True, each.name)]
    return []


def main():
    # As Ctrl-C does, so that nothing of ours stays behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parser().parse_args()
    try:
        host.install(options.function.__name__, archs(options), getattr(options, "all", None))
        return options.function(options) or 0
    except LabError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        # timeout(1) sends a second one, which would hit what is waited for at the end.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("interrupted")
        return 130
    except OSError as error:
        if error.errno == errno.ENOSPC:
            say(f"error: disk full: {error.filename or os.getcwd()}")
            return 1
        raise


if __name__ == "__main__":
    sys.exit(main())
