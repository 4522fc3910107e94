"""What waits for one partition, and how it becomes the next record batch. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.kafka.record_batch import (
    BATCH_OVERHEAD_BYTES,
    Headers,
    OutRecord,
    batch_size_alone,
)
from bridge.kafka.ticket import Ticket

_GROWTH_BYTES = 8
"""Lengths and the record's number take this much more, at most, as a record and its batch grow."""


class Shrinker(Protocol):
    """Who can make an entry smaller when the broker says that it is too large."""

    def shrink(self, entry: "Entry", bytes_max: int) -> "list[Entry]":
        """
        Entries that replace *entry*, each with a value of at most *bytes_max*.

        What cannot be made that small is refused or set aside, and settled with its ticket.
        """
        ...


class Entry:
    """
    A piece of one request for one partition; a whole record, or part of one if `packable`.

    `body` is the OTLP request that the value holds, for `shrinker` to cut.
    """

    __slots__ = ("body", "headers", "items", "key", "packable", "shrinker", "ticket", "value")

    def __init__(
        self,
        ticket: Ticket,
        key: bytes | None,
        value: bytes,
        headers: Headers,
        items: int,
        packable: bool,
        shrinker: Shrinker,
        body: bytes,
    ) -> None:
        self.ticket = ticket
        self.key = key
        self.value = value
        self.headers = headers
        self.items = items
        self.packable = packable
        self.shrinker = shrinker
        self.body = body

    @property
    def size(self) -> int:
        """Bytes that the entry keeps in memory, nearly."""
        return len(self.value)


@dataclass(slots=True)
class _Pack:
    headers: Headers
    parts: list[bytes]
    items: int


def take_batch(entries: deque[Entry], batch_bytes_max: int) -> list[Entry]:
    """
    Remove the entries of the next batch from the front of *entries*, at least one.

    Entries whose callers gave up are removed without being returned. An entry is expected to fit
    into a batch alone.
    """
    taken: list[Entry] = []
    packs: set[Headers] = set()
    size = BATCH_OVERHEAD_BYTES
    while entries:
        entry = entries[0]
        if not entry.ticket.live:
            entries.popleft()
            continue
        if entry.packable and entry.headers in packs:
            added = len(entry.value) + _GROWTH_BYTES
        else:
            added = batch_size_alone(entry.key, len(entry.value), entry.headers)
            added += _GROWTH_BYTES - BATCH_OVERHEAD_BYTES
        if taken and size + added > batch_bytes_max:
            break
        size += added
        taken.append(entries.popleft())
        if entry.packable:
            packs.add(entry.headers)
    return taken


def to_records(entries: Sequence[Entry]) -> list[OutRecord]:
    """Records of *entries*: packable ones with equal headers in one, the others each in its own."""
    packs: dict[Headers, _Pack] = {}
    records: list[OutRecord] = []
    for entry in entries:
        if not entry.packable:
            records.append(OutRecord(entry.key, entry.value, entry.headers, entry.items))
            continue
        pack = packs.get(entry.headers)
        if pack is None:
            pack = packs[entry.headers] = _Pack(entry.headers, [], 0)
        pack.parts.append(entry.value)
        pack.items += entry.items
    for pack in packs.values():
        value = pack.parts[0] if len(pack.parts) == 1 else b"".join(pack.parts)
        records.append(OutRecord(None, value, pack.headers, pack.items))
    return records
