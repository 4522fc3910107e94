"""
The taps of one worker, which its parent opens, empties and ends by questions.

An answer never waits: the parent asks again, and a tap that nobody empties any more ends by itself.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core import Clock, Host
from bridge.extensions.admin.tap_match import TapMatcher
from bridge.extensions.admin.tapping import Tap

LEASE_S = 15.0
"""Seconds without a question after which a tap ends: whoever looked is gone."""

OPEN_MAX = 16
"""Taps at the same time, those included whose lease is still to end."""

ANSWER_BYTES_MAX = 1024 * 1024
"""Bytes of items in one answer; the rest comes with the next."""


@dataclass(slots=True)
class _Open:
    tap: Tap
    end: Callable[[], None]
    lease: asyncio.TimerHandle


class TapDesk:
    """
    Answers what `bridge.extensions.admin.looks.WorkersLook` asks.

    ``{"do": "open", "tap": ID, "stage": ..., "where": ..., "limit": ...}`` is answered by ``{}``,
    also where that tap is open already, or by ``{"refused": "where" | "stage", "text": ...}``;
    ``next`` by ``events`` and counts, or ``{"unknown": true}``; ``end`` by ``{}``.
    """

    def __init__(self, host: Host, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._open: dict[str, _Open] = {}

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is asked; wrong conditions and stages are an answer too."""
        tap_id = str(question["tap"])
        match question["do"]:
            case "open":
                return self._begin(tap_id, question)
            case "next":
                return self._next(tap_id)
            case _:
                self._end(tap_id)
                return {}

    def _begin(self, tap_id: str, question: Mapping[str, Any]) -> dict[str, Any]:
        if tap_id in self._open:
            return {}
        if len(self._open) >= OPEN_MAX:
            return {"refused": "stage", "text": "too many taps are open: end one first"}
        try:
            tap = Tap(TapMatcher(question["where"]), question["limit"], self._clock)
        except ValueError as error:
            return {"refused": "where", "text": str(error)}
        try:
            end = self._host.watch(question["stage"], tap)
        except LookupError as error:
            return {"refused": "stage", "text": error.args[0]}
        self._open[tap_id] = _Open(tap, end, self._lease(tap_id))
        return {}

    def _next(self, tap_id: str) -> dict[str, Any]:
        found = self._open.get(tap_id)
        if found is None:
            return {"unknown": True}
        found.lease.cancel()
        found.lease = self._lease(tap_id)
        tap = found.tap
        events = [event.to_json() for event in tap.take(ANSWER_BYTES_MAX)]
        return {"events": events, "seen": tap.seen, "missed": tap.missed}

    def _end(self, tap_id: str) -> None:
        found = self._open.pop(tap_id, None)
        if found is not None:
            found.lease.cancel()
            found.end()

    def _lease(self, tap_id: str) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(LEASE_S, self._end, tap_id)
