"""Reading many trace ids at once gives what the official classes give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.core import Malformed, Signal
from bridge.wire import is_trace_id, trace_ids, trace_key
from bridge.wire import trace_ids as trace_ids_function
from tests.unit.wire.samples import encode

ID_A, ID_B = bytes(range(1, 17)), bytes(range(101, 117))


def field(tag: int, value: bytes) -> bytes:
    """One length-delimited field."""
    return bytes([tag, len(value)]) + value


SPAN_FIELDS = st.one_of(
    st.sampled_from([ID_A, ID_B, b"", b"\x01", bytes(16)]).map(lambda value: field(0x0A, value)),
    st.text(max_size=9).map(lambda value: field(0x2A, value.encode())),
    # Text that looks like a trace id field must not be taken for one.
    st.sampled_from([field(0x2A, field(0x0A, ID_A)), field(0x1A, b"\x0a\x00\x0a\x10" + ID_B)]),
    st.just(b"\x08\x05"),  # Field 1 as a number: unknown, not a trace id.
    st.just(b"\x30\x02"),
)


@given(spans=st.lists(st.lists(SPAN_FIELDS, max_size=6).map(b"".join), max_size=8))
def test_ids_of_any_well_formed_spans_equal_the_official_ones(spans: list[bytes]) -> None:
    """No, one or several ids a span, anywhere among the fields: the last one of each counts."""
    expected = [Span.FromString(span).trace_id for span in spans]

    assert expected == trace_ids(Signal.TRACES, spans)


@given(spans=st.lists(st.binary(max_size=24), max_size=6))
def test_ids_of_any_bytes_are_right_or_malformed(spans: list[bytes]) -> None:
    """A span is never read across its own end: each is decodable alone, or all are refused."""
    try:
        found = trace_ids(Signal.TRACES, spans)
    except Malformed:
        return
    for span, trace_id in zip(spans, found, strict=True):
        rest = Span()
        rest.ParseFromString(b"".join(_only_field_one(span)))
        assert rest.trace_id == trace_id


def _only_field_one(span: bytes) -> list[bytes]:
    """Field 1 of a span by a second reader, so that invalid text elsewhere does not matter."""
    from bridge.wire._pb.slim_pb2 import SpanId

    return [field(0x0A, SpanId.FromString(span).trace_id)]


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_ids_are_read_in_both_field_orders(order: str) -> None:
    """SDKs write the id first, the Collector last."""
    span = Span(trace_id=ID_A, span_id=b"12345678", name="x", start_time_unix_nano=1)
    log = LogRecord(trace_id=ID_B, span_id=b"12345678", time_unix_nano=1)

    assert trace_ids(Signal.TRACES, [encode(span, order)] * 2) == [ID_A, ID_A]
    assert trace_ids(Signal.LOGS, [encode(log, order)]) == [ID_B]


def test_id_of_a_truncated_span_does_not_come_from_its_neighbour() -> None:
    """A span that ends inside a field is refused even if the next one would complete it."""
    truncated = field(0x0A, ID_A) + b"\x2a\x20"
    whole = field(0x0A, ID_B) + field(0x2A, b"name of the operation")

    with pytest.raises(Malformed, match="span"):
        trace_ids(Signal.TRACES, [truncated, whole])


@pytest.mark.parametrize(
    ("trace_id", "key"),
    [(ID_A, ID_A.hex().encode()), (bytes(16), b""), (b"", b""), (b"\x01", b"")],
)
def test_key_is_hex_of_whole_ids_only(trace_id: bytes, key: bytes) -> None:
    """What names no trace has the empty key."""
    assert key == trace_key(trace_id)
    assert bool(key) == is_trace_id(trace_id)


def test_no_items_have_no_ids() -> None:
    """Nothing in, nothing out."""
    assert trace_ids_function(Signal.LOGS, []) == []
