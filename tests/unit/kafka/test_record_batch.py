"""Sizes of record batches are exact, and compression has levels."""

import random

import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka import Compression, OutRecord, codec, encoded_size, value_bytes_max
from bridge.kafka.record_batch import RecordBatch, batch_size_alone, build_batch

HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=200)), max_size=3).map(tuple)
TEXT = random.Random(1).randbytes(500) * 40


@given(
    key=st.none() | st.binary(max_size=40),
    size=st.integers(0, 300) | st.sampled_from([16_000, 70_000, 2_097_152]),
    headers=HEADERS,
)
def test_size_of_one_record_is_what_is_built(
    key: bytes | None, size: int, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """The calculated size equals the built one, whatever key, value and headers."""
    batch = RecordBatch(1 << 30, None)
    assert batch.add(OutRecord(key, bytes(size), headers, 1), 1_700_000_000_000)

    assert len(batch._build()) == batch_size_alone(key, size, headers)


@given(key=st.none() | st.binary(max_size=40), headers=HEADERS, limit=st.integers(1024, 200_000))
def test_largest_value_fits_and_one_byte_more_does_not(
    key: bytes | None, headers: tuple[tuple[str, bytes], ...], limit: int
) -> None:
    """The limit is used to the last byte."""
    size = value_bytes_max(key, headers, limit)

    assert batch_size_alone(key, size, headers) <= limit
    assert batch_size_alone(key, size + 1, headers) > limit
    assert RecordBatch(limit, None).add(OutRecord(key, bytes(size), headers, 1), 0)
    assert not RecordBatch(limit, None).add(OutRecord(key, bytes(size + 1), headers, 1), 0)


@given(sizes=st.lists(st.integers(0, 600), min_size=1, max_size=30))
def test_batch_takes_records_until_its_size_and_not_more(sizes: list[int]) -> None:
    """What fits is taken in order, and no batch is larger than allowed."""
    records = [OutRecord(None, bytes(size), (), 1) for size in sizes]
    batch, count = build_batch(records, 1500, None, 0)

    assert count >= 1
    assert batch.record_count() == count
    assert len(batch._build()) <= 1500


@pytest.mark.parametrize("name", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compressed_batch_is_read_back_by_the_client(name: Compression) -> None:
    """Header, checksum and content of a batch that we compressed are right."""
    batch = RecordBatch(1 << 20, codec(name))
    records = [OutRecord(b"key", TEXT, (("name", b"value"),), 1), OutRecord(None, b"x", (), 1)]
    for record in records:
        assert batch.add(record, 1_700_000_000_000)
    batch._set_producer_state(7, 1, 5)
    built = bytes(batch._build())
    read = DefaultRecordBatch(built)

    assert read.validate_crc()
    assert read.producer_id == 7
    assert read.base_sequence == 5
    assert [(record.key, record.value) for record in read] == [(b"key", TEXT), (None, b"x")]
    assert batch.uncompressed_bytes > len(TEXT)
    assert (len(built) < len(TEXT)) == (name != "none")


@pytest.mark.parametrize(("name", "low", "high"), [("gzip", 1, 9), ("zstd", 1, 19), ("lz4", 0, 12)])
def test_level_changes_the_bytes(name: Compression, low: int, high: int) -> None:
    """`compression_params.level` reaches the codec."""
    words = [f"word{number % 97} span {number * 7919 % 1000}" for number in range(4000)]
    record = OutRecord(None, " ".join(words).encode(), (), 1)

    assert encoded_size(record, codec(name, high)) < encoded_size(record, codec(name, low))


@pytest.mark.parametrize(("name", "level"), [("gzip", 10), ("zstd", 0), ("lz4", 13), ("snappy", 1)])
def test_level_that_does_not_exist_is_refused(name: Compression, level: int) -> None:
    """The error names the codec."""
    with pytest.raises(ValueError, match=name):
        codec(name, level)


def test_batch_that_does_not_shrink_stays_uncompressed() -> None:
    """Random bytes are sent as they are, and say so."""
    batch = RecordBatch(1 << 20, codec("zstd"))
    assert batch.add(OutRecord(None, random.Random(2).randbytes(3000), (), 1), 0)

    assert DefaultRecordBatch(bytes(batch._build())).compression_type == 0


@pytest.mark.parametrize("name", ["gzip", "snappy", "lz4", "zstd"])
def test_small_batches_stay_uncompressed(name: Compression) -> None:
    """A span alone is not worth a compressor's start; a little more is."""

    def compression(value_bytes: int) -> int:
        batch = RecordBatch(1 << 20, codec(name))
        assert batch.add(OutRecord(None, bytes(value_bytes), (), 1), 0)
        built = DefaultRecordBatch(bytes(batch._build()))
        assert built.validate_crc()
        return built.compression_type

    assert compression(490) == 0
    assert compression(512) != 0


def test_default_level_of_zstd_is_its_fastest() -> None:
    """As `bridge/adr/0018-zstd-level.md` says."""
    record = OutRecord(None, TEXT * 20, (), 1)

    assert encoded_size(record, codec("zstd")) == encoded_size(record, codec("zstd", 1))
