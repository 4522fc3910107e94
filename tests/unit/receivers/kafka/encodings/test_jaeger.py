"""Jaeger's protobuf span as OTLP."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.core import Malformed
from bridge.receivers.kafka.encodings.jaeger import _JaegerSpan, from_jaeger_proto

TRACE, OTHER = bytes(range(16)), bytes(range(1, 17))
STRING, BOOL, INT64, FLOAT64, BINARY = range(5)


def _tag(key: str, kind: int, value: Any) -> dict[str, Any]:
    field = ("v_str", "v_bool", "v_int64", "v_float64", "v_binary")[kind]
    return {"key": key, "v_type": kind, field: value}


def _span(**fields: Any) -> bytes:
    made = {"trace_id": TRACE, "span_id": b"12345678", "operation_name": "get /", **fields}
    encoded: bytes = _JaegerSpan(**made).SerializeToString()
    return encoded


def _converted(**fields: Any) -> tuple[Any, Any]:
    request = ExportTraceServiceRequest.FromString(from_jaeger_proto(_span(**fields)))
    (resource,) = request.resource_spans
    return resource, resource.scope_spans[0].spans[0]


def test_jaeger_span_keeps_everything() -> None:
    """Ids, times, tags with their types, logs and the process have their place in OTLP."""
    resource, span = _converted(
        start_time={"seconds": 1_750_000_000, "nanos": 5},
        duration={"seconds": 1, "nanos": 500},
        tags=[
            _tag("span.kind", STRING, "server"),
            _tag("error", BOOL, True),
            _tag("size", INT64, 7),
            _tag("ratio", FLOAT64, 0.5),
            _tag("blob", BINARY, b"\xff"),
            _tag("otel.scope.name", STRING, "lib"),
            _tag("w3c.tracestate", STRING, "a=b"),
        ],
        logs=[
            {
                "timestamp": {"seconds": 1_750_000_001},
                "fields": [_tag("event", STRING, "retry"), _tag("n", INT64, 2)],
            }
        ],
        process={"service_name": "shop", "tags": [_tag("host", STRING, "a")]},
    )

    assert {p.key: p.value.string_value for p in resource.resource.attributes} == {
        "service.name": "shop",
        "host": "a",
    }
    assert resource.scope_spans[0].scope.name == "lib"
    assert (span.trace_id, span.span_id, span.name) == (TRACE, b"12345678", "get /")
    assert span.start_time_unix_nano == 1_750_000_000_000_000_005
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1_000_000_500
    assert (span.kind, span.status.code, span.trace_state) == (Span.SPAN_KIND_SERVER, 2, "a=b")
    kinds = {pair.key: pair.value.WhichOneof("value") for pair in span.attributes}
    assert kinds == {"size": "int_value", "ratio": "double_value", "blob": "bytes_value"}
    assert [(e.name, e.attributes[0].key) for e in span.events] == [("retry", "n")]


def test_jaeger_references_become_parent_and_links() -> None:
    """The first parent in the trace is the parent; everything else is a link with its kind."""
    _, span = _converted(
        references=[
            {"trace_id": OTHER, "span_id": b"other..."},
            {"trace_id": TRACE, "span_id": b"parent.."},
            {"trace_id": TRACE, "span_id": b"earlier.", "ref_type": 1},
        ]
    )

    assert span.parent_span_id == b"parent.."
    assert [(link.span_id, link.attributes[0].value.string_value) for link in span.links] == [
        (b"other...", "child_of"),
        (b"earlier.", "follows_from"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        b"\xff",
        _span(trace_id=b""),
        _span(span_id=bytes(8)),
        _span(start_time={"seconds": -5}),
        _span(references=[{"trace_id": TRACE}]),
    ],
)
def test_jaeger_that_is_none_is_malformed(value: bytes) -> None:
    """Broken protobuf, missing ids and senseless times are the record's fault."""
    with pytest.raises(Malformed):
        from_jaeger_proto(value)


def test_jaeger_tag_of_unknown_type_is_left_out() -> None:
    """A type that did not exist when this was written costs the tag, not the span."""
    _, span = _converted(tags=[{"key": "new", "v_type": 9}])

    assert list(span.attributes) == []


@given(st.binary(max_size=200))
def test_jaeger_any_bytes_give_a_request_or_malformed(value: bytes) -> None:
    """No input crashes the reader."""
    with contextlib.suppress(Malformed):
        ExportTraceServiceRequest.FromString(from_jaeger_proto(value))
