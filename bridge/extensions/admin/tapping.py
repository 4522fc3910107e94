"""One tap: what it has seen, within its bounds. It never waits and never holds a batch back."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core import Batch, BridgeError, Clock
from bridge.extensions.admin.tap_match import Matched, TapMatcher
from bridge.wire import otlp_json

EVENTS_MAX = 256
"""Events that wait to be sent; further ones are counted as missed."""

WAITING_BYTES_MAX = 8 * 1024 * 1024
"""Bytes of matched items that wait to be sent."""

SHOWN_BYTES_MAX = 256 * 1024
"""Bytes of one batch's matched items that are shown; of more only the numbers are."""

OUTCOMES_S = 2.0
"""Seconds for which the outcomes of the last batches are waited for."""

SHARE_MAX = 0.1
"""Of the time that passes, what matching may take: looking must not slow the work."""

_HEAD_START_S = 0.05


@dataclass(frozen=True, slots=True)
class TapEvent:
    """One line of the answer; `matched` is shown as OTLP/JSON beside `fields`."""

    fields: Mapping[str, Any]
    batch: Batch | None = None
    matched: Matched | None = None

    @property
    def kept_bytes(self) -> int:
        """Bytes of the items that are shown."""
        return 0 if self.matched is None else len(self.matched.body)

    def to_json(self) -> dict[str, Any]:
        """All of it as one JSON object."""
        fields: dict[str, Any] = dict(self.fields)
        if self.matched is not None and self.batch is not None:
            shown = otlp_json.encode(self.batch.signal, self.matched.body)
            fields["request"] = json.loads(shown)
        return fields


class Tap:
    """
    A watcher that keeps what matches until it is sent.

    Args:
        limit: Batches with a match to show; then `done` is set.
    """

    def __init__(self, matcher: TapMatcher, limit: int, clock: Clock) -> None:
        self._matcher = matcher
        self._limit = limit
        self._clock = clock
        self._began_s = clock.monotonic()
        self._spent_s = 0.0
        self._shown_s = self._began_s
        # What changes: what waits, and what was seen.
        self._waiting: asyncio.Queue[TapEvent] = asyncio.Queue(EVENTS_MAX)
        self._waiting_bytes = 0
        self._open: set[int] = set()
        self.seen = 0
        self.shown = 0
        self.missed = 0

    @property
    def complete(self) -> bool:
        """
        Whether as many batches as wanted were shown, and have left or are held for long.

        A sampler keeps what it took until its trace is decided: that is not waited for.
        """
        if self.shown < self._limit or not self._waiting.empty():
            return False
        return not self._open or self._clock.monotonic() - self._shown_s >= OUTCOMES_S

    def entered(self, stage: str, batch: Batch) -> object:
        """Keep *batch* if something in it matches and there is room."""
        self.seen += 1
        if self.shown >= self._limit:
            return None
        began_s = self._clock.monotonic()
        if self._spent_s > _HEAD_START_S + (began_s - self._began_s) * SHARE_MAX:
            self.missed += 1
            return None
        try:
            matched = self._matcher.match(batch.signal, batch.body, batch.items)
        except BridgeError:
            matched = None  # Broken data is the stage's affair.
        self._spent_s += self._clock.monotonic() - began_s
        if matched is None:
            return None
        too_large = len(matched.body) > SHOWN_BYTES_MAX
        kept_bytes = 0 if too_large else len(matched.body)
        if self._waiting.full() or self._waiting_bytes + kept_bytes > WAITING_BYTES_MAX:
            self.missed += 1
            return None
        self.shown += 1
        self._shown_s = began_s
        number = self.shown
        self._waiting_bytes += kept_bytes
        fields = {
            "event": "batch",
            "number": number,
            "stage": stage,
            "signal": batch.signal.value,
            "items": batch.items,
            "matched": matched.items,
            **_origin(batch),
        }
        if too_large:
            fields["too_large_bytes"] = len(matched.body)
        self._waiting.put_nowait(TapEvent(fields, batch, None if too_large else matched))
        self._open.add(number)
        return number, self._clock.monotonic()

    def left(self, token: object, error: BaseException | None) -> None:
        """Tell how a batch that is shown was answered."""
        if not isinstance(token, tuple):
            return
        number, entered_s = token
        self._open.discard(number)
        fields: dict[str, Any] = {
            "event": "outcome",
            "number": number,
            "outcome": "taken" if error is None else type(error).__name__,
            "seconds": round(self._clock.monotonic() - entered_s, 6),
        }
        if error is not None and str(error):
            fields["reason"] = str(error)
        if not self._waiting.full():
            self._waiting.put_nowait(TapEvent(fields))

    async def next(self, timeout_s: float) -> TapEvent | None:
        """What waits longest; `None` if nothing comes within *timeout_s* seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                event = await self._waiting.get()
        except TimeoutError:
            return None
        self._waiting_bytes -= event.kept_bytes
        return event

    def take(self, bytes_max: int) -> list[TapEvent]:
        """What waits longest, up to *bytes_max* of shown items and at least one."""
        taken: list[TapEvent] = []
        taken_bytes = 0
        while not self._waiting.empty() and (not taken or taken_bytes < bytes_max):
            event = self._waiting.get_nowait()
            self._waiting_bytes -= event.kept_bytes
            taken_bytes += event.kept_bytes
            taken.append(event)
        return taken


def _origin(batch: Batch) -> dict[str, Any]:
    origin = batch.origin
    found: dict[str, Any] = {"source": origin.source}
    if origin.custody is not None and origin.records:
        found |= {
            "topic": origin.custody.topic,
            "partition": origin.custody.partition,
            "first_offset": origin.records[0].offset,
            "last_offset": origin.records[-1].offset,
        }
    return found
