"""OTLP requests for the tests of `bridge.wire`: drawn at random, in every order of fields."""

from typing import Any

from google.protobuf.message import Message
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Signal

Order = str
ORDERS = ("ascending", "descending")

REQUESTS: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}

IDS = [bytes([n]) * 16 for n in (0, 1, 2, 3, 250)] + [b"", b"\x01\x02\x03"]


def encode(message: Message, order: Order) -> bytes:
    """Serialize with the fields of every message ascending (SDKs) or descending (Collector)."""
    out = bytearray()
    fields = message.ListFields()
    for field, value in reversed(fields) if order == "descending" else fields:
        if field.message_type is None:
            alone = type(message)()
            if field.is_repeated:
                getattr(alone, field.name).extend(value)
            else:
                setattr(alone, field.name, value)
            out += alone.SerializeToString()
            continue
        for element in value if field.is_repeated else (value,):
            content = encode(element, order)
            out += varint(field.number << 3 | 2) + varint(len(content)) + content
    return bytes(out)


def varint(value: int) -> bytes:
    """Encode without the code under test."""
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def merged(signal: Signal, bodies: list[bytes]) -> Any:
    """The bodies decoded as one request."""
    return REQUESTS[signal].FromString(b"".join(bodies))


def flat_items(signal: Signal, request: Any) -> list[tuple[bytes, bytes, bytes]]:
    """Each item with its encoded resource and scope envelopes, sorted: what must not change."""
    found: list[Any] = []
    names = {
        Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
        Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
        Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
    }[signal]
    for resource in getattr(request, names[0]):
        resource_envelope = type(resource)(
            resource=resource.resource, schema_url=resource.schema_url
        )
        for scope in getattr(resource, names[1]):
            scope_envelope = type(scope)(scope=scope.scope, schema_url=scope.schema_url)
            found.extend(
                tuple(
                    part.SerializeToString(deterministic=True)
                    for part in (resource_envelope, scope_envelope, item)
                )
                for item in getattr(scope, names[2])
            )
    return sorted(found)


@st.composite
def requests(draw: st.DrawFn, signal: Signal) -> Any:
    """A small request: several resources and scopes, some of them empty, ids that repeat."""
    request = REQUESTS[signal]()
    for _ in range(draw(st.integers(0, 3))):
        if signal is Signal.TRACES:
            resource = request.resource_spans.add()
        elif signal is Signal.METRICS:
            resource = request.resource_metrics.add()
        else:
            resource = request.resource_logs.add()
        if draw(st.booleans()):
            attribute = resource.resource.attributes.add(key="service.name")
            attribute.value.string_value = draw(st.sampled_from(["mill", "depot", ""]))
        resource.schema_url = draw(st.sampled_from(["", "https://example.com/resource"]))
        for _ in range(draw(st.integers(0, 3))):
            _draw_scope(draw, signal, resource)
    return request


def _draw_scope(draw: st.DrawFn, signal: Signal, resource: Any) -> None:
    scopes = {
        Signal.TRACES: "scope_spans",
        Signal.METRICS: "scope_metrics",
        Signal.LOGS: "scope_logs",
    }[signal]
    scope = getattr(resource, scopes).add()
    if draw(st.booleans()):
        scope.scope.name = draw(st.sampled_from(["grind", ""]))
    scope.schema_url = draw(st.sampled_from(["", "https://example.com/scope"]))
    for _ in range(draw(st.integers(0, 5))):
        if signal is Signal.TRACES:
            span = scope.spans.add(trace_id=draw(st.sampled_from(IDS)))
            span.name = draw(st.text(max_size=20))
            span.start_time_unix_nano = draw(st.integers(0, 2**64 - 1))
            for key in draw(st.lists(st.sampled_from("abc"), max_size=3)):
                span.attributes.add(key=key).value.int_value = draw(st.integers(-5, 5))
        elif signal is Signal.LOGS:
            record = scope.log_records.add(trace_id=draw(st.sampled_from(IDS)))
            record.body.string_value = draw(st.text(max_size=20))
        else:
            _draw_metric(draw, scope)


def _draw_metric(draw: st.DrawFn, scope: Any) -> None:
    metric = scope.metrics.add(name=draw(st.sampled_from(["flour", "wait"])), unit="kg")
    count = draw(st.integers(0, 5))
    kind = draw(
        st.sampled_from(["", "gauge", "sum", "histogram", "exponential_histogram", "summary"])
    )
    if not kind:
        return
    data = getattr(metric, kind)
    data.SetInParent()
    if kind == "sum":
        data.is_monotonic, data.aggregation_temporality = True, 2
    for _ in range(count):
        data.data_points.add(time_unix_nano=draw(st.integers(0, 99)))
