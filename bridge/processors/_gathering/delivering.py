"""Delivering what was sampled: together, again, and in halves to find what is refused."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bridge.core import (
    Batch,
    Custody,
    Denied,
    Origin,
    Permanent,
    Retryable,
    Settings,
    Signal,
    Stage,
)
from bridge.flow import Backoff, Health
from bridge.processors._gathering.engine import Engine, Taken
from bridge.processors._gathering.journal import Journal
from bridge.processors._gathering.request import request_of
from bridge.processors._gathering.telemetry import Telemetry

log = structlog.get_logger()

RETRY = Backoff(initial_s=0.5, multiplier=2.0, spread=0.5, max_s=30.0, hint_max_s=60.0)
"""Waits between attempts to deliver; exporters repeat by themselves, so this is for the rest."""

_RETRY_DRAW = 0.5  # The exporters behind spread their attempts; here a steady wait will do.


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    How sampled traces travel on.

    `bytes_max` bounds one batch of them, `in_flight_max` how many are under way at a time.
    """

    bytes_max: int = 4 * 1024 * 1024
    in_flight_max: int = 4


class Deliverer:
    """
    Sees to it that sampled traces arrive, or are told to be refused.

    Args:
        act:
            Called when the engine's books have changed.
        journal:
            What must be written before anything is delivered.
    """

    def __init__(
        self,
        engine: Engine,
        telemetry: Telemetry,
        settings: Settings,
        downstream: Stage,
        act: Callable[[], None],
        journal: Journal | None = None,
    ) -> None:
        self._journal = journal
        self._engine = engine
        self._telemetry = telemetry
        self._clock = settings.clock
        self._source = str(settings.id)
        self._downstream = downstream
        self._act = act
        self._health = Health(settings, "downstream")
        # What changes: what is in our hands, also between attempts; and who waits for an attempt.
        self._in_hand: dict[int, Taken] = {}
        self._landed = asyncio.Event()

    @property
    def in_hand(self) -> int:
        """How many deliveries are under way, or wait for their next attempt, of data still ours."""
        return sum(any(not lane.ended for lane, _ in taken) for taken in self._in_hand.values())

    async def wait_quiet(self, partition: Custody) -> None:
        """Wait until no attempt with traces of *partition* is under way."""
        while self._engine.is_under_way(partition):
            self._landed.clear()
            await self._landed.wait()

    async def deliver(self, taken: Taken) -> None:
        """
        Deliver sampled traces together, again and again as long as that may help.

        Those that are refused are found by halving. Between two attempts partitions may be lost.

        Cancellation:
            What was not delivered waits again in the engine.
        """
        token = id(taken)
        self._in_hand[token] = taken
        try:
            if self._journal is not None:
                await self._wait_written(self._journal, taken)
            await self._deliver(taken)
        finally:
            del self._in_hand[token]

    async def _wait_written(self, journal: Journal, taken: Taken) -> None:
        try:
            await journal.wait_written()
        except asyncio.CancelledError:
            self._engine.give_back(taken)
            raise

    async def _deliver(self, taken: Taken) -> None:
        failures = 0
        while taken := self._engine.still_wanted(taken):
            try:
                await self._attempt(taken)
            except Permanent as error:
                if len(taken) > 1:
                    middle = len(taken) // 2
                    await self._deliver(taken[:middle])
                    await self._deliver(taken[middle:])
                else:
                    self._refuse(taken, error)
                    self._act()
                return
            except (Retryable, Denied) as error:
                failures += 1
                wait_s = self._failed(error, failures)
            except asyncio.CancelledError:
                self._engine.give_back(taken)
                raise
            else:
                self._health.succeeded()
                self._telemetry.delivered_spans.add(sum(trace.spans for _, trace in taken))
                self._engine.delivered(taken)
                self._act()
                return
            try:
                await self._clock.sleep(wait_s)
            except asyncio.CancelledError:
                self._engine.give_back(taken)
                raise

    async def _attempt(self, taken: Taken) -> None:
        body = request_of([trace for _, trace in taken])
        spans = sum([trace.spans for _, trace in taken])
        batch = Batch(Signal.TRACES, body, spans, Origin(self._source))
        lanes = Counter([lane for lane, _ in taken])
        for lane, count in lanes.items():
            lane.under_way += count
        try:
            await self._downstream.deliver(batch)
        finally:
            for lane, count in lanes.items():
                lane.under_way -= count
            self._landed.set()

    def _failed(self, error: Retryable | Denied, failures: int) -> float:
        """Tell of an attempt that may succeed later; seconds until the next one."""
        self._telemetry.delivery_retries.add()
        if isinstance(error, Denied):
            self._health.denied(error)
            return RETRY.max_s
        self._health.failed(error, durable=True)
        return RETRY.wait_s(failures, error.retry_after_s, _RETRY_DRAW)

    def _refuse(self, taken: Taken, error: Permanent) -> None:
        for lane, trace in taken:
            self._telemetry.refused_spans.add(trace.spans)
            if lane.custody is None:
                log.error(
                    "sampled_trace_refused", trace_id=trace.trace_id.hex(), spans=trace.spans,
                    reason=str(error),
                )  # fmt: skip
            self._engine.refused(trace, error)
