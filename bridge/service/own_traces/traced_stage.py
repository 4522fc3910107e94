"""
Which deliveries are followed, and the stage that notes them.

The span of the moment travels in a context variable: whoever delivers further on within it, or in a
task made within it, makes its children. Nothing of the data is touched and nobody waits longer.
"""

import random
import secrets
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

from bridge.core import Batch, Beginner, Clock, Outcome, Pending, Receipt, Stage
from bridge.service.own_traces.spans import Span, attributes_of, verb_of
from bridge.service.places import Place

_current: ContextVar[Span | None] = ContextVar("own_span", default=None)


class Tracer:
    """
    Chooses what is followed, and hands over what has ended.

    Args:
        ratio: Share of what comes in, from 0 to 1.
        mark:
            Bytes that are in every request with spans of this service: data that holds them is
            never followed, whichever way it came back.
        take: Takes a span that has ended.
        chance: Gives a number from 0 to 1.
    """

    def __init__(
        self,
        ratio: float,
        mark: bytes,
        take: Callable[[Span], None],
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._ratio = ratio
        self._mark = mark
        self._take = take
        self._clock = clock
        self._chance = chance

    def begin(self, place: Place, batch: Batch) -> Span | None:
        """A span for *batch* at *place*; `None` if it is not followed."""
        parent = _current.get()
        if parent is not None and not parent.ended:
            trace_id, parent_id = parent.trace_id, parent.span_id
        elif place.begins and self._chance() < self._ratio and self._mark not in batch.body:
            trace_id, parent_id = secrets.token_bytes(16), b""
        else:
            return None
        verb = verb_of(place)
        return Span(
            trace_id,
            secrets.token_bytes(8),
            parent_id,
            verb,
            f"{verb} {place.name.partition('/')[2].partition('@')[0]}",
            self._now_ns(),
            attributes_of(place, batch),
        )

    def end(self, span: Span, outcome: Receipt | BaseException | None) -> None:
        """Hand *span* over, with how it ended."""
        span.end(self._now_ns(), outcome)
        self._take(span)

    def observe(self, stage: Stage, place: Place) -> Stage:
        """What stands for *stage* at *place*."""
        return TracedStage(stage, place, self)

    def _now_ns(self) -> int:
        return int(self._clock.wall() * 1e9)


class TracedStage:
    """A stage in front of another, which is delivered to in any case and alike."""

    def __init__(self, stage: Stage, place: Place, tracer: Tracer) -> None:
        self._stage = stage
        self._place = place
        self._tracer = tracer
        self._beginner = stage if isinstance(stage, Beginner) else None

    def __repr__(self) -> str:
        return f"TracedStage({self._place.name})"

    def deliver(self, batch: Batch) -> Coroutine[Any, Any, Receipt]:
        """As the stage behind; what is not followed costs no coroutine more."""
        span = self._tracer.begin(self._place, batch)
        return self._stage.deliver(batch) if span is None else self._deliver(batch, span)

    async def _deliver(self, batch: Batch, span: Span) -> Receipt:
        token = _current.set(span)
        try:
            receipt = await self._stage.deliver(batch)
        except BaseException as error:
            self._tracer.end(span, error)
            raise
        finally:
            _current.reset(token)
        self._tracer.end(span, receipt)
        return receipt

    @property
    def begins(self) -> bool:
        """As the stage behind."""
        return self._beginner is not None and self._beginner.begins

    def begin_delivery(self, batch: Batch, settle: Callable[[Outcome], None]) -> Pending | None:
        """As the stage behind, if it can."""
        if self._beginner is None:
            return None
        span = self._tracer.begin(self._place, batch)
        if span is None:
            return self._beginner.begin_delivery(batch, settle)

        def settled(outcome: Outcome) -> None:
            self._tracer.end(span, outcome)
            settle(outcome)

        token = _current.set(span)
        try:
            pending = self._beginner.begin_delivery(batch, settled)
        except BaseException as error:
            self._tracer.end(span, error)
            raise
        finally:
            _current.reset(token)
        if pending is None:
            # Nothing was touched: whoever asked delivers, and that is followed or not anew.
            span.ended = True
        return pending
