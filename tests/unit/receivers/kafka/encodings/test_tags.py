"""What Zipkin's and Jaeger's tags mean."""

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from bridge.core import Malformed
from bridge.receivers.kafka.encodings.tags import (
    add_attributes,
    checked_id,
    take_kind,
    take_scope,
    take_status,
)


@pytest.mark.parametrize(
    ("tags", "code", "message", "left"),
    [
        ({"otel.status_code": "ERROR", "otel.status_description": "x"}, 2, "x", {}),
        ({"otel.status_code": "OK"}, 1, "", {}),
        ({"error": True}, 2, "", {}),
        ({"error": "true"}, 2, "", {}),
        ({"error": "no route"}, 2, "no route", {"error": "no route"}),
        ({"error": "false"}, 0, "", {"error": "false"}),
        ({"error": False}, 0, "", {"error": False}),
        ({}, 0, "", {}),
    ],
)
def test_status_is_found_in_tags(
    tags: dict[str, Any], code: int, message: str, left: dict[str, Any]
) -> None:
    """OpenTelemetry's own tags come first, then ``error``; what tells more stays a tag."""
    span = Span()

    take_status(span, tags)

    assert span.status == Status(code=code, message=message)  # type: ignore[arg-type]  # A number.
    assert tags == left


def test_kind_is_found_in_tags() -> None:
    """A known kind is taken, an unknown one stays."""
    span, tags = Span(), {"span.kind": "Internal"}
    take_kind(span, tags)
    other = {"span.kind": "odd"}
    take_kind(span, other)

    assert (span.kind, tags, other) == (Span.SPAN_KIND_INTERNAL, {}, {"span.kind": "odd"})


def test_scope_is_found_in_tags() -> None:
    """The newer names win over the older ones."""
    scope = ScopeSpans()
    tags = {"otel.library.name": "old", "otel.library.version": "1", "otel.scope.name": "new"}

    take_scope(scope, tags)

    assert (scope.scope.name, scope.scope.version, tags) == ("new", "1", {})


def test_attributes_keep_their_types() -> None:
    """Tags become attributes of the type that they have."""
    span = Span()

    add_attributes(span.attributes, {"a": True, "b": 1, "c": 1.5, "d": b"x", "e": "t"})

    kinds = [pair.value.WhichOneof("value") for pair in span.attributes]
    assert kinds == ["bool_value", "int_value", "double_value", "bytes_value", "string_value"]


def test_ids_are_filled_up_and_checked() -> None:
    """Short ids get zeros in front; empty, zero and long ones are none."""
    assert checked_id(b"\x01", 8, "id") == bytes(7) + b"\x01"
    for raw in (b"", bytes(8), bytes(16) + b"\x01"):
        with pytest.raises(Malformed, match="no valid id"):
            checked_id(raw, 8, "id")
