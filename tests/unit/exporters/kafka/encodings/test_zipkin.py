"""Zipkin's JSON."""

import json
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from bridge.core import Malformed
from bridge.exporters.kafka.encodings.zipkin import encode_zipkin_json


def one_span(**fields: Any) -> tuple[TracesData, Span]:
    """A request with one span."""
    made = TracesData()
    span = (
        made.resource_spans.add()
        .scope_spans.add()
        .spans.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, name="Turn", **fields)
    )
    return made, span


def encoded(made: TracesData) -> dict[str, Any]:
    """The only span of the record."""
    (record,) = encode_zipkin_json(made.SerializeToString(), 1)
    (span,) = json.loads(record.value)
    return dict(span)


def test_span_has_annotations_links_and_endpoints() -> None:
    """Events become annotations, links tags, and addresses leave the tags."""
    made, span = one_span(
        kind=Span.SpanKind.SPAN_KIND_INTERNAL,
        start_time_unix_nano=2_000_000_000,
        end_time_unix_nano=2_000_000_400,
    )
    for key, value in {
        "peer.service": "Depot",
        "net.peer.ip": "::1",
        "net.peer.port": "80",
    }.items():
        span.attributes.add(key=key).value.string_value = value
    span.events.add(time_unix_nano=2_000_000_000, name="plain")
    span.events.add(name="rich").attributes.add(key="k").value.int_value = 1
    span.links.add(trace_id=b"\x03" * 16, span_id=b"\x04" * 8)
    shown = encoded(made)

    assert shown["name"] == "turn"
    assert shown["duration"] == 1
    assert shown["remoteEndpoint"] == {"serviceName": "depot", "ipv6": "::1", "port": 80}
    assert shown["localEndpoint"] == {"serviceName": "otlpresourcenoservicename"}
    assert [one["value"] for one in shown["annotations"]] == ["plain", 'rich|{"k":1}|0']
    assert shown["tags"]["otlp.link.0"] == f"{'03' * 16}|{'04' * 8}||{{}}|0"
    assert shown["tags"]["span.kind"] == "internal"
    assert "peer.service" not in shown["tags"]


def test_error_tag_follows_the_status() -> None:
    """Zipkin shows any span with an error tag as failed: it is there only if the span did."""
    made, span = one_span()
    span.attributes.add(key="error").value.bool_value = False
    assert "error" not in encoded(made).get("tags", {})
    span.status.code = 2

    assert encoded(made)["tags"] == {"error": "true", "otel.status_code": "STATUS_CODE_ERROR"}


def test_span_that_zipkin_cannot_hold_is_malformed() -> None:
    """Without ids, or ending before it starts, and for broken bytes."""
    made, span = one_span(start_time_unix_nano=5_000_000_000, end_time_unix_nano=1)
    for fault in (b"\x0a\x7f", made.SerializeToString()):
        with pytest.raises(Malformed):
            encode_zipkin_json(fault, 1)
    span.trace_id = bytes(16)
    with pytest.raises(Malformed, match="trace id"):
        encode_zipkin_json(made.SerializeToString(), 1)
