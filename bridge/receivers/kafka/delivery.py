"""Delivering what a lane gives: again, in parts, or not at all."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import structlog

from bridge import wire
from bridge.core import (
    Batch,
    DeliveryError,
    Denied,
    Origin,
    Permanent,
    Record,
    Retryable,
    Settings,
    Signal,
    Unavailable,
)
from bridge.flow import (
    Backoff,
    Chunk,
    Health,
    JoinedRecords,
    Lane,
    ReadRecord,
    consecutive,
    offsets_of,
)
from bridge.receivers.kafka.poison import Poison
from bridge.receivers.kafka.reading import with_offset
from bridge.receivers.kafka.route import DENIED_INTERVAL_S, Route
from bridge.receivers.kafka.showing import Showing

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Marking:
    """
    When records count as done although nobody took them; either loses data.

    Args:
        on_read: As soon as they are read: at most once.
        give_up_after_s: After so many seconds of errors that may pass; `None` for never.
    """

    on_read: bool = False
    give_up_after_s: float | None = None


class Delivery:
    """Sees to it that every record of a chunk is delivered, set aside, or holds its partition."""

    def __init__(
        self,
        settings: Settings,
        backoff: Backoff,
        marking: Marking,
        poison: Poison,
        showing: Showing,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._clock = settings.clock
        self._source = str(settings.id)
        self._backoff = backoff
        self._marking = marking
        self._poison = poison
        self._showing = showing
        self._draw = draw
        self._health = Health(settings)

    async def deliver(self, lane: Lane, chunk: Chunk, route: Route) -> None:
        """
        Deliver *chunk*, trying again without end; returns early if the lane drains.

        Cancellation:
            What is not finished comes again, from the committed offset.
        """
        if chunk.context:
            await self._show(lane, chunk, route)
            return
        # No frame below keeps records while a stage has them: the chunk lets go of what is held.
        first_seen_s, count = self._clock.wall(), len(chunk.entries)
        if self._marking.on_read:
            lane.mark(offsets_of(chunk.entries))
        fault = chunk.entries[0].fault
        if fault is not None:
            await self._poison.set_aside(lane, chunk.entries[0], fault, route, first_seen_s)
            return
        error = await self._deliver_part(lane, chunk, range(count), route)
        if error is None:
            return
        # One poisonous record must not take its neighbours with it: each is asked for alone.
        for index in range(count):
            if count > 1:
                error = await self._deliver_part(lane, chunk, range(index, index + 1), route)
            if error is not None:
                entry = chunk.entries[index]
                route.figures.refused.add(entry.items)
                await self._poison.set_aside(lane, entry, error, route, first_seen_s)

    async def _show(self, lane: Lane, chunk: Chunk, route: Route) -> None:
        """Let those look at finished records who judge later ones with them; nothing is counted."""
        batch = make_batch(self._source, lane, chunk.entries, route.signal, context=True)
        failures = 0
        while not lane.draining:
            try:
                await route.stage.deliver(batch)
            except (Retryable, Denied) as error:
                failures += 1
                await self._clock.sleep(self._wait_s(error, failures))
                continue
            except Permanent as error:
                where = {"topic": lane.topic, "partition": lane.partition}
                log.info("kafka_context_refused", **where, reason=str(error))
            except Exception:
                # It was delivered once; not seeing it again must not hold up what was not.
                log.exception("kafka_context_failed", topic=lane.topic, partition=lane.partition)
            chunk.shown = True
            return

    async def _deliver_part(
        self, lane: Lane, chunk: Chunk, part: range, route: Route
    ) -> Permanent | None:
        """Deliver a *part* of the records in one batch; the error if that can never be done."""
        began_s = self._clock.monotonic()
        failures = 0
        while not lane.draining:
            error = await self._attempt(lane, chunk, part, route)
            if error is None or isinstance(error, Permanent):
                return error
            failures += 1
            self._showing.failed(lane, error)
            route.figures.retries.add()
            if self._gives_up(began_s):
                if left := self._left(lane, chunk, part):
                    route.figures.drop(lane, left, "on_error", error)
                return None
            if not lane.draining:
                await self._clock.sleep(self._wait_s(error, failures))
        return None

    async def _attempt(
        self, lane: Lane, chunk: Chunk, part: range, route: Route
    ) -> DeliveryError | None:
        entries = self._left(lane, chunk, part)
        if not entries:
            return None
        batch = make_batch(self._source, lane, entries, route.signal)
        items, offsets = batch.items, consecutive(offsets_of(entries))
        if len(entries) == len(chunk.entries):
            chunk.joined = batch.body
        chunk.busy = True
        try:
            taking = route.stage.deliver(batch)
            del batch, entries
            receipt = await taking
        except Permanent as error:
            return error
        except Denied as error:
            self._health.denied(error)
            return error
        except Retryable as error:
            self._health.failed(error, durable=True)
            return error
        except Exception as error:
            # A fault of ours must not cost the user's data: it is tried again.
            log.exception("kafka_delivery_failed", topic=lane.topic, partition=lane.partition)
            return Unavailable(f"unexpected: {error!r}")
        finally:
            chunk.busy, chunk.joined = False, b""
        self._health.succeeded()
        self._showing.succeeded(lane)
        route.figures.accepted.add(items - receipt.rejected_items)
        route.figures.rejected.add(receipt.rejected_items)
        lane.settle(offsets, receipt)
        return None

    def _left(self, lane: Lane, chunk: Chunk, part: range) -> Sequence[ReadRecord]:
        """What of a *part* is to be delivered: a stage may have finished some before it failed."""
        entries = chunk.entries
        if len(part) < len(entries):
            entries = entries[part.start : part.stop]
        return entries if self._marking.on_read else _unfinished(lane, entries)

    def _gives_up(self, began_s: float) -> bool:
        limit_s = self._marking.give_up_after_s
        return limit_s is not None and self._clock.monotonic() - began_s >= limit_s

    def _wait_s(self, error: DeliveryError, failures: int) -> float:
        if isinstance(error, Denied):
            return DENIED_INTERVAL_S * (0.5 + self._draw() / 2)
        hint_s = error.retry_after_s if isinstance(error, Retryable) else None
        return self._backoff.wait_s(failures, hint_s, self._draw())


def make_batch(
    source: str,
    lane: Lane,
    entries: Sequence[ReadRecord],
    signal: Signal,
    *,
    context: bool = False,
) -> Batch:
    """One batch of consecutive records of *lane*, with the place of each in its body."""
    body, stamps_ms, stops, items = _columns(entries)
    records = tuple(map(Record, offsets_of(entries), stamps_ms, [0, *stops[:-1]], stops))
    metadata = entries[0].metadata
    if len(entries) == 1:
        metadata = with_offset(metadata, entries[0].offset)
    origin = Origin(source, None, lane, records, context)
    return Batch(signal, body, sum(items), origin, metadata)


def _columns(
    entries: Sequence[ReadRecord],
) -> tuple[bytes, Sequence[int], Sequence[int], Sequence[int]]:
    """The joined request of *entries*, their timestamps, where each ends in it, their items."""
    if isinstance(entries, JoinedRecords):
        return entries.body, entries.stamps_ms, entries.stops, entries.items
    bodies = [entry.body for entry in entries]
    return (
        wire.join(bodies),
        [entry.timestamp_ms for entry in entries],
        list(accumulate(map(len, bodies))),
        [entry.items for entry in entries],
    )


def _unfinished(lane: Lane, entries: Sequence[ReadRecord]) -> Sequence[ReadRecord]:
    book = lane.book
    if book.all_unfinished(offsets_of(entries)):
        return entries
    return [entry for entry in entries if book.is_unfinished(entry.offset)]
