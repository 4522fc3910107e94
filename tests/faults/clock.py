"""A wall clock that scenarios move, by a small library loaded before all others."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

HOUR_S, DAY_S = 3600, 86_400


class Clock:
    """A wall clock that can be moved, for processes that start while it is attached."""

    def __init__(self, library: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._library = library
        self._file = file
        self._environment = monkeypatch
        self.move(0)

    def attach(self) -> None:
        """Processes that start from now on have this clock."""
        self._environment.setenv("LD_PRELOAD", str(self._library))
        self._environment.setenv("CLOCK_SHIM", str(self._file))

    def detach(self) -> None:
        """Processes that start from now on have the true one."""
        self._environment.delenv("LD_PRELOAD")
        self._environment.delenv("CLOCK_SHIM")

    def move(self, seconds: int) -> None:
        """Set the clock so many seconds off the truth."""
        # In place: the processes have the file mapped.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))


def build_clock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """An attached clock that tells the truth at first; skips without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the clock shim with")
    library = folder / "clock.so"
    source = Path(__file__).with_name("clock_shim.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True
    )
    made = Clock(library, folder / "clock", monkeypatch)
    made.attach()
    return made
