"""How far long work is: a line that moves on a terminal, plain lines now and then elsewhere."""

import sys
import time
from typing import TextIO

PLAIN_EVERY_S = 5.0
"""Seconds between plain lines."""

_MOVING_EVERY_S = 0.1


class Progress:
    """
    Tells on standard error how far work is. Nothing for work that ends at once.

    Args:
        what:
            The work, as in ``reading``.
        unit:
            What is counted, in the plural.
    """

    def __init__(self, what: str, unit: str, stream: TextIO | None = None) -> None:
        self._what = what
        self._unit = unit
        self._stream = sys.stderr if stream is None else stream
        self._moving = self._stream.isatty()
        self._every_s = _MOVING_EVERY_S if self._moving else PLAIN_EVERY_S
        # What changes: when the last line was written, and how long it is.
        self._last_s = time.monotonic()
        self._width = 0

    def show(self, done: int, total: int) -> None:
        """Say that *done* of *total* are done, if it is time for that."""
        now_s = time.monotonic()
        if now_s - self._last_s < self._every_s:
            return
        self._last_s = now_s
        share = f" ({done * 100 // total} %)" if total else ""
        line = f"{self._what}: {done:,} of {total:,} {self._unit}{share}"
        if self._moving:
            print(f"\r{line.ljust(self._width)}", end="", file=self._stream, flush=True)
            self._width = len(line)
        else:
            print(line, file=self._stream, flush=True)

    def end(self) -> None:
        """Leave the terminal clean."""
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=self._stream, flush=True)
            self._width = 0
