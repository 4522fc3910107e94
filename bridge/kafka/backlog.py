"""
What waits for Kafka, bounded in bytes and in the time that it will take to be written.

A bound in bytes alone bounds memory, not waiting: when more comes than Kafka takes, everything that
is taken waits for as long as the budget is deep, until answers come too late for their senders and
the same data is sent again.
"""

import math
from dataclasses import dataclass

from bridge.core import Clock, Overloaded

FREE_BYTES = 1024 * 1024
"""So much may wait for any time: below it there is no backlog whose pace could be measured."""

EVIDENCE_S = 0.25
"""Seconds for which a backlog must have stood before its pace is judged."""

PATIENCE_S = 0.5
"""Seconds for which it must be too long before anybody is refused: bursts and hiccups pass."""

WINDOW_S = 1.0
"""The pace is that of the last one to two windows."""

CALM_S = 2.0
"""Seconds without a refusal after which a backlog may be long again for `PATIENCE_S`."""

FLIGHTS = 3.0
"""What comes waits for the batch in flight, for its own, and for what one of both is late."""

FLIGHT_KNOWN_S = 300.0
"""After so long without a flight that was as short, the shortest one may have become longer."""


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """Bytes that may be held, and seconds that writing them may take; 0 seconds for no bound."""

    bytes_max: int
    wait_s_max: float = 0.0


class Backlog:
    """Who may still come. Synchronous: whoever may not is told so at once, nobody queues."""

    __slots__ = (
        *("_clock", "_flight_s", "_flight_at_s", "_limits", "_newer", "_older", "_over_since_s"),
        *("_refused_at_s", "_refusing", "_written_bytes", "held_bytes"),
    )

    def __init__(self, limits: BacklogLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        # What changes: bytes taken and not released, bytes written in all, the last two marks of
        # time and bytes written while a backlog stood, since when it is too long, whether and when
        # somebody was refused for that, and the shortest flight and when it was.
        self.held_bytes = 0
        self._written_bytes = 0
        self._older: tuple[float, int] | None = None
        self._newer = (0.0, 0)
        self._over_since_s = math.inf
        self._refusing, self._refused_at_s = False, 0.0
        self._flight_s, self._flight_at_s = 0.0, -math.inf

    def __repr__(self) -> str:
        return f"<Backlog {self.held_bytes} of {self._limits.bytes_max} bytes>"

    def admit(self, body_bytes: int, own_bytes: int = 0, *, patient: bool = False) -> None:
        """
        Charge a request, or copies of one of which *own_bytes* are charged already.

        `release` gives them back. Alone, any request fits with its copies.

        Args:
            patient: Whether it may wait for any time: what comes from Kafka is kept there.

        Raises:
            Overloaded: If the budget is used up, or what waits would take too long.
        """
        held = self.held_bytes
        if held > own_bytes and held + body_bytes > self._limits.bytes_max:
            raise Overloaded(
                f"{held} of {self._limits.bytes_max} bytes wait for Kafka "
                "(producer.max_buffered_bytes)"
            )
        if held <= FREE_BYTES:
            if not self._refusing:
                self._older, self._over_since_s = None, math.inf
        elif self._limits.wait_s_max and not (own_bytes or patient):
            self._check_wait(held)
        self.held_bytes = held + body_bytes

    def release(self, body_bytes: int) -> None:
        """Give back what `admit` charged."""
        self.held_bytes -= body_bytes

    def written(self, record_bytes: int) -> None:
        """Kafka has so many bytes more."""
        self._written_bytes += record_bytes

    def flew(self, began_s: float) -> None:
        """A batch that went out at *began_s* was acknowledged now, at the first attempt."""
        now_s = self._clock.monotonic()
        flight_s = now_s - began_s
        if flight_s <= self._flight_s:
            self._flight_s, self._flight_at_s = flight_s, now_s
        elif now_s - self._flight_at_s >= FLIGHT_KNOWN_S:
            # Under a lasting overload every flight is long: the bound must not follow it at once.
            known_s = self._flight_s
            self._flight_s = min(flight_s, 2 * known_s) if known_s else flight_s
            self._flight_at_s = now_s

    def _check_wait(self, held: int) -> None:
        now_s = self._clock.monotonic()
        if self._older is None:
            self._older = self._newer = (now_s, self._written_bytes)
            return
        if now_s - self._newer[0] >= WINDOW_S:
            self._older, self._newer = self._newer, (now_s, self._written_bytes)
        since_s, written_before = self._older
        elapsed_s = now_s - since_s
        if elapsed_s < EVIDENCE_S:
            return
        allowed_s = max(self._limits.wait_s_max, FLIGHTS * self._flight_s)
        written = self._written_bytes - written_before
        if held * elapsed_s > allowed_s * written:
            self._over_since_s = min(self._over_since_s, now_s)
            self._refusing = self._refusing or now_s - self._over_since_s >= PATIENCE_S
            if self._refusing:
                self._refused_at_s = now_s
                pace = f"{written / elapsed_s:.0f} bytes/s"
                raise Overloaded(
                    f"{held} bytes wait for Kafka, which takes {pace}: more than {allowed_s:.2g} s "
                    "(producer.max_wait)"
                )
        else:
            # Acknowledgements come in lumps: a moment of little held is not the end of too much.
            self._over_since_s = math.inf
            self._refusing = self._refusing and now_s - self._refused_at_s < CALM_S
