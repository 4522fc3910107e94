"""Time as a dependency: a clock that tests can drive, and deadlines on it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Where time comes from. Durations are measured on `monotonic`, records dated by `wall`."""

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean anything."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch; may jump."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait at least *seconds*; zero or less only yields."""
        ...


class SystemClock:
    """The machine's clocks and the running loop's sleep."""

    def monotonic(self) -> float:
        """Seconds of the system's monotonic clock."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running loop."""
        await asyncio.sleep(seconds)


class SteadyWall:
    """
    The wall clock without its jumps, for waiting in the time of records.

    A wall clock that is set anew, by an hour or by a second, is not time that passed: what waits
    would be decided early or held. Between two readings this clock moves by what `monotonic` says;
    a difference to the wall of more than `STEP_S` is made good slowly, by `SLEW` of the time that
    passes, and a smaller one at once.
    """

    STEP_S = 0.25
    SLEW = 0.1

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._monotonic = clock.monotonic()
        self._wall = clock.wall()

    def now(self) -> float:
        """Seconds since the Unix epoch, as far as this clock knows."""
        monotonic = self._clock.monotonic()
        elapsed = monotonic - self._monotonic
        expected = self._wall + elapsed
        off = self._clock.wall() - expected
        if abs(off) > self.STEP_S:
            slewed = elapsed * self.SLEW
            off = min(slewed, max(-slewed, off))
        self._monotonic = monotonic
        self._wall = expected + off
        return self._wall


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a clock's monotonic scale after which nobody waits any more."""

    at: float
    clock: Clock

    @classmethod
    def after(cls, seconds: float, clock: Clock) -> "Deadline":
        """The deadline *seconds* from now."""
        return cls(clock.monotonic() + seconds, clock)

    @property
    def remaining_s(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def expired(self) -> bool:
        """Whether the moment has passed."""
        return self.clock.monotonic() >= self.at
