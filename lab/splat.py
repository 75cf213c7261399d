"""What a kernel prints when something is wrong with it: the one place."""

import re

# Kernel messages carry a time stamp; what a program echoes to the console does not.
_STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")

_SPLAT = re.compile(r"""
    ^WARNING:\                       # WARN(), lockdep
  | \bBUG:\                          # oops, KASAN, bad page, soft lockup, atomic sleep
  | \bkernel\ BUG\ at\b
  | ^Oops\b
  | ^(?:general\ protection\ fault|stack\ segment|invalid\ opcode|double\ fault)\b
  | ^Kernel\ panic\b
  | ^(?:KASAN|KFENCE|KCSAN|UBSAN):\
  | ^list_(?:add|del)\ corruption
  | ^pagealloc:\                     # page_poison: single bit error, memory corruption
  | ^INFO:\ task\ .*\ blocked\ for\ more\ than\b
  | ^(?:rcu:\ )?INFO:\ .*\b(?:stall|stalls|detected)\b
  | ^INFO:\ trying\ to\ register\ non-static\ key
  | ^(?:DEBUG_LOCKS_WARN_ON|turning\ off\ the\ locking\ correctness\ validator)
""", re.VERBOSE)


# After these, a task or a CPU is gone or hangs, with the locks that it has.
_CRASH = re.compile(r"^Oops\b|^Kernel panic\b|^(?:rcu: )?INFO: .*\bstalls?\b|"
                    r"^INFO: task .* blocked for more than\b")

# Where the kernel was, and the functions that had called each other to get there.
_WHERE = re.compile(r"^\s*(?:RIP|NIP|pc)\s?[:\[].*?([\w.]+\+0x[0-9a-f]+)/")
_CALL = re.compile(r"^(?:\[c[0-9a-f]+\] (?:\[c[0-9a-f]+\])?)?\s+(\? )?([\w.]+)\+0x[0-9a-f]+/0x")
CALLS = 8

# A breakpoint, and the bytes at which it was: "<" follows the one that was executed.
_BREAKPOINT = re.compile(r"^Oops: int3\b.*?^Code: [0-9a-f ]*?([0-9a-f]{2}) <", re.M | re.S)
INT3 = "cc"
# What comes before the kernel switches the clock that every message is stamped with.
_CLOCK = "sched_clock: Marking stable"

# No mistake of the kernel's, but worth knowing of where a program was killed.
_OOM = re.compile("^(?:Out of memory|Memory cgroup out of memory): Killed process")


def messages(console):
    """The lines of a console log that the kernel has printed, without their time stamps."""
    for line in console.splitlines():
        if stamp := _STAMP.match(line):
            yield line[stamp.end():].rstrip()


def find(console, what=_SPLAT):
    """The splat lines in a console log, without their time stamps."""
    return [line.strip() for line in messages(console) if what.search(line)]


def why_killed(console):
    """Lines that may tell why a program in the guest died."""
    return find(console) + find(console, _OOM)


def crashes(console):
    return find(console, _CRASH)


def death(console):
    """In one line, what a kernel said of its end: its complaints, where it was, who called."""
    said = list(messages(console))
    first = next((number for number, line in enumerate(said) if _SPLAT.search(line)), len(said))
    complaints = find(console)
    parts = complaints[:1]
    parts += [f"at {where[1]}" for line in said[first:] if (where := _WHERE.match(line))][:1]
    calls = [call for line in said[first:] if (call := _CALL.match(line))]
    if calls := [call[2] for call in calls if not call[1]] or [call[2] for call in calls]:
        parts.append(f"called by {', '.join(calls[:CALLS])}")
    return "; ".join([*parts, *complaints[1:][-1:]])


def stale_code(console):
    """
    Has a dead guest stopped at a breakpoint that is not in memory? That is the emulator's, which
    goes on with what it has translated before the kernel changed the code (docs/tests.md). Without
    a word, if that is where a message gets its time stamp from.
    """
    said = list(messages(console))
    if first := _BREAKPOINT.search("\n".join(said)):
        return first[1] != INT3
    return bool(said) and said[-1].startswith(_CLOCK)


def panicked(console):
    """Has the kernel given up?"""
    return any("Kernel panic" in line for line in find(console))
