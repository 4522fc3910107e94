"""Requests with values in each other, for tests of limits."""

from collections.abc import Callable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from bridge.core import Signal
from tests.unit.wire.samples import REQUESTS


def lists(depth: int) -> AnyValue:
    """A value with *depth* lists in each other, made without recursion."""
    encoded = AnyValue(string_value="x").SerializeToString()
    for _ in range(depth):
        inner = _field(1, encoded)
        encoded = _field(5, inner)
    return AnyValue.FromString(encoded)


def maps(depth: int) -> AnyValue:
    """A value with *depth* maps in each other."""
    encoded = AnyValue(int_value=1).SerializeToString()
    for _ in range(depth):
        pair = _field(1, b"k") + _field(2, encoded)
        encoded = _field(6, _field(1, pair))
    return AnyValue.FromString(encoded)


def _field(number: int, content: bytes) -> bytes:
    size, value = bytearray(), len(content)
    while value > 0x7F:
        size.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([number << 3 | 2]) + bytes(size) + bytes([value]) + content


def _put(attributes: Any, value: AnyValue) -> None:
    attributes.add(key="deep").value.CopyFrom(value)


def _spans(place: Callable[[Any, Any, Any, AnyValue], None], value: AnyValue) -> bytes:
    request = REQUESTS[Signal.TRACES]()
    resource = request.resource_spans.add()
    scope = resource.scope_spans.add()
    span = scope.spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    place(resource.resource, scope.scope, span, value)
    body: bytes = request.SerializeToString()
    return body


def _points(kind: str, exemplar: bool, value: AnyValue) -> bytes:
    request = REQUESTS[Signal.METRICS]()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    point = getattr(metric, kind).data_points.add()
    _put(point.exemplars.add().filtered_attributes if exemplar else point.attributes, value)
    body: bytes = request.SerializeToString()
    return body


def _metadata(value: AnyValue) -> bytes:
    request = REQUESTS[Signal.METRICS]()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    metric.gauge.data_points.add()
    _put(metric.metadata, value)
    body: bytes = request.SerializeToString()
    return body


def _log(attribute: bool, value: AnyValue) -> bytes:
    request = REQUESTS[Signal.LOGS]()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    if attribute:
        _put(record.attributes, value)
    else:
        record.body.CopyFrom(value)
    body: bytes = request.SerializeToString()
    return body


KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")

PLACES: dict[str, tuple[Signal, Callable[[AnyValue], bytes]]] = {
    "resource": (Signal.TRACES, lambda v: _spans(lambda r, s, i, v: _put(r.attributes, v), v)),
    "scope": (Signal.TRACES, lambda v: _spans(lambda r, s, i, v: _put(s.attributes, v), v)),
    "span": (Signal.TRACES, lambda v: _spans(lambda r, s, i, v: _put(i.attributes, v), v)),
    "event": (
        Signal.TRACES,
        lambda v: _spans(lambda r, s, i, v: _put(i.events.add().attributes, v), v),
    ),
    "link": (
        Signal.TRACES,
        lambda v: _spans(lambda r, s, i, v: _put(i.links.add().attributes, v), v),
    ),
    "log body": (Signal.LOGS, lambda v: _log(False, v)),
    "log attribute": (Signal.LOGS, lambda v: _log(True, v)),
    "metric metadata": (Signal.METRICS, _metadata),
    **{
        f"{kind} point": (Signal.METRICS, lambda v, kind=kind: _points(kind, False, v))
        for kind in KINDS
    },
    **{
        f"{kind} exemplar": (Signal.METRICS, lambda v, kind=kind: _points(kind, True, v))
        for kind in KINDS[:-1]
    },
}
"""Every place of a request where a value may stand, with what makes a request of it."""
