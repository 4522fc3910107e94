"""Undoing compression under a cap."""

import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import Malformed, Overloaded, TooLarge
from bridge.http2 import decompress

MIB = 1 << 20
ENCODERS = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "deflate": zlib.compress,
    "zlib": zlib.compress,
}


def free(more_bytes: int) -> None:
    """Charge nothing."""


@pytest.mark.parametrize("encoding", ENCODERS)
@given(st.binary(max_size=5_000))
def test_decompress_undoes_each_encoding(encoding: str, body: bytes) -> None:
    """What was compressed comes back."""
    assert body == decompress(encoding, ENCODERS[encoding](body), MIB, free)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_are_one_body(encoding: str) -> None:
    """Members and frames that follow one another are joined."""
    encode = ENCODERS[encoding]

    assert decompress(encoding, encode(b"one") + encode(b"two"), MIB, free) == b"onetwo"


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("size", [3 * MIB, 3 * MIB + 1])
def test_cap_is_exact(encoding: str, size: int) -> None:
    """A body of the cap passes, one byte more does not."""
    compressed = ENCODERS[encoding](bytes(size))

    if size == 3 * MIB:
        assert size == len(decompress(encoding, compressed, 3 * MIB, free))
    else:
        with pytest.raises(TooLarge):
            decompress(encoding, compressed, 3 * MIB, free)


@pytest.mark.parametrize("encoding", ENCODERS)
def test_bomb_is_stopped_near_the_cap(encoding: str) -> None:
    """No more than the cap and one piece is ever made."""
    made = 0

    def count(more_bytes: int) -> None:
        nonlocal made
        made += more_bytes

    with pytest.raises(TooLarge):
        decompress(encoding, ENCODERS[encoding](bytes(64 * MIB)), 2 * MIB, count)

    assert made <= 2 * MIB


@pytest.mark.parametrize("encoding", ENCODERS)
def test_charge_that_refuses_ends_it(encoding: str) -> None:
    """Memory is charged before it is kept: an overloaded budget stops the work."""

    def refuse(more_bytes: int) -> None:
        raise Overloaded("full")

    with pytest.raises(Overloaded):
        decompress(encoding, ENCODERS[encoding](b"x" * 100), MIB, refuse)


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("cut", [1, 5, 9])
def test_truncated_body_is_malformed(encoding: str, cut: int) -> None:
    """A body that ends early is never taken for complete."""
    compressed = ENCODERS[encoding](b"some text " * 50)

    with pytest.raises(Malformed):
        decompress(encoding, compressed[:-cut], MIB, free)


@pytest.mark.parametrize("encoding", ENCODERS)
@given(st.binary(max_size=200))
def test_garbage_is_malformed(encoding: str, garbage: bytes) -> None:
    """Any bytes decompress or are malformed; no other error comes out."""
    try:
        decompress(encoding, garbage, MIB, free)
    except (Malformed, TooLarge):
        return


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_flipped_bits_are_noticed(encoding: str, place: int, flip: int) -> None:
    """A checksum guards the body: it comes back as it was, or not at all."""
    encode = {
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    }[encoding]
    body = bytes(range(256)) * 8
    compressed = bytearray(encode(body))
    compressed[place % len(compressed)] ^= flip

    try:
        result = decompress(encoding, bytes(compressed), MIB, free)
    except (Malformed, TooLarge):
        return
    assert body == result


@pytest.mark.parametrize("window_log", [23, 24])
def test_zstd_window_is_bounded(window_log: int) -> None:
    """8 MiB is the largest window (RFC 9659): more would be memory that no cap counts."""
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log, enable_ldm=True)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    compressed = compressor.compress(b"x" * 100) + compressor.flush()

    if window_log == 23:
        assert decompress("zstd", compressed, MIB, free) == b"x" * 100
    else:
        with pytest.raises(Malformed):
            decompress("zstd", compressed, MIB, free)


def test_zstd_skippable_frame_is_skipped() -> None:
    """Metadata frames are no data."""
    skippable = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"

    body = decompress("zstd", skippable + ENCODERS["zstd"](b"body"), MIB, free)

    assert body == b"body"


def test_unknown_encoding_is_a_lookup_error() -> None:
    """Callers check the name first."""
    with pytest.raises(LookupError):
        decompress("snappy", b"x", MIB, free)
