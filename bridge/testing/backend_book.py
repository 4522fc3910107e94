"""What the test backend got, and what it is told to answer."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from bridge.core import Signal
from bridge.testing.builders import span_ids

BODIES_MAX = 10_000
"""Bodies that are kept; older ones go, ids and counts stay."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    One scripted answer.

    `grpc_status` is what gRPC clients see (0 is OK), `http_status` what HTTP clients see.
    `retry_after_s` becomes RetryInfo or Retry-After. `delay_s` comes before the answer. With
    `rejected_items`, the answer is OK with a partial success and the data is not kept.
    `keep` says whether data is kept although the answer is an error, as when an answer is lost.
    """

    grpc_status: int = 0
    http_status: int = 200
    message: str = ""
    retry_after_s: float | None = None
    delay_s: float = 0.0
    rejected_items: int = 0
    keep: bool = False

    @property
    def takes(self) -> bool:
        """Whether the data of the request counts as received."""
        ok = self.grpc_status == 0 and self.http_status < 300 and not self.rejected_items
        return ok or self.keep


OK = Answer()
UNAVAILABLE = Answer(14, 503, "away")
THROTTLED = Answer(14, 429, "slow down", retry_after_s=1.0)
INVALID = Answer(3, 400, "not wanted")


@dataclass(frozen=True, slots=True)
class Received:
    """One request that was taken."""

    signal: Signal
    body: bytes
    items: int
    transport: str
    metadata: dict[str, str]


@dataclass(slots=True)
class Book:
    """The memory of one backend."""

    script: deque[Answer] = field(default_factory=deque)
    otherwise: Answer = OK
    requests: Counter[str] = field(default_factory=Counter)
    items: Counter[Signal] = field(default_factory=Counter)
    span_ids: Counter[bytes] = field(default_factory=Counter)
    bodies: deque[Received] = field(default_factory=lambda: deque(maxlen=BODIES_MAX))

    def answer(self, *answers: Answer) -> None:
        """Answer the next requests like this, in the order in which they come."""
        self.script.extend(answers)

    def next_answer(self) -> Answer:
        """What the request that just came is told."""
        return self.script.popleft() if self.script else self.otherwise

    def take(self, received: Received, ids: Iterable[bytes]) -> None:
        """Keep one request."""
        self.requests[received.transport] += 1
        self.items[received.signal] += received.items
        self.span_ids.update(ids)
        self.bodies.append(received)

    @property
    def duplicates(self) -> int:
        """Spans that came again."""
        return self.span_ids.total() - len(self.span_ids)

    def clear(self) -> None:
        """Forget everything, the script included."""
        self.script.clear()
        self.otherwise = OK
        self.requests.clear()
        self.items.clear()
        self.span_ids.clear()
        self.bodies.clear()


def read_items(signal: Signal, body: bytes) -> tuple[int, list[bytes]]:
    """
    The number of items in a request, and for traces their 24-byte ids.

    Raises:
        ValueError: If the body is no such request.
    """
    try:
        if signal is Signal.TRACES:
            ids = span_ids(body)
            return len(ids), ids
        if signal is Signal.LOGS:
            logs = ExportLogsServiceRequest.FromString(body)
            return sum(len(s.log_records) for r in logs.resource_logs for s in r.scope_logs), []
        metrics = ExportMetricsServiceRequest.FromString(body)
    except DecodeError as error:
        raise ValueError(f"no {signal.value} request: {error}") from error
    return sum(
        len(getattr(metric, str(metric.WhichOneof("data"))).data_points)
        for resource in metrics.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.WhichOneof("data")
    ), []
