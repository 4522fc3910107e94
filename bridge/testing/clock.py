"""A clock that a test drives by hand."""

import asyncio
import heapq
from itertools import count

WALL_START_S = 1_750_000_000.0
"""A Unix time that no test compares with today's."""

_SETTLE_ROUNDS = 25


class ManualClock:
    """
    Time that passes only in `advance`. Fulfils `bridge.core.Clock`.

    Args:
        start_s:
            First value of `monotonic`; not zero, so that "unset" and "now" differ.
        wall_s:
            First value of `wall`, in seconds since the Unix epoch.
    """

    def __init__(self, start_s: float = 1000.0, wall_s: float = WALL_START_S) -> None:
        # What changes: the two clocks, and who sleeps until when.
        self._now_s = start_s
        self._wall_s = wall_s
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._changed = asyncio.Event()

    def monotonic(self) -> float:
        """Seconds moved by `advance` only."""
        return self._now_s

    def wall(self) -> float:
        """Seconds since the Unix epoch; moved by `advance` and `set_wall`."""
        return self._wall_s

    def set_wall(self, seconds: float) -> None:
        """Let the wall clock jump; nobody wakes."""
        self._wall_s = seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was advanced by *seconds*; zero or less only yields."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.Event()
        entry = (self._now_s + seconds, next(self._order), woken)
        heapq.heappush(self._sleepers, entry)
        self._changed.set()
        try:
            await woken.wait()
        finally:
            if entry in self._sleepers:
                self._sleepers.remove(entry)
                heapq.heapify(self._sleepers)

    @property
    def sleeping(self) -> int:
        """How many tasks sleep."""
        return len(self._sleepers)

    async def wait_sleeping(self, count_min: int = 1) -> None:
        """Return once at least *count_min* tasks sleep on this clock."""
        while len(self._sleepers) < count_min:
            self._changed.clear()
            await self._changed.wait()

    async def advance(self, seconds: float) -> None:
        """
        Let time pass, wake every sleeper at its own moment, and let what wakes run.

        Sleeps that begin while time passes are woken as well when they end within it.
        """
        target_s = self._now_s + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target_s:
            at_s, _, woken = heapq.heappop(self._sleepers)
            self._move(max(at_s, self._now_s))
            woken.set()
            await settle()
        self._move(target_s)
        await settle()

    def _move(self, to_s: float) -> None:
        self._wall_s += to_s - self._now_s
        self._now_s = to_s


async def settle(rounds: int = _SETTLE_ROUNDS) -> None:
    """Let the loop turn until tasks that can run without time or sockets have run."""
    for _ in range(rounds):
        await asyncio.sleep(0)
