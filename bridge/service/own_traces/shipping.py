"""Spans on their way to the backend: gathered within bounds, sent, or dropped and counted."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping

import structlog

from bridge.config import BatchSection
from bridge.core import (
    Batch,
    Clock,
    Deadline,
    DeliveryError,
    Exporter,
    Metrics,
    Origin,
    Signal,
)
from bridge.service.own_traces.spans import Span, Value, encode

log = structlog.get_logger()

STOP_S = 2.0
"""Seconds that a stop waits for the last spans: they are worth no more of a drain's time."""


class Shipping:
    """
    Takes spans at any time and never waits; sends them in the background.

    Args:
        batch: Bounds and times.
        resource: Attributes of who sends.
    """

    def __init__(
        self,
        exporter: Exporter,
        batch: BatchSection,
        resource: Mapping[str, Value],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._exporter = exporter
        self._batch = batch
        self._resource = resource
        self._clock = clock
        self._sent = metrics.counter("bridge_own_spans_sent")
        self._dropped = {
            reason: metrics.counter("bridge_own_spans_dropped", {"reason": reason})
            for reason in ("queue_full", "not_sent")
        }
        # What changes: what waits, whether it is enough for a request, and how sending went.
        self._waiting: deque[Span] = deque()
        self._enough = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._failing = False

    def put(self, span: Span) -> None:
        """Take *span*, or count it as dropped if too many wait."""
        if len(self._waiting) >= self._batch.max_queue_size:
            self._dropped["queue_full"].add()
            return
        self._waiting.append(span)
        if len(self._waiting) >= self._batch.max_export_batch_size:
            self._enough.set()

    async def start(self) -> None:
        """
        Begin to send.

        Raises:
            ConfigError: If a certificate cannot be used.
        """
        await self._exporter.start()
        self._sending = asyncio.create_task(self._send_forever(), name="own-traces")

    async def stop(self, deadline: Deadline) -> None:
        """Send what waits if that is quickly done, then hold nothing."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        until = Deadline.after(min(STOP_S, deadline.remaining_s), self._clock)
        while self._waiting and not until.expired:
            await self._send(until)
        self._dropped["not_sent"].add(len(self._waiting))
        self._waiting.clear()
        await self._exporter.stop(until)

    async def _send_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._batch.schedule_delay / 1000):
                    await self._enough.wait()
            self._enough.clear()
            while self._waiting:
                timeout_s = self._batch.export_timeout / 1000
                await self._send(Deadline.after(timeout_s, self._clock))
                if len(self._waiting) < self._batch.max_export_batch_size:
                    break

    async def _send(self, deadline: Deadline) -> None:
        count = min(len(self._waiting), self._batch.max_export_batch_size)
        spans = [self._waiting.popleft() for _ in range(count)]
        body = encode(spans, self._resource)
        batch = Batch(Signal.TRACES, body, count, Origin("own_traces", deadline))
        try:
            async with asyncio.timeout(deadline.remaining_s):
                receipt = await self._exporter.deliver(batch)
        except (DeliveryError, TimeoutError) as error:
            self._dropped["not_sent"].add(count)
            self._note(str(error) or "no answer in time")
        except BaseException:
            # Cancelled by a stop, which sends what is left: it may come twice, and never not.
            self._waiting.extendleft(reversed(spans))
            raise
        else:
            self._sent.add(count - receipt.rejected_items)
            self._dropped["not_sent"].add(receipt.rejected_items)
            self._note("")

    def _note(self, trouble: str) -> None:
        """Log when sending begins to fail, and when it works again."""
        if bool(trouble) == self._failing:
            return
        self._failing = bool(trouble)
        if trouble:
            log.warning("own_traces_dropped", reason=trouble)
        else:
            log.info("own_traces_sent_again")
