"""Zipkin V2 JSON as OTLP."""

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.core import Malformed
from bridge.receivers.kafka.encodings.zipkin import from_zipkin_json

SPAN = {
    "traceId": "4dfa6c46609c4772e24ca0f8d430c36f",
    "id": "e24ca0f8d430c36f",
    "parentId": "1",
    "name": "get /",
    "kind": "CLIENT",
    "timestamp": 1_750_000_000_000_001,
    "duration": 1500,
    "localEndpoint": {"serviceName": "shop", "ipv4": "10.0.0.1", "port": 80},
    "remoteEndpoint": {"serviceName": "stock", "ipv6": "::1"},
    "annotations": [{"timestamp": 1_750_000_000_000_002, "value": "sent"}],
    "tags": {"http.method": "GET", "error": "timeout"},
}


def _request(*spans: dict[str, Any]) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(from_zipkin_json(json.dumps(spans).encode()))


def test_zipkin_span_keeps_everything() -> None:
    """Ids, times, kind, status, annotations, endpoints and tags have their place in OTLP."""
    (resource,) = _request(SPAN).resource_spans
    (span,) = resource.scope_spans[0].spans
    attributes = {pair.key: pair.value for pair in span.attributes}

    assert resource.resource.attributes[0].value.string_value == "shop"
    assert span.trace_id.hex() == SPAN["traceId"]
    assert (span.span_id.hex(), span.parent_span_id) == (SPAN["id"], bytes(7) + b"\x01")
    assert (span.name, span.kind) == ("get /", Span.SPAN_KIND_CLIENT)
    assert span.start_time_unix_nano == 1_750_000_000_000_001_000
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1_500_000
    assert [(e.name, e.time_unix_nano) for e in span.events] == [
        ("sent", 1_750_000_000_000_002_000)
    ]
    assert (span.status.code, span.status.message) == (2, "timeout")
    assert attributes["http.method"].string_value == "GET"
    assert attributes["peer.service"].string_value == "stock"
    assert attributes["net.host.ip"].string_value == "10.0.0.1"
    assert attributes["net.host.port"].int_value == 80
    assert attributes["net.peer.ip"].string_value == "::1"


def test_zipkin_services_are_resources() -> None:
    """Spans of one service share a resource; short trace ids are filled up."""
    other = {"traceId": "1", "id": "2"}

    request = _request(SPAN, SPAN, other)

    assert [len(resource.scope_spans) for resource in request.resource_spans] == [2, 1]
    assert request.resource_spans[1].scope_spans[0].spans[0].trace_id == bytes(15) + b"\x01"


@pytest.mark.parametrize(
    "value",
    [
        b"{",
        b"{}",
        b"[1]",
        b'[{"traceId": "xyz", "id": "1"}]',
        b'[{"id": "1"}]',
        b'[{"traceId": "1", "id": "1", "timestamp": -5}]',
        b'[{"traceId": "1", "id": "1", "timestamp": 1e300}]',
        b'[{"traceId": "1", "id": "1", "tags": 5}]',
        b'[{"traceId": "1", "id": "1", "annotations": [5]}]',
        b'[{"traceId": "1", "id": "1", "localEndpoint": {"port": "x"}}]',
        b'[{"traceId": "1", "id": "1", "timestamp": Infinity}]',
    ],
)
def test_zipkin_that_is_none_is_malformed(value: bytes) -> None:
    """Anything that is no list of spans is the record's fault and no crash."""
    with pytest.raises(Malformed):
        from_zipkin_json(value)
