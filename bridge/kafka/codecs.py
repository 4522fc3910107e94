"""
Compression of record batches, with a level.

aiokafka compresses with fixed levels, and with slow ones (gzip 9, lz4 9). Here a batch is built
uncompressed and compressed by us afterwards: `bridge/kafka/record_batch.py`.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cramjam
import zstandard
from aiokafka.codec import snappy_encode

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]

Compress = Callable[[bytes], bytes]

_GZIP_WINDOW = 31  # 15 bits of window, plus 16 for a gzip header.

LEVELS: dict[str, tuple[int, int]] = {
    "gzip": (-1, 9),
    "lz4": (0, 12),
    "zstd": (1, 22),
}
"""The lowest and highest level that each codec takes; the others have none."""

DEFAULT_LEVELS = {"gzip": 6, "lz4": 0, "zstd": 1}
"""
gzip's own default; zstd's fastest that compresses well; lz4's fast mode, which the Collector uses.

Source:
    bridge/adr/0018-zstd-level.md.
"""

COMPRESSED_FROM_BYTES = 512
"""
Records of a batch that are not compressed below: they would win some ten bytes in a hundred, for
as much time as compressing ten times as many takes.
"""


@dataclass(frozen=True, slots=True)
class Codec:
    """
    One codec at one level.

    `attributes` are the bits of the record batch's header that name it.
    """

    name: Compression
    attributes: int
    compress: Compress


def codec(name: Compression, level: int | None = None) -> Codec | None:
    """
    The codec *name*; `None` for no compression.

    Args:
        level: `None` for the default of `DEFAULT_LEVELS`.

    Raises:
        ValueError: If the codec has no such level.
    """
    if name == "none":
        return None
    if name == "snappy":
        if level is not None:
            raise ValueError("snappy has no levels: remove compression_params.level")
        return Codec(name, 2, snappy_encode)
    lowest, highest = LEVELS[name]
    chosen = DEFAULT_LEVELS[name] if level is None else level
    if not lowest <= chosen <= highest:
        raise ValueError(f"{name} has levels {lowest} to {highest}, not {chosen}")
    if name == "gzip":
        return Codec(name, 1, lambda data: _gzip(data, chosen))
    if name == "lz4":
        return Codec(name, 3, lambda data: _lz4(data, chosen))
    # The compressor keeps its tables between batches; one batch is compressed at a time.
    return Codec(name, 4, zstandard.ZstdCompressor(level=chosen).compress)


def _gzip(data: bytes, level: int) -> bytes:
    compressor = zlib.compressobj(level, wbits=_GZIP_WINDOW)
    return compressor.compress(data) + compressor.flush()


def _lz4(data: bytes, level: int) -> bytes:
    # Brokers refuse frames whose blocks depend on each other (KIP-57).
    compressor = cramjam.lz4.Compressor(level=level, content_checksum=False, block_linked=False)
    compressor.compress(data)
    return bytes(compressor.finish())
