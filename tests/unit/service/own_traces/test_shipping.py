"""Spans wait within bounds; what cannot be sent is dropped and counted, and never in the way."""

import asyncio

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.config import BatchSection
from bridge.core import Deadline, Receipt, SystemClock, Unavailable
from bridge.service.own_traces import Shipping, Span
from bridge.telemetry import MetricRegistry
from bridge.testing import FakeStage

NEVER_MS = 3_600_000


class Ship:
    """A shipping with what it sends to and counts in."""

    def __init__(self, *, delay_ms: int = NEVER_MS, queue: int = 10, request: int = 3) -> None:
        self.backend = FakeStage()
        self.metrics = MetricRegistry()
        batch = BatchSection(
            schedule_delay=delay_ms,
            max_queue_size=queue,
            max_export_batch_size=request,
            export_timeout=NEVER_MS,
        )
        resource = {"service.name": "b"}
        self.shipping = Shipping(self.backend, batch, resource, self.metrics, SystemClock())

    def put(self, count: int) -> None:
        """Let so many spans end."""
        for number in range(count):
            span_id = number.to_bytes(8, "big")
            self.shipping.put(Span(b"t" * 16, span_id, b"", "receive", "receive", 1, {}, 2))

    async def stop(self) -> None:
        """With time enough."""
        await self.shipping.stop(Deadline.after(10, SystemClock()))

    @property
    def counted(self) -> tuple[float, float, float]:
        """Sent, too many, not sent."""
        counter = self.metrics.counter
        return (
            counter("bridge_own_spans_sent").value,
            counter("bridge_own_spans_dropped", {"reason": "queue_full"}).value,
            counter("bridge_own_spans_dropped", {"reason": "not_sent"}).value,
        )

    @property
    def requests(self) -> list[int]:
        """Spans of each request that was offered."""
        return [
            len(
                ExportTraceServiceRequest.FromString(batch.body)
                .resource_spans[0]
                .scope_spans[0]
                .spans
            )
            for batch in self.backend.offered
        ]


async def test_enough_spans_are_sent_before_the_delay_is_over() -> None:
    """In requests of the size that is allowed; what is left goes at the stop."""
    ship = Ship()
    await ship.shipping.start()
    ship.put(7)
    await ship.backend.wait_offered(2)
    await ship.stop()

    assert ship.requests == [3, 3, 1]
    assert ship.counted == (7, 0, 0)
    assert ship.backend.started
    assert ship.backend.stopped


async def test_few_spans_are_sent_after_the_delay() -> None:
    """A quiet bridge shows its work too."""
    ship = Ship(delay_ms=1)
    await ship.shipping.start()
    ship.put(2)
    await ship.backend.wait_offered()
    await ship.stop()

    assert ship.requests == [2]


async def test_too_many_spans_are_dropped_and_counted() -> None:
    """While the backend hangs; nobody who ends a span waits."""
    ship = Ship(queue=5)
    ship.backend.hold()
    await ship.shipping.start()
    ship.put(3)
    await ship.backend.wait_offered()
    ship.put(9)
    ship.backend.release()
    await ship.stop()

    sent, full, lost = ship.counted
    assert full == 4
    assert lost == 0
    # What was under way when the stop came may have been sent twice, and counts once.
    assert sent == 8


async def test_refused_spans_are_dropped_and_counted() -> None:
    """They are worth no second memory: the exporter has repeated what it may."""
    ship = Ship(request=2)
    ship.backend.answer(Unavailable("away"), Receipt(rejected_items=1))
    await ship.shipping.start()
    ship.put(2)
    await ship.backend.wait_offered()
    ship.put(2)
    await ship.backend.wait_offered(2)
    await ship.stop()

    assert ship.counted == (1, 0, 3)


async def test_stop_waits_no_longer_than_its_deadline() -> None:
    """A drain has better things to wait for; what is not sent is counted."""
    ship = Ship()
    ship.backend.hold()
    await ship.shipping.start()
    ship.put(4)
    await ship.backend.wait_offered()
    async with asyncio.timeout(20):
        await ship.shipping.stop(Deadline.after(0.05, SystemClock()))

    assert ship.counted == (0, 0, 4)


async def test_stop_before_start_is_harmless() -> None:
    """As of a service that did not start, and twice."""
    ship = Ship()
    await ship.stop()
    await ship.stop()

    assert ship.counted == (0, 0, 0)
