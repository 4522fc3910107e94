"""Finding spans in bodies of whatever layout."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Malformed
from bridge.processors._gathering.scan import Scope, count_spans, scan
from bridge.testing import Order, trace_request
from tests.unit.processors._gathering.conftest import request, trace_id

A, B = trace_id(1), trace_id(2)


def found(body: bytes, scopes: list[Scope]) -> list[tuple[bytes, bytes, int]]:
    """Trace id, framed spans and number of every range."""
    return [
        (owner, body[start:stop], spans)
        for _, _, _, ranges in scopes
        for owner, start, stop, spans in ranges
    ]


def spans_by_decoding(body: bytes) -> list[bytes]:
    """The trace ids, as the full schema reads them."""
    message = ExportTraceServiceRequest.FromString(body)
    return [
        span.trace_id
        for group in message.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def ids_of(body: bytes) -> list[bytes]:
    """The trace id of each span as the scan has it."""
    return [owner for owner, _, spans in found(body, scan(body)) for _ in range(spans)]


@pytest.mark.parametrize("order", list(Order))
def test_scan_of_interleaved_traces_gives_runs(order: Order) -> None:
    """Consecutive spans of one trace are one range, in either order of fields."""
    body = request((A, 1), (A, 2), (B, 3), (A, 4), order=order)

    scopes = scan(body)

    assert [(owner, n) for owner, _, n in found(body, scopes)] == [(A, 2), (B, 1), (A, 1)]
    assert [count_spans(part, 0, len(part)) for _, part, _ in found(body, scopes)] == [2, 1, 1]


@pytest.mark.parametrize("order", list(Order))
def test_scan_keeps_heads_with_schema_urls(order: Order) -> None:
    """The heads are everything but the children, whatever the order of fields."""
    message = ExportTraceServiceRequest.FromString(request((A, 1)))
    message.resource_spans[0].schema_url = "r"
    message.resource_spans[0].scope_spans[0].schema_url = "s"
    body = order.encode(message)

    ((start, resource, scope, _),) = scan(body)

    message.resource_spans[0].scope_spans[0].ClearField("spans")
    rebuilt = ExportTraceServiceRequest()
    group = rebuilt.resource_spans.add()
    group.MergeFromString(resource)
    group.scope_spans.add().MergeFromString(scope)
    assert (0, message) == (start, rebuilt)


def test_scan_of_requests_without_spans_gives_nothing() -> None:
    """Empty requests, resources and scopes have no ranges."""
    message = ExportTraceServiceRequest()
    message.resource_spans.add().scope_spans.add().scope.name = "s"

    assert scan(b"") == []
    assert scan(message.SerializeToString()) == []


def test_scan_of_two_ids_in_one_span_and_none_in_another_is_exact() -> None:
    """The last occurrence counts, and a span without one has the empty id."""
    first = b"\x0a\x10" + A + b"\x0a\x10" + B
    second = b"\x2a\x01n"
    spans = b"".join(b"\x12" + bytes([len(one)]) + one for one in (first, second))
    scope = b"\x12" + bytes([len(spans)]) + spans
    body = b"\x0a" + bytes([len(scope)]) + scope

    assert ids_of(body) == [B, b""]


def test_scan_of_an_empty_last_span_is_exact() -> None:
    """A span without any byte is a span."""
    scope = b"\x12\x16" + b"\x12\x12\x0a\x10" + A + b"\x12\x00"
    body = b"\x0a" + bytes([len(scope)]) + scope

    assert ids_of(body) == [A, b""]


@pytest.mark.parametrize("cut", [1, 2, 30, 60])
def test_scan_of_a_cut_body_is_malformed(cut: int) -> None:
    """A body that ends too early is refused, wherever it was cut."""
    body = request((A, 1), (B, 2))

    with pytest.raises(Malformed):
        scan(body[:-cut])


def test_scan_of_a_child_beyond_its_parent_is_malformed() -> None:
    """A length that reaches beyond what holds it is refused."""
    inner = b"\x12\x05\x12\x7f\x0a\x01x"
    with pytest.raises(Malformed):
        scan(b"\x0a" + bytes([len(inner)]) + inner + b"\x0a\x00" * 100)


def framed(tag: int, content: bytes) -> bytes:
    """A length-delimited field of less than 128 bytes."""
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


def test_scan_keeps_unknown_fields_and_pieces_of_heads() -> None:
    """What an envelope holds besides its children stays with it, in whatever pieces it came."""
    span = framed(0x12, b"\x0a\x10" + A)
    pieces = [framed(0x0A, b"\x0a\x01s"), span, framed(0x0A, b"\x12\x01v"), b"\x58\x07"]
    unknown = b"\xfa\x01\x01z"
    resource = unknown + framed(0x12, b"".join(pieces)) + b"\x39" + bytes(8)
    body = b"\x25" + bytes(4) + framed(0x0A, resource)

    ((_, head, scope, ranges),) = scan(body)

    assert unknown + b"\x39" + bytes(8) == head
    assert scope == b"\x0a\x03\x0a\x01s\x0a\x03\x12\x01v\x58\x07"
    assert [(A, span, 1)] == found(body, [(0, head, scope, ranges)])


def test_scan_of_spans_that_stand_apart_finds_all() -> None:
    """Something between two spans of a scope splits the range and nothing else."""
    span = framed(0x12, b"\x0a\x10" + A)
    body = framed(0x0A, framed(0x12, span + b"\x1a\x01u" + span))

    assert [(A, span, 1), (A, span, 1)] == found(body, scan(body))


def test_scan_of_a_group_is_malformed() -> None:
    """Groups are no part of OTLP."""
    with pytest.raises(Malformed):
        scan(framed(0x0A, b"\x4b\x4c") + request((A, 1)))


@settings(max_examples=60, deadline=None)
@given(
    traces=st.integers(1, 5),
    spans=st.integers(1, 4),
    seed=st.integers(0, 1000),
    padding=st.sampled_from([0, 100, 20_000]),
    order=st.sampled_from(Order),
)
def test_scan_finds_what_decoding_finds(
    traces: int, spans: int, seed: int, padding: int, order: Order
) -> None:
    """Ids and number of spans equal those of the full schema, also of joined bodies."""
    made = trace_request(traces, spans, seed=seed, padding_bytes=padding, order=order)
    body = made.body + request((A, 1), (B, 2))

    assert spans_by_decoding(body) == ids_of(body)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60))
def test_scan_of_noise_raises_nothing_else(body: bytes) -> None:
    """Whatever comes, the answer is ranges or `Malformed`."""
    try:
        scan(body)
    except Malformed:
        return
