"""Hashes: published values, and the bulk forms against the plain ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.wire import fnv1a_32, fnv1a_32_many, murmur2, murmur2_many


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"", 0x811C9DC5),
        (b"a", 0xE40C292C),
        (b"01000000000000000000000000000000", 0x2F2C466A),
        (b"4bf92f3577b34da6a3ce929d0e0e4736", 0x8B14ACD2),
    ],
)
def test_fnv_of_known_keys_is_the_published_value(key: bytes, expected: int) -> None:
    """FNV-1a of Go's hash/fnv."""
    assert expected == fnv1a_32(key)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"01000000000000000000000000000000", 0xFBB5254A),
        (b"0af7651916cd43dd8448eb211c80319c", 0xD63CB2AF),
    ],
)
def test_murmur_of_known_keys_is_the_java_client_value(key: bytes, expected: int) -> None:
    """Murmur2 of the Java client."""
    assert expected & 0xFFFFFFFF == murmur2(key)


@given(keys=st.lists(st.binary(min_size=32, max_size=32), max_size=40))
def test_bulk_hashes_equal_single_ones(keys: list[bytes]) -> None:
    """Many keys at once give the same hashes, whatever their number."""
    assert [fnv1a_32(key) for key in keys] == fnv1a_32_many(keys)
    assert [murmur2(key) for key in keys] == murmur2_many(keys)


@given(keys=st.lists(st.binary(min_size=7, max_size=7), min_size=12, max_size=20))
def test_bulk_murmur_of_odd_lengths_falls_back(keys: list[bytes]) -> None:
    """Lengths that are no multiple of four are hashed one by one."""
    assert [murmur2(key) for key in keys] == murmur2_many(keys)
