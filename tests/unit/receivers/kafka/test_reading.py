"""From Kafka records to what a lane takes."""

from bridge.core import Malformed, Signal
from bridge.receivers.kafka.encodings import find_decoder
from bridge.receivers.kafka.header_extraction import HeaderAttributes
from bridge.receivers.kafka.reading import RecordReader, with_offset
from bridge.testing import trace_request
from tests.unit.receivers.kafka.lanes import source_record

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
