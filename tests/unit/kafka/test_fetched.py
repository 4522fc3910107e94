"""aiokafka's consumer makes records by our reader."""

import struct
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, Fetcher, FetchResult
from aiokafka.errors import CorruptRecordException

from bridge.kafka import fetched
from bridge.kafka.checksum import crc32c
from bridge.kafka.record_reader import FetchedRecord
from tests.unit.kafka.test_record_reader import build

WHERE = TopicPartition("spans", 7)


def records(data: bytes, offset: int = 0, isolation: int = READ_UNCOMMITTED) -> Any:
    """The records of an answer as the patched fetcher makes them."""
    return fetched._OurRecords(
        WHERE, fetched._KeptBytes(data), [], offset, None, None, True, isolation
    )


def control(data: bytes) -> bytes:
    """The same batch, said to hold markers of transactions."""
    out = bytearray(data)
    struct.pack_into(">h", out, 21, 0x20)
    struct.pack_into(">I", out, 17, crc32c(bytes(out[21:])))
    return bytes(out)


def test_position_follows_each_record_and_ends_behind_the_batch() -> None:
    """A poll may stop after any record; what compaction took is not asked for again."""
    out = bytearray(build([(1, None, b"a", []), (1, None, b"b", [])]))
    struct.pack_into(">i", out, 23, 9)  # The last of ten records was compacted away.
    struct.pack_into(">I", out, 17, crc32c(bytes(out[21:])))
    made = records(bytes(out))

    seen = [(record.value, made.next_fetch_offset) for record in made]
    assert seen == [(b"a", 1), (b"b", 2)]
    assert made.next_fetch_offset == 10


def test_markers_of_transactions_are_skipped() -> None:
    """They hold no data, but their offsets are taken."""
    made = records(control(build([(1, b"k", b"v", [])])))

    assert list(made) == []
    assert made.next_fetch_offset == 1


def test_damaged_batch_raises_where_it_stands() -> None:
    """What came before it was handed out."""
    good = build([(1, None, b"a", [])])
    made = records(good + good[:-1] + b"?")

    assert next(made).value == b"a"
    with pytest.raises(CorruptRecordException):
        next(made)


def test_readers_of_committed_transactions_go_their_own_way() -> None:
    """aiokafka knows which transactions were aborted."""
    (record,) = records(build([(1, b"k", b"v", [])]), isolation=READ_COMMITTED)

    assert not isinstance(record, FetchedRecord)
    assert record.value == b"v"


def test_fetcher_is_as_we_know_it() -> None:
    """A new version of aiokafka that makes records elsewhere fails here, not in production."""
    code = Fetcher._proc_fetch_request.__code__

    assert {"MemoryRecords", "PartitionRecords"} <= set(code.co_names)
    assert "_partition_records" in FetchResult.getall.__code__.co_names
