"""Murmur3 against published values."""

import pytest

from bridge.ottl.murmur import murmur3_32, murmur3_128

FOX = b"The quick brown fox jumps over the lazy dog"


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0), (b"test", 0xBA6BD213), (b"Hello, world!", 0xC0363E43), (FOX, 0x2E4FF723)],
)
def test_murmur3_32_gives_the_published_values(data: bytes, value: int) -> None:
    """With and without a tail behind the last four bytes."""
    assert murmur3_32(data) == value


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", "0" * 32), (FOX, "e34bbc7bbc071b6c7a433ca9c49a9347")],
)
def test_murmur3_128_gives_the_published_values(data: bytes, value: str) -> None:
    """Both halves, low byte first."""
    halves = murmur3_128(data)

    assert (halves[7::-1] + halves[:7:-1]).hex() == value
    assert len({murmur3_128(b"x" * size) for size in range(40)}) == 40


def test_murmur3_128_of_every_tail_differs_from_its_neighbour() -> None:
    """One byte more or another byte changes both halves."""
    for size in range(1, 33):
        one, other = murmur3_128(b"a" * size), murmur3_128(b"a" * (size - 1) + b"b")
        assert one[:8] != other[:8]
        assert one[8:] != other[8:]
