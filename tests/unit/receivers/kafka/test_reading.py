"""From Kafka records to what a lane takes."""

import pytest

from bridge.core import Malformed, Signal, TooLarge
from bridge.flow import ReadRecord
from bridge.receivers.kafka.encodings import find_decoder
from bridge.receivers.kafka.header_extraction import HeaderAttributes
from bridge.receivers.kafka.reading import RecordReader, with_offset
from bridge.testing import trace_request
from bridge.wire import RequestLimits
from tests.unit.receivers.kafka.lanes import source_record
from tests.unit.wire.nesting import PLACES, lists

MADE = trace_request(2, 3)


def _reader(attributes: HeaderAttributes | None = None) -> RecordReader:
    return RecordReader(Signal.TRACES, find_decoder(Signal.TRACES, "otlp_proto"), attributes)


def test_reader_counts_items_and_keeps_bytes() -> None:
    """OTLP stays the bytes it is; its spans are counted."""
    entry = _reader().read(source_record(5, MADE.body))

    assert entry.body is MADE.body
    assert (entry.items, entry.offset, entry.timestamp_ms, entry.fault) == (6, 5, 1005, None)


def test_reader_headers_become_metadata() -> None:
    """Names in lower case, values in order, topic and partition besides; our mark is left out."""
    headers = (("Tenant", b"a"), ("tenant", b"b"), ("bridge-packing", b"partition"), ("x", None))

    entry = _reader().read(source_record(0, MADE.body, headers=headers))

    assert entry.metadata == {
        "tenant": ("a", "b"),
        "x": ("",),
        "kafka.topic": ("spans",),
        "kafka.partition": ("2",),
    }
    assert with_offset(entry.metadata, 7)["kafka.offset"] == ("7",)


def test_reader_equal_headers_share_their_metadata() -> None:
    """Neighbours with equal headers cost one object; other headers make another."""
    reader = _reader()
    headers = (("tenant", b"a"),)
    one = reader.read(source_record(0, MADE.body, headers=headers))
    two = reader.read(source_record(1, MADE.body, headers=headers))
    three = reader.read(source_record(2, MADE.body))

    assert one.metadata is two.metadata
    assert three.metadata != two.metadata


def test_reader_broken_record_has_a_fault() -> None:
    """What is no OTLP, or has no value at all, is kept with the reason."""
    for value in (b"\xff\xff", None):
        entry = _reader().read(source_record(0, value))

        assert isinstance(entry.fault, Malformed)
        assert (entry.body, entry.items) == (b"", 0)


def test_reader_outlives_a_decoder_that_stumbles() -> None:
    """An unexpected error is the record's fault: reading goes on behind it."""

    def decode(record: object) -> bytes:
        raise OverflowError("surprise")

    entry = RecordReader(Signal.TRACES, decode, None).read(source_record(0, b"x"))

    assert "surprise" in str(entry.fault)


def test_reader_extracts_headers() -> None:
    """Configured headers stand on every resource."""
    attributes = HeaderAttributes(Signal.TRACES, ["tenant"])

    entry = _reader(attributes).read(
        source_record(0, MADE.body, headers=(("tenant", b"a"), ("tenant", b"b")))
    )

    assert b"kafka.header.tenant" in entry.body
    assert entry.items == 6


def test_reader_takes_values_nested_too_deep_for_poison() -> None:
    """Nothing decodes them; the record is set aside with its reason."""
    _, make = PLACES["span"]
    decode = find_decoder(Signal.TRACES, "otlp_proto")
    reader = RecordReader(Signal.TRACES, decode, None, RequestLimits(5))

    assert reader.read(source_record(0, make(lists(5)))).fault is None
    fault = reader.read(source_record(1, make(lists(6)))).fault
    assert isinstance(fault, Malformed)
    assert "more than 5 deep" in str(fault)


def test_reader_takes_object_bombs_for_poison_before_it_decodes_them() -> None:
    """Also where headers are put on every resource, for which a record is decoded."""
    attributes = HeaderAttributes(Signal.TRACES, ("tenant",))
    bomb = b"\x0a\x00" * 300_000
    fault = _reader(attributes).read(source_record(0, bomb, headers=(("tenant", b"a"),))).fault

    assert isinstance(fault, TooLarge)


def test_reader_does_not_copy_large_headers_into_many_resources() -> None:
    """A header of a record is sent once and would be stored for each resource."""
    attributes = HeaderAttributes(Signal.TRACES, ("tenant",))
    headers = (("tenant", b"x" * 100_000),)
    many = b"\x0a\x00" * 1_000

    assert isinstance(
        _reader(attributes).read(source_record(0, many, headers=headers)).fault, TooLarge
    )
    assert _reader(attributes).read(source_record(0, MADE.body, headers=headers)).fault is None


@pytest.mark.parametrize("attributes", [None, HeaderAttributes(Signal.TRACES, ("tenant",))])
def test_reader_of_many_gives_what_it_gives_for_each(attributes: HeaderAttributes | None) -> None:
    """Sound ones, broken ones, empty ones, bombs, with headers of their own or shared."""
    shared = (("tenant", b"a"),)
    values = [MADE.body, MADE.body, b"\xff", None, b"", b"\x0a\x00" * 300_000, MADE.body]
    records = [
        source_record(at, value, headers=shared if at % 3 else ())
        for at, value in enumerate(values)
    ]
    each, all_at_once = _reader(attributes), _reader(attributes)

    def told(entry: ReadRecord) -> tuple[object, ...]:
        fault = entry.fault and (type(entry.fault), str(entry.fault))
        return entry.offset, entry.timestamp_ms, entry.body, entry.items, entry.metadata, fault

    assert [told(entry) for entry in all_at_once.read_all(records)] == [
        told(each.read(record)) for record in records
    ]
