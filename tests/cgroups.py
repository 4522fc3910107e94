"""Memory and CPU cgroups of processes, where this machine lets us make them (version 1 or 2)."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 10_000


class NoCgroup(Exception):
    """A group cannot be made here: no rights, or no such controller."""


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """A group with a limit of memory; the kernel ends what goes above it."""

    folder: Path

    def peak_mib(self) -> int:
        """The most that the group ever held, with its part of the page cache."""
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            file = self.folder / name
            if file.exists():
                return int(file.read_text()) >> 20
        return 0

    def kills(self) -> int:
        """How often the kernel ended a process of the group for want of memory."""
        for name in ("memory.oom_control", "memory.events"):
            file = self.folder / name
            if file.exists():
                pairs = dict(line.split() for line in file.read_text().splitlines())
                return int(pairs.get("oom_kill", 0))
        return 0


@contextlib.contextmanager
def memory_group(pid: int, limit_mib: int) -> Iterator[MemoryGroup]:
    """
    A group with *pid* and what it starts from now on.

    Raises:
        NoCgroup: If it cannot be made.
    """
    limit = str(limit_mib << 20)
    with _group(pid, "memory", {"memory.limit_in_bytes": limit}, {"memory.max": limit}) as folder:
        yield MemoryGroup(folder)


@contextlib.contextmanager
def cpu_group(pid: int, percent: float) -> Iterator[None]:
    """
    The same with so many percent of one core, dealt out every 10 ms.

    Raises:
        NoCgroup: If it cannot be made.
    """
    quota = f"{max(1000, round(PERIOD_US * percent / 100))}"
    first = {"cpu.cfs_period_us": f"{PERIOD_US}", "cpu.cfs_quota_us": quota}
    with _group(pid, "cpu", first, {"cpu.max": f"{quota} {PERIOD_US}"}):
        yield


@contextlib.contextmanager
def _group(
    pid: int, controller: str, first: dict[str, str], second: dict[str, str]
) -> Iterator[Path]:
    """A group with the settings of version 1 or of version 2, whichever there is."""
    old = ROOT / controller
    top, settings = (old, first) if (old / "cgroup.procs").exists() else (ROOT, second)
    folder = top / f"otlp-bridge-{pid}-{os.getpid()}"
    try:
        folder.mkdir()
        for name, value in settings.items():
            (folder / name).write_text(value)
        (folder / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise NoCgroup(f"no {controller} cgroup can be made here: {error}") from error
    try:
        yield folder
    finally:
        # A group goes when nothing is in it any more.
        with contextlib.suppress(OSError):
            for member in (folder / "cgroup.procs").read_text().split():
                (top / "cgroup.procs").write_text(member)
        with contextlib.suppress(OSError):
            folder.rmdir()
