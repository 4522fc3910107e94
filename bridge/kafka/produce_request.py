"""ProduceRequest and its response as bytes, versions 3 to 7, without a tree of objects between."""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple

VERSIONS = range(3, 8)
"""Those with the record batches of KIP-98 and one layout of the request."""

API_KEY = 0

_HEAD = Struct(">hhi")
_BODY = Struct(">hhii")  # No transactional id, acks, timeout, topics.
_INT16 = Struct(">h")
_INT32 = Struct(">i")
_PART = Struct(">ii")
_RESULT = Struct(">ihqq")  # Partition, error, offset, and when the broker appended it.
_LOG_START_BYTES = 8  # Follows from version 5 on.
_LOG_START_FROM = 5

Piece = tuple[str, int, bytes | bytearray]
"""A record batch with its topic and partition."""


class Result(NamedTuple):
    """What a broker says of one batch: `offset` of its first record, and Kafka's error code."""

    topic: str
    partition: int
    error_code: int
    offset: int


def encode_produce(
    pieces: Iterable[Piece],
    *,
    version: int,
    correlation_id: int,
    client_id: str,
    acks: int,
    timeout_ms: int,
) -> bytes:
    """
    The request with its size before it, as it goes over the wire.

    Args:
        version: One of `VERSIONS`.
        acks: -1 for all in-sync replicas.
        timeout_ms: Milliseconds that the broker may wait for them.
    """
    by_topic: dict[str, list[bytes | bytearray]] = {}
    for topic, partition, batch in pieces:
        parts = by_topic.get(topic)
        if parts is None:
            parts = by_topic[topic] = []
        parts.append(_PART.pack(partition, len(batch)))
        parts.append(batch)
    out: list[bytes | bytearray] = [
        b"",
        _HEAD.pack(API_KEY, version, correlation_id),
        _text(client_id),
        _BODY.pack(-1, acks, timeout_ms, len(by_topic)),
    ]
    for topic, parts in by_topic.items():
        out.append(_text(topic))
        out.append(_INT32.pack(len(parts) // 2))
        out += parts
    out[0] = _INT32.pack(sum(map(len, out)))
    return b"".join(out)


def decode_produced(data: bytes, version: int) -> Sequence[Result]:
    """
    The results in a response of *version*, read from behind its header.

    Raises:
        ValueError: If it ends early or counts what it cannot hold.
    """
    tail = _LOG_START_BYTES if version >= _LOG_START_FROM else 0
    results: list[Result] = []
    try:
        (topics,) = _INT32.unpack_from(data, 0)
        position = 4
        for _ in range(topics):
            (length,) = _INT16.unpack_from(data, position)
            position += 2 + length
            name = data[position - length : position]
            if len(name) != length:
                raise ValueError("a topic's name is cut off")
            topic = name.decode()
            (count,) = _INT32.unpack_from(data, position)
            position += 4
            if count < 0 or position + count * (_RESULT.size + tail) > len(data):
                raise ValueError(f"{count} results do not fit into what came")
            for _ in range(count):
                partition, error_code, offset, _ = _RESULT.unpack_from(data, position)
                results.append(Result(topic, partition, error_code, offset))
                position += _RESULT.size + tail
    except Exception as error:
        raise ValueError(f"no response to a produce request: {error}") from error
    return results


def _text(value: str) -> bytes:
    data = value.encode()
    return _INT16.pack(len(data)) + data
