"""
Records that will never be delivered as they are: what is written about them, and read again. Pure.

A dead letter is the original record, byte for byte, with headers of ours behind its own. Taking
them off again gives the original back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from bridge.core import Signal

Headers = tuple[tuple[str, bytes | None], ...]
"""Kafka record headers in their order; names may repeat."""

PREFIX = "bridge-dlq-"
"""What the names of our headers begin with."""

REASON_CHARS_MAX = 1000
"""An error's text is cut here: a backend's answer may be as long as it likes."""


class SourceRecord(Protocol):
    """A Kafka record as the client hands it out."""

    @property
    def topic(self) -> str:
        """Where it was read."""
        ...

    @property
    def partition(self) -> int:
        """Where it was read."""
        ...

    @property
    def offset(self) -> int:
        """Where it was read."""
        ...

    @property
    def timestamp(self) -> int:
        """Milliseconds since the Unix epoch, by the producer's or the broker's clock."""
        ...

    @property
    def key(self) -> bytes | None:
        """The key's bytes."""
        ...

    @property
    def value(self) -> bytes | None:
        """The value's bytes; `None` for a tombstone."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Names and values in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Unreadable:
    """
    Stands for records that the client cannot hand out, as their batch is damaged.

    `offset_stop` is the offset after the last of them. A `SourceRecord` without content.
    """

    topic: str
    partition: int
    offset: int
    offset_stop: int
    timestamp: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """
    A record and why it was set aside.

    `error` is the kind of error, such as ``Malformed``; `first_seen_s` when we first failed on it,
    in seconds since the Unix epoch; `offset_stop` the offset after the record, or after the last
    one of a damaged batch.
    """

    topic: str
    partition: int
    offset: int
    offset_stop: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    signal: Signal
    encoding: str
    group: str
    error: str
    reason: str
    first_seen_s: float


class DeadLetters(Protocol):
    """Where letters go."""

    async def put(self, letter: Letter) -> None:
        """
        Keep *letter*; the return promises that it is safe.

        Raises:
            Retryable: Not now.
            TooLarge, Refused: It cannot be kept there.
            Denied: Not until somebody mends credentials, an ACL or a topic.
        """
        ...


def letter_headers(letter: Letter) -> list[tuple[str, bytes | None]]:
    """The headers of the dead letter's record: the original's, then ours."""
    seen = datetime.fromtimestamp(letter.first_seen_s, UTC).isoformat(timespec="milliseconds")
    own = {
        "topic": letter.topic,
        "partition": str(letter.partition),
        "offset": str(letter.offset),
        "offset-stop": str(letter.offset_stop),
        "timestamp-ms": str(letter.timestamp_ms),
        "signal": letter.signal.value,
        "encoding": letter.encoding,
        "group": letter.group,
        "error": letter.error,
        "reason": letter.reason[:REASON_CHARS_MAX],
        "first-seen": seen,
    }
    return [*letter.headers, *((PREFIX + name, text.encode()) for name, text in own.items())]


def read_letter(
    key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> Letter:
    """
    The letter that a record of a dead letter topic holds.

    Raises:
        ValueError: If it is none: headers of ours are missing or make no sense.
    """
    original: list[tuple[str, bytes | None]] = []
    own: dict[str, str] = {}
    for name, content in headers:
        if name.startswith(PREFIX):
            own[name.removeprefix(PREFIX)] = (content or b"").decode(errors="replace")
        else:
            original.append((name, content))
    try:
        return Letter(
            own["topic"],
            int(own["partition"]),
            int(own["offset"]),
            int(own["offset-stop"]),
            int(own["timestamp-ms"]),
            key,
            value,
            tuple(original),
            Signal(own["signal"]),
            own["encoding"],
            own["group"],
            own["error"],
            own["reason"],
            datetime.fromisoformat(own["first-seen"]).timestamp(),
        )
    except KeyError as error:
        missing = f"{PREFIX}{error.args[0]}"
        raise ValueError(f"no dead letter of this bridge: header {missing} is missing") from error
