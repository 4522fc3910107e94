"""Record batches are read as aiokafka reads them, by both forms, and broken ones by none."""

import struct
from collections.abc import Sequence

import pytest
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.kafka import record_reader
from bridge.kafka.checksum import crc32c
from bridge.kafka.record_reader import (
    FetchedRecord,
    batch_heads,
    is_readable,
    read_batch,
    read_in_python,
)

Made = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]

HEADERS = st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2)
CONTENT = st.none() | st.binary(max_size=200)
MADE = st.lists(
    st.tuples(st.integers(0, 1 << 45), CONTENT, CONTENT, HEADERS), min_size=1, max_size=8
)
FORMS = ["compiled", "python"]


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both forms of the reader, one after the other."""
    name: str = request.param
    if name == "python":
        monkeypatch.setattr(record_reader, "_compiled", None)
    elif record_reader._compiled is None:
        pytest.skip("installed without a C compiler: there is no compiled form")
    return name


def build(made: Sequence[Made], codec: int = 0) -> bytes:
    """A record batch as aiokafka's producer makes it."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for number, (stamp, key, value, headers) in enumerate(made):
        builder.append(number, stamp, key, value, headers)
    return bytes(builder.build())


def read(data: bytes, first_wanted: int = 0) -> list[FetchedRecord]:
    """All records of all batches."""
    return [
        record
        for head in batch_heads(data)
        for record in read_batch("spans", 7, data, head, first_wanted)
    ]


def theirs(data: bytes) -> list[FetchedRecord]:
    """What aiokafka reads."""
    return [
        FetchedRecord("spans", 7, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
        for r in DefaultRecordBatch(data)
    ]


def patched(data: bytes, at: int, form: str, *values: int) -> bytes:
    """*data* with other values in a batch's header, and a checksum that holds."""
    out = bytearray(data)
    struct.pack_into(form, out, at, *values)
    struct.pack_into(">I", out, 17, crc32c(bytes(out[21:])))
    return bytes(out)


@given(made=MADE, codec=st.integers(0, 4))
@settings(max_examples=100, deadline=None)
def test_both_forms_read_what_aiokafka_reads(made: list[Made], codec: int) -> None:
    """Keys, values, headers, offsets and times, whatever the compression."""
    data = build(made, codec)
    (head,) = batch_heads(data)
    plain = build(made)[61:]
    told = head.records, head.base_offset, head.first_timestamp, -1, 0

    assert read(data) == theirs(data)
    assert read_in_python("spans", 7, plain, *told) == theirs(data)


@given(made=MADE, at=st.integers(0, 400), value=st.integers(0, 255), count=st.integers(-1, 10))
@settings(max_examples=400, deadline=None)
def test_both_forms_refuse_the_same_broken_records(
    made: list[Made], at: int, value: int, count: int
) -> None:
    """One wrong byte or a wrong count: the same records, or a refusal, from both."""
    if record_reader._compiled is None:
        pytest.skip("installed without a C compiler: there is no compiled form")
    content = bytearray(build(made)[61:])
    content[at % len(content)] = value
    told = "spans", 7, bytes(content), count, 100, 1000, -1, 0
    found: list[object] = []
    for reader in (lambda: record_reader._compiled.records(FetchedRecord, *told), None):
        try:
            found.append(reader() if reader else read_in_python(*told))
        except (ValueError, IndexError):
            found.append("refused")

    assert found[0] == found[1]


def test_record_of_earlier_offset_is_left_out(form: str) -> None:
    """A fetch begins in the middle of a batch: what comes before was read already."""
    data = build([(1, None, b"a", []), (2, None, b"b", []), (3, None, b"c", [])])

    assert [r.value for r in read(data, first_wanted=1)] == [b"b", b"c"]


def test_cut_off_batch_is_left_for_the_next_fetch(form: str) -> None:
    """Brokers cut answers off anywhere."""
    data = build([(1, None, b"a", [])])

    assert [r.value for r in read(data + data[:-1])] == [b"a"]
    assert read(data[:60]) == []


def test_time_of_the_broker_counts_where_the_topic_says_so(form: str) -> None:
    """LogAppendTime: all records have the time of the batch."""
    data = patched(build([(1, None, b"a", []), (5, None, b"b", [])]), 21, ">h", 0x08)

    assert [r.timestamp for r in read(data)] == [5, 5]


def test_equal_headers_are_one_object() -> None:
    """So that telling whether neighbours share theirs costs nothing."""
    if record_reader._compiled is None:
        pytest.skip("installed without a C compiler: there is no compiled form")
    one, two, other = read(
        build([(1, None, b"", [("a", b"b")]), (1, None, b"", [("a", b"b")]), (1, None, b"", [])])
    )

    assert one.headers is two.headers
    assert other.headers == ()


def test_wrong_checksum_is_refused(form: str) -> None:
    """The one error that no retry mends."""
    data = bytearray(build([(1, None, b"abc", [])]))
    data[-2] ^= 1

    with pytest.raises(CorruptRecordException, match="checksum at spans/7@0"):
        read(bytes(data))


def test_unknown_codec_is_refused() -> None:
    """Rather than taken for records."""
    data = patched(build([(1, None, b"abc", [])]), 21, ">h", 7)

    with pytest.raises(UnsupportedCodecError):
        read(data)


@pytest.mark.parametrize("count", [-1, 0, 2, 1 << 30])
def test_wrong_number_of_records_is_refused(form: str, count: int) -> None:
    """Too many, and what is behind the last one; nothing is reserved for what is only promised."""
    data = patched(build([(1, None, b"abc", [])]), 57, ">i", count)

    with pytest.raises(CorruptRecordException, match="structure at spans/7@0"):
        read(data)


def test_wrong_length_of_a_batch_is_refused() -> None:
    """A length that would send us in circles."""
    data = patched(build([(1, None, b"abc", [])]), 8, ">i", -12)

    with pytest.raises(CorruptRecordException, match="too small"):
        list(batch_heads(data))


def test_old_formats_are_not_ours() -> None:
    """Alone, and behind a batch of the present one."""
    legacy = LegacyRecordBatchBuilder(1, 0, 1 << 10)
    legacy.append(0, 1, None, b"old")
    old, new = bytes(legacy.build()), build([(1, None, b"abc", [])])

    assert [is_readable(data) for data in (new, new + new[:5], old, new + old, b"")] == [
        True,
        True,
        False,
        False,
        False,
    ]
