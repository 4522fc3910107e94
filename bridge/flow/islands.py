"""
Finished runs beyond the watermark as text, for the metadata of a commit. Pure.

    b1.<topic id or ->.<leader epoch or ->.<base offset>.<runs>.<checksum>

Runs are pairs of varints (distance from where the last one ended, length) in URL-safe base64. The
text counts only for the very commit it was written with: anything that does not match discards
it, which costs duplicates and never a record.
"""

import base64
import binascii
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.flow.watermark import Run
from bridge.wire import varint

METADATA_CHARS_MAX = 4096
"""Characters of commit metadata that brokers take by default (``offset.metadata.max.bytes``)."""

_VERSION = "b1"
_CHECKSUM_CHARS = 8
_VARINT_BYTES_MAX = 10


@dataclass(frozen=True, slots=True)
class Log:
    """
    Which log offsets are counted in.

    `topic_id` and `leader_epoch` are `None` where the client cannot tell; they are compared when
    both sides know them.
    """

    topic_id: str | None = None
    leader_epoch: int | None = None


def encode_islands(
    base: int, runs: Iterable[Run], log: Log = Log(), chars_max: int = METADATA_CHARS_MAX
) -> str:
    """
    The text for a commit of offset *base*.

    Args:
        runs:
            Finished runs beyond *base*, ascending and apart. Those that do not fit are left out:
            they will be delivered again.

    Returns:
        At most *chars_max* ASCII characters; empty if there is nothing to say or no room.
    """
    head = f"{_VERSION}.{log.topic_id or '-'}.{_text(log.leader_epoch)}.{base}."
    # Four characters carry three bytes; the unpadded form never needs more.
    room = (chars_max - len(head) - 1 - _CHECKSUM_CHARS) * 3 // 4
    packed, position = bytearray(), base
    for start, stop in runs:
        pair = varint(start - position) + varint(stop - start)
        if len(packed) + len(pair) > room:
            break
        packed += pair
        position = stop
    if not packed:
        return ""
    text = head + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()
    return f"{text}.{_checksum(text)}"


def decode_islands(text: str, base: int, end: int, log: Log = Log()) -> tuple[Run, ...]:
    """
    The runs in a commit's metadata.

    Args:
        text:
            The metadata; may be anybody's.
        base:
            The committed offset it came with.
        end:
            The log's present end. A run beyond it means that the log was cut back since.

    Returns:
        Ascending runs beyond *base*.

    Raises:
        ValueError: If the text is none of ours, damaged, or about another log or commit; says why.
    """
    body, _, checksum = text.rpartition(".")
    if not body.startswith(f"{_VERSION}.") or _checksum(body) != checksum:
        raise ValueError("no metadata of this bridge, or damaged")
    parts = body.split(".")
    if len(parts) != 5:
        raise ValueError("no metadata of this bridge")
    _, topic_id, epoch, own_base, packed = parts
    if own_base != str(base):
        raise ValueError(f"written for a commit of {own_base}, not of {base}")
    if log.topic_id is not None and topic_id not in ("-", log.topic_id):
        raise ValueError("the topic was deleted and created anew")
    if log.leader_epoch is not None and epoch not in ("-", str(log.leader_epoch)):
        raise ValueError("the partition has had another leader since")
    runs = _unpack(packed, base)
    if runs and runs[-1][1] > end:
        raise ValueError(f"the log ends at {end}, below what was finished")
    return runs


def _unpack(packed: str, base: int) -> tuple[Run, ...]:
    try:
        data = base64.b64decode(packed + "=" * (-len(packed) % 4), b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("the runs are damaged") from error
    runs, at, position = [], 0, base
    while at < len(data):
        distance, at = _read_varint(data, at)
        length, at = _read_varint(data, at)
        if not distance or not length:
            raise ValueError("the runs are damaged")
        start = position + distance
        position = start + length
        runs.append((start, position))
    return tuple(runs)


def _text(epoch: int | None) -> str:
    return "-" if epoch is None else str(epoch)


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(_VARINT_BYTES_MAX):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("the runs are damaged")
