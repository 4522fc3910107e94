"""
The way from an exporter's `deliver` to one request: join, split, repeat, take turns, count.

Every exporter that talks to a backend is made of the same stages in the same order; only the last
step, one attempt, is its own.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace

import structlog

from bridge import wire
from bridge.core import (
    ACCEPTED,
    Batch,
    Counter,
    Deadline,
    DeliveryError,
    Permanent,
    Receipt,
    Settings,
    Signal,
    Stage,
    TooLarge,
)
from bridge.flow.accumulator import Limits
from bridge.flow.batching import Batching, Grouping
from bridge.flow.in_flight import InFlight
from bridge.flow.retrying import Retrying, Send
from bridge.options import QueueBatch, RetryOnFailure, SendingQueue

log = structlog.get_logger()

_JOINED_BYTES_MAX = 8 * 1024 * 1024
_PENDING_BYTES_MAX = 64 * 1024 * 1024
_REJECTION_LOG_INTERVAL_S = 10.0


class Sending:
    """
    Delivers batches by *attempt*, with everything around it that the Collector's exporters have.

    In this order, from the outside in:

    1. count what failed, since the last outcome is known there;
    2. join (``sending_queue.batch``), so that everything behind works on large requests;
    3. split what exceeds ``max_request_bytes``, so that a retry repeats one piece only;
    4. retry (``retry_on_failure``);
    5. take a turn (``num_consumers``): inside the retry, so that a wait between attempts holds
       no turn;
    6. one attempt, and count what it sent.
    """

    def __init__(
        self,
        attempt: Send,
        settings: Settings,
        *,
        retry: RetryOnFailure,
        queue: SendingQueue,
        request_bytes_max: int,
    ) -> None:
        self._attempt = attempt
        self._settings = settings
        self._sent = {signal: self._counter("sent", signal) for signal in Signal}
        self._failed = {signal: self._counter("send_failed", signal) for signal in Signal}
        self._turns = InFlight(queue, settings)
        self._retrying = Retrying(self._take_turn, retry, settings)
        splitting = _Splitting(self._retrying, request_bytes_max, self._failed)
        self._batching: Batching | None = None
        if queue.batch is not None and queue.batch.enabled:
            self._batching = _batching(splitting, queue.batch, settings, request_bytes_max)
        self._first: Stage = self._batching or splitting
        self._rejected = {
            signal: settings.metrics.counter(
                "bridge_exporter_rejected_items",
                {"exporter": str(settings.id), "signal": signal.value},
            )
            for signal in Signal
        }
        self._rejection_logged_s = -math.inf
        # Deliveries under way, and whether there are none.
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Deliver *batch* to the backend; see `bridge.core.Stage.deliver`.

        Empty batches are not sent. What the backend rejects in a partial success is counted and
        logged, and never sent again.
        """
        if not batch.items:
            return ACCEPTED
        self._open += 1
        self._idle.clear()
        try:
            return await self._first.deliver(batch)
        except DeliveryError:
            self._failed[batch.signal].add(batch.items)
            raise
        finally:
            self._open -= 1
            if not self._open:
                self._idle.set()

    async def stop(self, deadline: Deadline) -> None:
        """Finish what is under way until *deadline*; failed attempts are not repeated any more."""
        self._retrying.stop()
        if self._batching is not None:
            await self._batching.stop(deadline)
        try:
            async with asyncio.timeout(deadline.remaining_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning(
                "exporter_stopped_early", exporter=str(self._settings.id), deliveries=self._open
            )

    async def _take_turn(self, batch: Batch) -> Receipt:
        async with self._turns.turn(batch):
            receipt = await self._attempt(batch)
        self._sent[batch.signal].add(max(0, batch.items - receipt.rejected_items))
        if receipt.rejected_items or receipt.message:
            self._note_rejection(batch, receipt)
        return receipt

    def _note_rejection(self, batch: Batch, receipt: Receipt) -> None:
        self._rejected[batch.signal].add(receipt.rejected_items)
        now_s = self._settings.clock.monotonic()
        if now_s - self._rejection_logged_s >= _REJECTION_LOG_INTERVAL_S:
            self._rejection_logged_s = now_s
            log.warning(
                "backend_partial_success",
                exporter=str(self._settings.id),
                signal=batch.signal.value,
                rejected_items=receipt.rejected_items,
                of_items=batch.items,
                message=receipt.message,
            )

    def _counter(self, outcome: str, signal: Signal) -> Counter:
        return self._settings.metrics.counter(
            f"otelcol_exporter_{outcome}_{signal.items}", {"exporter": str(self._settings.id)}
        )


class _Splitting:
    """Sends what exceeds the limit in pieces; a single item above it is too large for good."""

    def __init__(
        self, downstream: Stage, body_bytes_max: int, failed: Mapping[Signal, Counter]
    ) -> None:
        self._downstream = downstream
        self._body_bytes_max = body_bytes_max
        self._failed = failed

    async def deliver(self, batch: Batch) -> Receipt:
        if len(batch.body) <= self._body_bytes_max:
            return await self._downstream.deliver(batch)
        pieces, oversize = wire.split_by_size(batch.signal, batch.body, self._body_bytes_max)
        receipts: list[Receipt] = []
        refusals: list[tuple[int, Permanent]] = [
            (piece.items, self._too_large(piece)) for piece in oversize
        ]
        for piece in pieces:
            part = batch.with_body(piece.body, piece.items)
            # The record ranges are those of the whole body.
            part = replace(part, origin=replace(batch.origin, custody=None, records=()))
            try:
                receipts.append(await self._downstream.deliver(part))
            except Permanent as error:
                refusals.append((piece.items, error))
        if refusals and (batch.origin.durable or not receipts):
            # Durable data goes to its source's dead letter, as a whole: that loses nothing.
            raise refusals[0][1]
        self._failed[batch.signal].add(sum(items for items, _ in refusals))
        return _sum(receipts, refusals)

    def _too_large(self, piece: wire.Piece) -> TooLarge:
        return TooLarge(
            f"a single item of {len(piece.body)} bytes exceeds max_request_bytes "
            f"{self._body_bytes_max}"
        )


def _sum(receipts: list[Receipt], refusals: list[tuple[int, Permanent]]) -> Receipt:
    """One receipt of all pieces."""
    rejected = sum(receipt.rejected_items for receipt in receipts)
    rejected += sum(items for items, _ in refusals)
    messages = [receipt.message for receipt in receipts if receipt.message]
    messages += [str(error) for _, error in refusals]
    apart = sum(receipt.rejected_apart_items for receipt in receipts)
    if not rejected and not messages and not apart:
        return ACCEPTED
    return Receipt(rejected, "; ".join(dict.fromkeys(messages)), rejected_apart_items=apart)


def _batching(
    downstream: Stage, batch: QueueBatch, settings: Settings, request_bytes_max: int
) -> Batching:
    by_items = batch.sizer == "items"
    joined_bytes_max = min(_JOINED_BYTES_MAX, request_bytes_max)
    limits = Limits(
        items=batch.min_size if by_items else 1 << 62,
        items_max=batch.max_size if by_items else 0,
        body_bytes=joined_bytes_max if by_items else min(batch.min_size, joined_bytes_max),
        timeout_s=batch.flush_timeout,
        pending_bytes_max=_PENDING_BYTES_MAX,
    )
    keys = tuple(key.lower() for key in batch.partition.metadata_keys)
    return Batching(downstream, limits, Grouping(keys), settings.clock)
