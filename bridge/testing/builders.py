"""
OTLP requests made to measure, the same for the same arguments.

Every builder gives bytes, as they come over the wire, in either of the two orders in which real
senders write fields (`Order`).
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bridge.core import Signal
from bridge.testing.descending import encode_descending

START_NS = 1_750_000_000_000_000_000
SPAN_NS = 12_345_678

_CUMULATIVE = 2

Value = str | int | float | bool


class Order(Enum):
    """Who wrote the bytes."""

    SDK = "sdk"
    """Fields ascending: the trace id is the first thing in a span."""

    COLLECTOR = "collector"
    """Fields descending: the trace id is the last thing in a span."""

    def encode(self, message: Message) -> bytes:
        """Serialize *message* in this order."""
        if self is Order.COLLECTOR:
            return encode_descending(message)
        return message.SerializeToString()


@dataclass(frozen=True, slots=True)
class Made:
    """A request and the ids in it, in the order in which they stand there."""

    signal: Signal
    body: bytes
    items: int
    span_ids: tuple[bytes, ...] = ()
    """For traces: 24 bytes each, trace id then span id."""

    @property
    def trace_ids(self) -> set[bytes]:
        """The distinct trace ids."""
        return {key[:16] for key in self.span_ids}


def attributes(values: dict[str, Value]) -> list[KeyValue]:
    """Key-value pairs with the OTLP type that each Python value has."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def any_value(value: Value) -> AnyValue:
    """One OTLP value."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(string_value=value)


def trace_request(
    traces: int = 1,
    spans_per_trace: int = 1,
    *,
    order: Order = Order.SDK,
    seed: int = 0,
    service: str = "checkout",
    attribute_count: int = 3,
    padding_bytes: int = 0,
    failed_share: float = 0.0,
    interleaved: bool = True,
) -> Made:
    """
    One request of one service with *traces* times *spans_per_trace* spans.

    Args:
        seed:
            Ids and values follow from it; other seeds give other ids.
        attribute_count:
            Attributes of each span.
        padding_bytes:
            Length of one more attribute, ``padding``, for large spans.
        failed_share:
            Share of the traces whose last span has the status ERROR.
        interleaved:
            Spans of one trace stand apart, as concurrent requests leave them, or together.
    """
    dice = random.Random(seed)
    request = ExportTraceServiceRequest()
    scope_spans = _scope(request.resource_spans.add(), service).spans
    spans = []
    for _ in range(traces):
        trace_id = dice.randbytes(16)
        failed = dice.random() < failed_share
        parent = b""
        for position in range(spans_per_trace):
            span = _span(dice, trace_id, parent, attribute_count, padding_bytes)
            if failed and position == spans_per_trace - 1:
                span.status.code = Status.StatusCode.STATUS_CODE_ERROR
            parent = parent or span.span_id
            spans.append((position, span))
    if interleaved:
        spans.sort(key=lambda entry: entry[0])
    scope_spans.extend(span for _, span in spans)
    ids = tuple(span.trace_id + span.span_id for _, span in spans)
    return Made(Signal.TRACES, order.encode(request), len(spans), ids)


def log_request(
    records: int = 1,
    *,
    order: Order = Order.SDK,
    seed: int = 0,
    service: str = "checkout",
    attribute_count: int = 2,
) -> Made:
    """One request with *records* log records."""
    dice = random.Random(seed)
    request = ExportLogsServiceRequest()
    target = _scope(request.resource_logs.add(), service).log_records
    for index in range(records):
        record = target.add()
        record.time_unix_nano = START_NS + index
        record.severity_number = 9
        record.severity_text = "INFO"
        record.body.string_value = f"order {dice.randrange(10**6)} placed"
        record.attributes.extend(_some_attributes(dice, attribute_count))
    return Made(Signal.LOGS, order.encode(request), records)


def metric_request(
    points: int = 1,
    *,
    order: Order = Order.SDK,
    seed: int = 0,
    service: str = "checkout",
    attribute_count: int = 2,
) -> Made:
    """One request with *points* data points, spread over a sum, a gauge and a histogram."""
    dice = random.Random(seed)
    request = ExportMetricsServiceRequest()
    metrics = _scope(request.resource_metrics.add(), service).metrics
    total, level, latency = metrics.add(), metrics.add(), metrics.add()
    total.name, level.name, latency.name = "orders", "queue_length", "latency"
    total.sum.is_monotonic = True
    total.sum.aggregation_temporality = _CUMULATIVE
    latency.histogram.aggregation_temporality = _CUMULATIVE
    for index in range(points):
        kind = (total.sum, level.gauge, latency.histogram)[index % 3]
        point = kind.data_points.add()
        point.time_unix_nano = START_NS + index
        point.attributes.extend(_some_attributes(dice, attribute_count))
        if index % 3 == 2:
            point.count, point.sum = 3, 4.5
            point.explicit_bounds.append(1.0)
            point.bucket_counts.extend((1, 2))
        else:
            point.as_int = dice.randrange(1000)
    # Metrics without points are valid but carry nothing: senders leave them out.
    del metrics[points:]
    return Made(Signal.METRICS, order.encode(request), points)


def span_ids(body: bytes) -> list[bytes]:
    """Trace id and span id of every span in a trace request, read with the official classes."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        span.trace_id + span.span_id
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def sample(signal: Signal, items: int = 3, *, order: Order = Order.SDK, seed: int = 0) -> Made:
    """A plain request of any signal."""
    if signal is Signal.TRACES:
        return trace_request(items, order=order, seed=seed)
    if signal is Signal.LOGS:
        return log_request(items, order=order, seed=seed)
    return metric_request(items, order=order, seed=seed)


def _scope(resource_entry: Any, service: str) -> Any:
    resource_entry.resource.attributes.extend(
        attributes({"service.name": service, "host.name": "host-1"})
    )
    name = next(field for field in resource_entry.DESCRIPTOR.fields_by_name if "scope_" in field)
    scope = getattr(resource_entry, name).add()
    scope.scope.name, scope.scope.version = "bridge.testing", "1"
    return scope


def _span(
    dice: random.Random, trace_id: bytes, parent: bytes, attribute_count: int, padding_bytes: int
) -> Span:
    start_ns = START_NS + dice.randrange(10**9)
    span = Span(
        trace_id=trace_id,
        span_id=dice.randbytes(8),
        parent_span_id=parent,
        name=dice.choice(("GET /cart", "POST /orders", "SELECT orders", "publish order")),
        kind=Span.SpanKind.SPAN_KIND_SERVER,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + SPAN_NS,
        attributes=_some_attributes(dice, attribute_count),
    )
    if padding_bytes:
        span.attributes.extend(attributes({"padding": "x" * padding_bytes}))
    return span


def _some_attributes(dice: random.Random, count: int) -> Iterable[KeyValue]:
    values: dict[str, Value] = {}
    for index in range(count):
        kind = index % 4
        values[f"attribute.{index}"] = (
            f"value-{dice.randrange(10**6)}",
            dice.randrange(10**6),
            dice.random(),
            dice.random() < 0.5,
        )[kind]
    return attributes(values)
