"""Jaeger's spans."""

import json

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from bridge.core import Malformed
from bridge.exporters.kafka.encodings._pb import jaeger_pb2 as jaeger
from bridge.exporters.kafka.encodings.jaeger import encode_jaeger_json, encode_jaeger_proto


def data() -> TracesData:
    """One span with a link, an event and every kind of attribute."""
    made = TracesData()
    resource = made.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "mill"
    resource.resource.attributes.add(key="host").value.string_value = "h1"
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "grind", "2"
    span = scope.spans.add(
        trace_id=bytes(8) + b"\x01" * 8, span_id=b"\x02" * 8, name="turn", trace_state="a=b"
    )
    span.start_time_unix_nano, span.end_time_unix_nano = 1_000_000_000, 1_500_000_000
    span.attributes.add(key="i").value.int_value = 7
    span.attributes.add(key="d").value.double_value = 1.5
    span.attributes.add(key="b").value.bytes_value = b"\x00"
    span.attributes.add(key="l").value.array_value.values.add().int_value = 1
    span.events.add(time_unix_nano=1_200_000_000, name="stop")
    span.links.add(trace_id=b"\x03" * 16, span_id=b"\x04" * 8)
    return made


def test_proto_record_holds_the_span_and_is_keyed_by_its_trace() -> None:
    """A trace id with an empty upper half is written with 16 digits, as Jaeger does."""
    (record,) = encode_jaeger_proto(data().SerializeToString(), 1)
    span = jaeger.Span.FromString(record.value)
    tags = {tag.key: tag for tag in span.tags}

    assert record.key == b"01" * 8
    assert span.operation_name == "turn"
    assert span.duration.ToMilliseconds() == 500
    assert span.process.service_name == "mill"
    assert [tag.key for tag in span.process.tags] == ["host"]
    assert tags["i"].v_int64 == 7
    assert tags["d"].v_float64 == 1.5
    assert tags["b"].v_binary == b"\x00"
    assert tags["l"].v_str == "[1]"
    assert tags["otel.scope.version"].v_str == "2"
    assert tags["w3c.tracestate"].v_str == "a=b"
    assert span.references[0].ref_type == jaeger.FOLLOWS_FROM
    assert span.logs[0].fields[0].v_str == "stop"


def test_json_record_is_the_same_span() -> None:
    """Field by field, in protobuf's JSON."""
    (record,) = encode_jaeger_json(data().SerializeToString(), 1)
    span = json.loads(record.value)

    assert span["duration"] == "0.500s"
    assert span["startTime"] == "1970-01-01T00:00:01Z"
    assert span["process"]["serviceName"] == "mill"


def test_resource_without_attributes_has_the_collectors_service_name() -> None:
    """Nothing at all is known of it."""
    made = TracesData()
    made.resource_spans.add().scope_spans.add().spans.add(name="x")
    (record,) = encode_jaeger_proto(made.SerializeToString(), 1)

    assert jaeger.Span.FromString(record.value).process.service_name == "OTLPResourceNoServiceName"


def test_broken_bytes_are_malformed() -> None:
    """Nothing else comes out."""
    with pytest.raises(Malformed):
        encode_jaeger_proto(b"\x0a\x7f", 1)
