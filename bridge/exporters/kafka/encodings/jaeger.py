"""Jaeger's spans, one record each, as protobuf or JSON; keyed by the trace id."""

import json
from collections.abc import Callable, Iterable, Iterator

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from bridge.core import Malformed
from bridge.exporters.kafka.encodings._pb import jaeger_pb2 as jaeger
from bridge.exporters.kafka.encodings.encoding import Encoded
from bridge.exporters.kafka.encodings.go_json import to_text
from bridge.wire import COPIED_BYTES_MAX, Allowance

NO_SERVICE = "OTLPResourceNoServiceName"

_KINDS = {
    Span.SpanKind.SPAN_KIND_INTERNAL: "internal",
    Span.SpanKind.SPAN_KIND_SERVER: "server",
    Span.SpanKind.SPAN_KIND_CLIENT: "client",
    Span.SpanKind.SPAN_KIND_PRODUCER: "producer",
    Span.SpanKind.SPAN_KIND_CONSUMER: "consumer",
}
_CODES = {Status.StatusCode.STATUS_CODE_OK: "OK", Status.StatusCode.STATUS_CODE_ERROR: "ERROR"}
_NANOSECONDS = 1_000_000_000
_ID_BYTES = 8


def encode_jaeger_proto(
    body: bytes, items: int, copied_bytes_max: int = COPIED_BYTES_MAX
) -> list[Encoded]:
    """
    One protobuf record for each span, which repeats its resource.

    Raises:
        Malformed: If the request cannot be read.
        TooLarge: If the records would exceed it by more than *copied_bytes_max* bytes.
    """
    return _encode(body, jaeger.Span.SerializeToString, copied_bytes_max)


def encode_jaeger_json(
    body: bytes, items: int, copied_bytes_max: int = COPIED_BYTES_MAX
) -> list[Encoded]:
    """
    One JSON record for each span, which repeats its resource.

    Raises:
        Malformed: If the request cannot be read.
        TooLarge: If the records would exceed it by more than *copied_bytes_max* bytes.
    """
    return _encode(body, _to_json, copied_bytes_max)


def _encode(
    body: bytes, serialize: Callable[[jaeger.Span], bytes], copied_bytes_max: int
) -> list[Encoded]:
    allowance = Allowance(len(body), copied_bytes_max)
    records: list[Encoded] = []
    for span in _spans(body):
        value = serialize(span)
        allowance.take(len(value))
        records.append(Encoded(value, 1, _key(span)))
    return records


def _to_json(span: jaeger.Span) -> bytes:
    fields = MessageToDict(span)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _key(span: jaeger.Span) -> bytes:
    """The trace id as Jaeger writes it: 16 digits if the upper half is zero."""
    digits = span.trace_id.hex()
    half = 2 * _ID_BYTES
    return (digits[half:] if not int(digits[:half] or "0", 16) else digits).encode()


def _spans(body: bytes) -> Iterator[jaeger.Span]:
    try:
        data = TracesData.FromString(body)
    except DecodeError as error:
        raise Malformed("the spans are no valid protobuf") from error
    for resource in data.resource_spans:
        process = _process(resource.resource)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _span(span, scope.scope, process)


def _span(span: Span, scope: InstrumentationScope, process: jaeger.Process) -> jaeger.Span:
    made = jaeger.Span(
        trace_id=_fixed(span.trace_id, 2 * _ID_BYTES),
        span_id=_fixed(span.span_id, _ID_BYTES),
        operation_name=span.name,
        references=_references(span),
        tags=_tags(span, scope),
        process=process,
    )
    made.start_time.FromNanoseconds(span.start_time_unix_nano)
    made.duration.FromNanoseconds(span.end_time_unix_nano - span.start_time_unix_nano)
    for event in span.events:
        log = made.logs.add()
        log.timestamp.FromNanoseconds(event.time_unix_nano)
        if event.name:
            log.fields.append(_text("event", event.name))
        log.fields.extend(_attributes(event.attributes))
    return made


def _references(span: Span) -> list[jaeger.SpanRef]:
    references = []
    if any(span.parent_span_id):
        parent = _fixed(span.parent_span_id, _ID_BYTES)
        references.append(
            jaeger.SpanRef(trace_id=_fixed(span.trace_id, 2 * _ID_BYTES), span_id=parent)
        )
    for link in span.links:
        kind = {one.key: one.value.string_value for one in link.attributes}
        child = kind.get("opentracing.ref_type") == "child_of"
        references.append(
            jaeger.SpanRef(
                trace_id=_fixed(link.trace_id, 2 * _ID_BYTES),
                span_id=_fixed(link.span_id, _ID_BYTES),
                ref_type=jaeger.CHILD_OF if child else jaeger.FOLLOWS_FROM,
            )
        )
    return references


def _tags(span: Span, scope: InstrumentationScope) -> list[jaeger.KeyValue]:
    tags: list[jaeger.KeyValue] = []
    if scope.name:
        tags.append(_text("otel.scope.name", scope.name))
    if scope.version:
        tags.append(_text("otel.scope.version", scope.version))
    tags.extend(_attributes(span.attributes))
    if span.kind in _KINDS:
        tags.append(_text("span.kind", _KINDS[span.kind]))
    if span.status.code in _CODES:
        tags.append(_text("otel.status_code", _CODES[span.status.code]))
    if span.status.code == Status.StatusCode.STATUS_CODE_ERROR:
        tags.append(jaeger.KeyValue(key="error", v_type=jaeger.BOOL, v_bool=True))
    if span.status.message:
        tags.append(_text("otel.status_description", span.status.message))
    if span.trace_state:
        tags.append(_text("w3c.tracestate", span.trace_state))
    return tags


def _process(resource: Resource) -> jaeger.Process:
    named = {one.key: one.value for one in resource.attributes}
    service = named.get("service.name")
    rest = (one for one in resource.attributes if one.key != "service.name")
    if service is not None:
        return jaeger.Process(service_name=service.string_value, tags=_attributes(rest))
    return jaeger.Process(
        service_name="" if resource.attributes else NO_SERVICE, tags=_attributes(rest)
    )


def _attributes(attributes: Iterable[KeyValue]) -> list[jaeger.KeyValue]:
    return [_tag(one.key, one.value) for one in attributes]


def _tag(key: str, value: AnyValue) -> jaeger.KeyValue:
    kind = value.WhichOneof("value")
    if kind == "int_value":
        return jaeger.KeyValue(key=key, v_type=jaeger.INT64, v_int64=value.int_value)
    if kind == "bool_value":
        return jaeger.KeyValue(key=key, v_type=jaeger.BOOL, v_bool=value.bool_value)
    if kind == "double_value":
        return jaeger.KeyValue(key=key, v_type=jaeger.FLOAT64, v_float64=value.double_value)
    if kind == "bytes_value":
        return jaeger.KeyValue(key=key, v_type=jaeger.BINARY, v_binary=value.bytes_value)
    return _text(key, to_text(value))


def _text(key: str, text: str) -> jaeger.KeyValue:
    return jaeger.KeyValue(key=key, v_str=text)


def _fixed(identity: bytes, size: int) -> bytes:
    """An id of *size* bytes; what is no id becomes zeros."""
    return identity if len(identity) == size else bytes(size)
