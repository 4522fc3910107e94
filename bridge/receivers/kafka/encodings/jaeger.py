"""``jaeger_proto``: one Jaeger span (``jaeger.api_v2.Span``) in each record."""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.core import Malformed
from bridge.receivers.kafka.encodings.tags import (
    add_attributes,
    checked_id,
    take_kind,
    take_scope,
    take_status,
)

_S_NS = 1_000_000_000
_TIME_NS_MAX = 2**64 - 1
_CHILD_OF = 0
_VALUE_FIELDS = ("v_str", "v_bool", "v_int64", "v_float64", "v_binary")

_FIELDS: Final[dict[str, tuple[tuple[int, str, str], ...]]] = {
    # The fields that are read, as Jaeger's model.proto numbers them; a capital is a message and
    # a star repeats. Well-known times are a pair of seconds and nanoseconds.
    "Time": ((1, "seconds", "int64"), (2, "nanos", "int32")),
    "KeyValue": (
        (1, "key", "string"),
        (2, "v_type", "int32"),
        (3, "v_str", "string"),
        (4, "v_bool", "bool"),
        (5, "v_int64", "int64"),
        (6, "v_float64", "double"),
        (7, "v_binary", "bytes"),
    ),
    "Log": ((1, "timestamp", "Time"), (2, "fields", "*KeyValue")),
    "SpanRef": ((1, "trace_id", "bytes"), (2, "span_id", "bytes"), (3, "ref_type", "int32")),
    "Process": ((1, "service_name", "string"), (2, "tags", "*KeyValue")),
    "Span": (
        (1, "trace_id", "bytes"),
        (2, "span_id", "bytes"),
        (3, "operation_name", "string"),
        (4, "references", "*SpanRef"),
        (6, "start_time", "Time"),
        (7, "duration", "Time"),
        (8, "tags", "*KeyValue"),
        (9, "logs", "*Log"),
        (10, "process", "Process"),
    ),
}


def _make_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="bridge/jaeger.proto", package="bridge.jaeger", syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            entry = message.field.add(name=field, number=number)
            entry.label = entry.LABEL_REPEATED if kind.startswith("*") else entry.LABEL_OPTIONAL
            kind = kind.removeprefix("*")
            if kind in _FIELDS:
                entry.type, entry.type_name = entry.TYPE_MESSAGE, f".bridge.jaeger.{kind}"
            else:
                entry.type = getattr(entry, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bridge.jaeger.Span"))


_JaegerSpan: Final = _make_class()


def from_jaeger_proto(value: bytes) -> bytes:
    """
    The span as OTLP.

    Raises:
        Malformed: If it is no Jaeger span.
    """
    try:
        source = _JaegerSpan.FromString(value)
    except DecodeError as error:
        raise Malformed("the record is no Jaeger span") from error
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    service = source.process.service_name
    process = ({"service.name": service} if service else {}) | _tags(source.process.tags)
    add_attributes(group.resource.attributes, process)
    scope = group.scope_spans.add()
    tags = _tags(source.tags)
    take_scope(scope, tags)
    span = scope.spans.add()
    try:
        _fill(span, source, tags)
    except ValueError as error:
        raise Malformed(f"the record is no Jaeger span: {error}") from error
    add_attributes(span.attributes, tags)
    return request.SerializeToString()


def _fill(span: Span, source: Any, tags: dict[str, Any]) -> None:
    span.trace_id = checked_id(source.trace_id, 16, "trace id")
    span.span_id = checked_id(source.span_id, 8, "span id")
    span.name = source.operation_name
    start_ns = _time_ns(source.start_time)
    span.start_time_unix_nano = start_ns
    span.end_time_unix_nano = min(start_ns + _time_ns(source.duration), _TIME_NS_MAX)
    span.trace_state = str(tags.pop("w3c.tracestate", ""))
    take_kind(span, tags)
    take_status(span, tags)
    _fill_references(span, source)
    for log in source.logs:
        fields = _tags(log.fields)
        event = span.events.add(name=str(fields.pop("event", "")))
        event.time_unix_nano = _time_ns(log.timestamp)
        add_attributes(event.attributes, fields)


def _fill_references(span: Span, source: Any) -> None:
    """The first child-of reference into the same trace is the parent; the others are links."""
    for reference in source.references:
        trace_id = checked_id(reference.trace_id, 16, "trace id in a reference")
        span_id = checked_id(reference.span_id, 8, "span id in a reference")
        same = trace_id == span.trace_id and reference.ref_type == _CHILD_OF
        if same and not span.parent_span_id:
            span.parent_span_id = span_id
            continue
        link = span.links.add(trace_id=trace_id, span_id=span_id)
        kind = "child_of" if reference.ref_type == _CHILD_OF else "follows_from"
        add_attributes(link.attributes, {"opentracing.ref_type": kind})


def _tags(pairs: Any) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        if 0 <= pair.v_type < len(_VALUE_FIELDS):
            found[pair.key] = getattr(pair, _VALUE_FIELDS[pair.v_type])
    return found


def _time_ns(time: Any) -> int:
    value: int = time.seconds * _S_NS + time.nanos
    if not 0 <= value <= _TIME_NS_MAX:
        raise ValueError(f"{value} is no time in nanoseconds")
    return value
