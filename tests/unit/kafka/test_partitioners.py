"""Partitions equal those of Collectors and of the Java client."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka import Hasher, partition_of, trace_partitions
from bridge.wire import trace_key

# Partitions of the hex key for 3, 6, 12 and 64 partitions: sarama_compat, then murmur2.
KNOWN = [
    ("01000000000000000000000000000000", (0, 0, 6, 42), (1, 4, 10, 10)),
    ("02000000000000000000000000000000", (1, 1, 7, 15), (0, 3, 9, 49)),
    ("0102030405060708090a0b0c0d0e0f10", (2, 2, 2, 14), (1, 1, 1, 49)),
    ("4bf92f3577b34da6a3ce929d0e0e4736", (0, 0, 6, 46), (2, 2, 2, 26)),
    ("5b8efff798038103d269b633813fc60c", (2, 5, 5, 25), (1, 4, 4, 28)),
    ("0af7651916cd43dd8448eb211c80319c", (1, 1, 7, 59), (1, 1, 7, 47)),
]
COUNTS = (3, 6, 12, 64)


@pytest.mark.parametrize(("digits", "sarama", "murmur"), KNOWN)
def test_partition_of_known_traces_is_the_collectors(
    digits: str, sarama: tuple[int, ...], murmur: tuple[int, ...]
) -> None:
    """Both hashes, by key and by raw id."""
    key, trace_id = digits.encode(), bytes.fromhex(digits)

    assert sarama == tuple(partition_of(key, count, "sarama_compat") for count in COUNTS)
    assert murmur == tuple(partition_of(key, count, "murmur2") for count in COUNTS)
    assert list(sarama) == [trace_partitions([trace_id], n, "sarama_compat")[0] for n in COUNTS]


@pytest.mark.parametrize(("key", "expected"), [(b"key-alpha", 5), (b"key-beta", 7)])
def test_partition_of_text_keys_is_the_collectors(key: bytes, expected: int) -> None:
    """Keys of any length."""
    assert expected == partition_of(key, 8, "sarama_compat")


@given(
    ids=st.lists(st.sampled_from([b"", b"x", bytes(16)]) | st.binary(min_size=16, max_size=16)),
    partitions=st.integers(1, 100),
    hasher=st.sampled_from(["sarama_compat", "murmur2"]),
)
def test_partitions_of_many_ids_equal_those_of_their_keys(
    ids: list[bytes], partitions: int, hasher: Hasher
) -> None:
    """The bulk form gives what each key alone gives; what names no trace has the empty key."""
    expected = [partition_of(trace_key(trace_id), partitions, hasher) for trace_id in ids]

    assert expected == trace_partitions(ids, partitions, hasher)
