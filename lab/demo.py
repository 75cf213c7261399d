"""
The main job, shown: memory of a virtio-mem device comes and goes under a guest that is full of
data, and no page that is logically offline carries a reference count.
"""

import json
import platform
import re
import subprocess
import sys
import time

from lab import kernel, picture
from lab.errors import LabError
from lab.memory import MIB, PAGE, Memory
from lab.paths import BUILD, shown
from lab.progress import say
from lab.vm import VM, virtio_mem

BOOT_MEMORY = "512M"
DEVICE_MEMORY = "2G"
WORKLOAD_MIB = 520      # more than the boot memory can hold


class Story:
    """Runs one step after the other and looks at the guest after each."""

    def __init__(self, vm):
        self.vm = vm
        self.memory = Memory(vm)
        self.looks = []
        self.frames = []            # for lab/picture.py
        self.workload = None        # (still intact?, what it said last)
        self.working = False
        self.began = time.monotonic()

    def step(self, what, action):
        seconds = time.monotonic() - self.began
        print(f"{seconds:5.1f} s  {what:<45}", end="", flush=True)
        action()
        state = self.memory.state()
        self.looks.append(state)
        self.draw(seconds, what)
        if self.working:
            self.ask_workload("status")
        print(describe(state, self.workload), flush=True)

    def draw(self, seconds, what):
        text = self.vm.run("offmap --json", timeout=120)
        self.frames.append(picture.Frame(seconds, what, json.loads(text), text))

    def grow_or_shrink(self, mib):
        plugged = self.memory.info()["size"] // MIB
        self.step(f"{'grow' if mib > plugged else 'shrink'} from {plugged} to {mib} MiB",
                  lambda: self.memory.resize(mib * MIB))

    def reonline_partial_blocks(self):
        """Each one that is partially plugged, under load, offline and then online again."""
        for block in self.looks[-1].partial_blocks():
            number = block["block"]
            self.step(f"take partially plugged block {number} offline",
                      lambda: self.hotplug("offline", number))
            self.step("take it online again",
                      lambda: self.hotplug("online_movable", number))

    def hotplug(self, action, number):
        answer = self.memory.hotplug(action, number)
        if answer != "ok":
            raise LabError(f"block {number}: {action} failed with {answer}")

    def ask_workload(self, command, timeout=120):
        code, output = self.vm.call(f"memtest {command}", timeout=timeout)
        self.workload = code == 0, output.strip()

    def start_workload(self):
        self.ask_workload(f"start {WORKLOAD_MIB} --procs=2")
        self.working = True

    def stop_workload(self):
        self.ask_workload("stop")
        self.working = False


def describe(state, workload):
    text = f"{state.offline:6} offline, {state.refcounted} with a refcount"
    if state.debugfs:
        text = (f"{state.offline:6} offline ({state.total('never_onlined')} never onlined, "
                f"{state.total('skippable')} skippable), {state.refcounted} with a refcount")
    if workload:
        text += ", data " + ("intact" if workload[0] else "LOST: " + workload[1])
    return text


def table(state):
    """Of the device's memory blocks; numbers are pages."""
    yield (f"{'memory block':>12}  {'zone':8}{'plugged':>9}{'offline':>9}{'never onlined':>15}"
           f"{'skippable':>11}{'refcount != 0':>15}")
    for block in state.blocks:
        online = block["state"] == "online"
        plugged = block["pages"] - block["offline"] if online else "-"
        cells = [plugged] + [block[key] if block[key] is not None else "-" for key in
                             ("offline", "never_onlined", "skippable", "refcounted")]
        yield (f"{block['block']:>12}  {block['zone'] if online else block['state']:8}"
               f"{cells[0]:>9}{cells[1]:>9}{cells[2]:>15}{cells[3]:>11}{cells[4]:>15}")
    plugged = sum(block["pages"] - block["offline"] for block in state.online_blocks)
    yield (f"all of them: {plugged} pages plugged = {plugged * PAGE // MIB} MiB; "
           f"the device says {state.plugged // MIB} MiB; "
           f"MemTotal grew by {state.growth // MIB} MiB")


