"""Every bound of an HTTP/1 connection, by name."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Http1Limits:
    """
    What one peer may cost. Bytes and seconds; counts where the name has no unit.

    `kept_alive_bytes_max` is how much of a refused body is read and thrown away so that the
    connection can be used again; of longer ones as much as comes within `linger_s` is, so that
    the peer reads the answer instead of a reset. `chunk_overhead_bytes_max` bounds chunk
    extensions and trailers, which no body limit counts.
    """

    head_bytes_max: int = 16 << 10
    head_fields_max: int = 100
    pipelined_max: int = 16
    cached_heads_max: int = 16
    kept_alive_bytes_max: int = 64 << 10
    linger_s: float = 5.0
    linger_bytes_max: int = 256 << 20
    chunk_overhead_bytes_max: int = 64 << 10
