"""How many deliveries are under way to one backend, and how many wait for their turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.core import Batch, Overloaded, Settings
from bridge.options import SendingQueue


class InFlight:
    """
    A limit on concurrent deliveries, first come first served.

    Waiting costs the caller its own time only: nothing is acknowledged while it waits. Data whose
    sender waits (OTLP) is refused when the queue is full, so that the sender hears of it early;
    durable data (Kafka) waits, since its source bounds what it reads ahead.
    """

    def __init__(self, queue: SendingQueue, settings: Settings) -> None:
        self._queue = queue
        self._turns = asyncio.Semaphore(queue.num_consumers)
        # Deliveries that are sent and that wait, and the weight of the waiting in `sizer` units.
        self._running = 0
        self._waiting = 0
        self._waiting_size = 0
        labels = {"exporter": str(settings.id)}
        metrics = settings.metrics
        metrics.gauge("otelcol_exporter_queue_size", labels, lambda: self._waiting_size)
        metrics.gauge("otelcol_exporter_queue_capacity", labels, lambda: queue.queue_size)
        metrics.gauge("otelcol_exporter_in_flight_requests", labels, lambda: self._running)

    def __repr__(self) -> str:
        return f"InFlight({self._running} running, {self._waiting} waiting)"

    @asynccontextmanager
    async def turn(self, batch: Batch) -> AsyncIterator[None]:
        """
        Wait for a turn and hold it.

        Raises:
            Overloaded: If too many wait already, or no turn came before the sender's deadline.

        Cancellation:
            Gives the place in the queue back.
        """
        await self._wait(batch)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._turns.release()

    async def _wait(self, batch: Batch) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        deadline = batch.origin.deadline
        size = self._size(batch)
        if (
            deadline is not None
            and not self._queue.block_on_overflow
            # One delivery may always wait, or one larger than the queue could never pass.
            and self._waiting
            and self._waiting_size + size > self._queue.queue_size
        ):
            raise Overloaded(
                f"sending_queue is full: {self._waiting_size} of {self._queue.queue_size} "
                f"{self._queue.sizer} wait for the backend"
            )
        self._waiting += 1
        self._waiting_size += size
        try:
            async with asyncio.timeout(None if deadline is None else deadline.remaining_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Overloaded(
                f"no turn before the sender's deadline: {self._waiting} deliveries wait and "
                f"{self._queue.num_consumers} are under way"
            ) from error
        finally:
            self._waiting -= 1
            self._waiting_size -= size

    def _size(self, batch: Batch) -> int:
        match self._queue.sizer:
            case "items":
                return batch.items
            case "bytes":
                return len(batch.body)
        return 1