def verdict(looks, workload, splats, want_flags):
    """
    looks: the State after each step. workload: (intact?, its last words). Returns the one line that
    counts, and what is wrong, a line each: nothing is the only success.
    """
    seen = sum(state.offline for state in looks)
    refcounted = sum(state.refcounted for state in looks)
    line = (f"{seen} offline pages seen in {len(looks)} looks, "
            f"{refcounted} of them with a refcount other than 0")
    wrong = []
    if not seen:
        wrong.append("no page was offline: nothing is shown")
    if refcounted:
        wrong.append("offline pages carry a reference count")
    if not workload or not workload[0]:
        wrong.append(f"the workload's data is not intact: {workload[1] if workload else 'not run'}")
    if want_flags and not all(state.debugfs for state in looks):
        wrong.append("the kernel does not tell which offline pages are skippable")
    for number, state in enumerate(looks, 1):
        wrong += [f"look {number}: {problem}" for problem in state.miscounts()]
    wrong += [f"kernel log: {splat}" for splat in splats]
    return line, wrong


def tell(story):
    """The story itself; every step is looked at."""
    story.step("boot, the device is empty", lambda: None)
    story.grow_or_shrink(448)
    story.step(f"fill {WORKLOAD_MIB} MiB with checksummed data", story.start_workload)
    story.grow_or_shrink(330)
    story.reonline_partial_blocks()
    story.grow_or_shrink(362)
    story.reonline_partial_blocks()
    story.grow_or_shrink(702)
    story.grow_or_shrink(434)
    story.reonline_partial_blocks()
    story.grow_or_shrink(858)
    story.step("verify all data and stop", story.stop_workload)


def paint(text, good):
    if not sys.stdout.isatty():
        return text
    return f"\033[{32 if good else 31}m{text}\033[0m"


def draw(story, stock):
    """What was seen, as pictures; whatever comes of it, the verdict is the same."""
    title = ("Memory of a guest that grows and shrinks under load, "
             f"{'stock' if stock else 'patched'} kernel")
    told = story.frames[0].told
    versions = (f"Linux {told['kernel']}, {qemu_version()}, {platform.machine()} host, "
                f"{time.strftime('%Y-%m-%d', time.gmtime(told['time']))}")
    try:
        paths = picture.draw(story.frames, BUILD / ("demo-stock" if stock else "demo"), title, versions)
    except (LabError, OSError, subprocess.CalledProcessError) as error:
        say(f"no pictures: {error}")
    else:
        say(f"drawn: {', '.join(shown(path) for path in paths)}")


def qemu_version():
    text = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True).stdout
    return "QEMU " + (re.search(r"version ([\d.]+)", text) or ["", "?"])[1]


def demo(stock=False):
    """Returns the exit code: 0 if all that was to be shown was seen."""
    return show(kernel.build("stock" if stock else "linux", "guest"), stock)


def show(image, stock):
    print(f"booting a guest with {BOOT_MEMORY} and a virtio-mem device of {DEVICE_MEMORY}, "
          f"{'unpatched' if stock else 'patched'} kernel", flush=True)
    with VM("demo-stock" if stock else "demo", image, memory=BOOT_MEMORY, maxmem="8G", slots=4,
            append="memhp_default_state=online_movable",
            args=virtio_mem("vmem0", DEVICE_MEMORY)) as vm:
        story = Story(vm)
        tell(story)
        print()
        for row in table(story.looks[-1]):
            print(row)
        line, wrong = verdict(story.looks, story.workload, vm.splats(), want_flags=not stock)
    draw(story, stock)
    print(paint(line, good=not wrong))
    for problem in wrong:
        print(paint(f"wrong: {problem}", good=False))
    return 1 if wrong else 0
