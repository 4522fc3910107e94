"""Requests span by span, an engine with a judge told what to say, and moments."""

from collections.abc import Callable, Sequence

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Batch, Counter, Histogram, Origin, Signal
from bridge.processors._gathering import (
    Bounds,
    Caches,
    Decider,
    Decision,
    DecisionCache,
    Engine,
    Moment,
    Parts,
    Shared,
    Telemetry,
    Waits,
    request_in_order,
)
from bridge.testing import FakeCustody, Order, kafka_batch, make_settings
from bridge.wire import count_items

WALL_MS = 2_000_000_000_000


def trace_id(number: int) -> bytes:
    """A valid trace id."""
    return number.to_bytes(16, "big")


def request(*spans: tuple[bytes, int], order: Order = Order.SDK, service: str = "a") -> bytes:
    """A request of one scope with spans of (trace id, span number)."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = service
    scope = group.scope_spans.add()
    scope.scope.name = "s"
    for owner, number in spans:
        scope.spans.add(
            trace_id=owner,
            span_id=number.to_bytes(8, "big"),
            name="work",
            parent_span_id=b"parent00",
            start_time_unix_nano=number,
            end_time_unix_nano=number + 1,
        )
    return order.encode(message)


def spans_in(body: bytes) -> list[tuple[bytes, int]]:
    """Trace id and span number of every span."""
    message = ExportTraceServiceRequest.FromString(body)
    return [
        (span.trace_id, int.from_bytes(span.span_id, "big"))
        for group in message.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


class ToldJudge:
    """Samples the traces it was told to, and keeps what it was shown."""

    def __init__(self, *sampled: bytes, everything: bool = False) -> None:
        self.sampled = set(sampled)
        self.dropped: set[bytes] = set()
        self.everything = everything
        self.shown: list[tuple[bytes, list[int], int]] = []

    def decide(self, trace_id: bytes, parts: Parts, spans: int) -> Decision:
        numbers = [number for _, number in spans_in(request_in_order(parts))]
        self.shown.append((trace_id, numbers, spans))
        if trace_id in self.dropped:
            return Decision.DROPPED
        sampled = self.everything or trace_id in self.sampled
        return Decision.SAMPLED if sampled else Decision.NOT_SAMPLED


class Rig:
    """An engine and everything around it that a test wants to look at."""

    def __init__(
        self,
        judge: ToldJudge,
        *,
        wait_ms: int = 10_000,
        rooted_ms: int = 0,
        bounds: Bounds | None = None,
        cache: int = 100,
        by_record_time: bool = True,
        ingest: bool = False,
    ) -> None:
        self.judge = judge
        self.settings = make_settings("tail_sampling")
        self.shared = Shared(
            {decision: Counter() for decision in Decision},
            Counter(),
            {True: Counter(), False: Counter()},
            Histogram((1.0, 10.0)),
            Histogram((1.0, 10.0)),
            Histogram((1.0, 10.0)),
            Counter(),
        )
        self.telemetry = Telemetry(self.settings, "tail_sampling", self.shared)
        self.decider = Decider(
            judge,
            Caches(DecisionCache(cache), DecisionCache(cache)),
            bounds or Bounds(1 << 30, 1 << 29),
            self.telemetry,
            lambda: 0.0,
            ask_in_time=not ingest,
        )
        self.engine = Engine(
            self.decider,
            Waits(wait_ms, rooted_ms),
            by_record_time=by_record_time,
            ingest=ingest,
        )
        self.custody = FakeCustody()
        self.offset = 0

    def records(
        self,
        *bodies: bytes,
        at_ms: Sequence[int],
        now_s: float = 0.0,
        wall_ms: int = WALL_MS,
        context: bool = False,
    ) -> list[int]:
        """Take Kafka records; the offsets they got."""
        first = self.offset
        self.offset += len(bodies)
        batch = kafka_batch(
            Signal.TRACES,
            *bodies,
            items=sum(count_items(Signal.TRACES, body) for body in bodies),
            custody=self.custody,
            first_offset=first,
            timestamps_ms=at_ms,
        )
        self.engine.take(batch, Moment(now_s, wall_ms), context=context)
        return list(range(first, self.offset))

    def otlp(self, body: bytes, now_s: float = 0.0) -> None:
        """Take a request that came by OTLP."""
        self.engine.take(
            Batch(Signal.TRACES, body, count_items(Signal.TRACES, body), Origin("otlp")),
            Moment(now_s, WALL_MS),
        )

    def finished(self) -> list[int]:
        """Offsets finished since the last call."""
        offsets: list[int] = []
        for held in self.engine.ledger.take_finished():
            offsets += held.finished
            held.finished = []
        for held in self.engine.ledger.take_completed():
            self.engine.closed(held)
        return sorted(offsets)

    def deliver(self) -> list[tuple[bytes, int]]:
        """Deliver everything that is sampled; the spans."""
        spans: list[tuple[bytes, int]] = []
        while taken := self.engine.take_kept(1 << 20):
            for _, trace in taken:
                spans += spans_in(request_in_order(trace.parts))
            self.engine.delivered(taken)
        return spans

    def own(self, name: str, **labels: str) -> float:
        """One of our own figures."""
        return self.settings.metrics.value(f"bridge_processor_tail_sampling_{name}", **labels)  # type: ignore[attr-defined]  # RecordingMetrics has it.


@pytest.fixture
def rig() -> Callable[..., Rig]:
    """A maker of engines that sample the given traces."""

    def make(*sampled: bytes, everything: bool = False, **options: object) -> Rig:
        return Rig(ToldJudge(*sampled, everything=everything), **options)  # type: ignore[arg-type]  # Options are checked there.

    return make
