"""Compression there and back, and its limits."""

import gzip

import pytest
import zstandard

from bridge.core import Refused, Signal
from bridge.flow import compress, decompress
from bridge.flow.compression import OFF_LOOP_BYTES
from bridge.testing import builders


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("size", [0, 10, OFF_LOOP_BYTES + 1])
async def test_compression_is_undone(kind, size) -> None:
    """Small bodies (on the loop) and large ones (in a thread) come back as they were."""
    body = b"span " * (size // 5)
    encoding = "" if kind == "none" else kind

    assert decompress(encoding, await compress(kind, body), 1 << 20) == body


async def test_compression_level_is_used() -> None:
    """A level changes the bytes."""
    body = builders.sample(Signal.TRACES, 300).body

    assert len(await compress("gzip", body, 9)) < len(await compress("gzip", body, 1))
    assert await compress("zstd", body, 19) != await compress("zstd", body, 1)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(b"\0" * 5_000_000)),
        ("zstd", zstandard.compress(b"\0" * 5_000_000)),
        ("gzip", b"no gzip"),
        ("zstd", b"no zstd"),
        ("br", b"anything"),
    ],
    ids=["gzip-bomb", "zstd-bomb", "gzip-damaged", "zstd-damaged", "unknown"],
)
def test_decompression_refuses(encoding, data) -> None:
    """Bombs, damage and unknown encodings end in a refusal."""
    with pytest.raises(Refused):
        decompress(encoding, data, 4 * 1024 * 1024)
