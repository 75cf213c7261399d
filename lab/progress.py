"""What long work tells while it goes on.

Written to the real stderr, so that it is seen from inside pytest as well, which
takes sys.stderr away (lab/check.py).
"""

import sys
import time


def say(text):
    print(text, file=sys.__stderr__, flush=True)


class Progress:
    """One line that is rewritten on a terminal, a line now and then in a log."""

    def __init__(self, label):
        self.label = label
        self.tty = sys.__stderr__.isatty()
        self.start = time.monotonic()
        self.interval = 0.5 if self.tty else 15
        self.next = self.start + self.interval

    def tick(self, text):
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + self.interval
            self._show(text, end="" if self.tty else "\n")

    def done(self, text="done"):
        self._show(text, end="\n")

    def _show(self, text, end):
        seconds = int(time.monotonic() - self.start)
        print(f"{chr(13) if self.tty else ''}{self.label}: {text} "
              f"({seconds // 60}:{seconds % 60:02})"
              f"{chr(27) + '[K' if self.tty else ''}",
              end=end, file=sys.__stderr__, flush=True)
