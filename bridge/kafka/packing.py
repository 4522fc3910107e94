"""What waits for one partition, and how it becomes the next record batch. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.core import DeliveryError
from bridge.kafka.batch_bytes import BATCH_OVERHEAD_BYTES
from bridge.kafka.record_batch import Headers, OutRecord, batch_size_alone
from bridge.kafka.shares import Shares, acknowledge_shares, all_live, doubt_shares
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


Share = tuple[Ticket, int, int]
"""A request's part of an entry: its ticket, its items, and where it ends in the value."""


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

    def living(self) -> "Entry | None":
        """What of it somebody waits for."""
        return self if self.ticket.live else None

    def halves(self) -> "tuple[Entry, Entry] | None":
        """Two entries that hold the same together, unless only the shrinker can cut it."""
        return None

    def doubt(self, sign: int) -> None:
        """From its first attempt on until it is acknowledged or refused, it may be written."""
        self.ticket.in_doubt_items += sign * self.items

    def acknowledged(self) -> None:
        """It is written, and no longer in doubt."""
        self.ticket.in_doubt_items -= self.items
        self.ticket.acknowledged(self.items)

    def failed(self, error: DeliveryError) -> None:
        """It could not be written: the requests that it belongs to are not taken."""
        self.ticket.failed(error)

    def remaining_s(self) -> float | None:
        """Seconds until the last waiting caller gives up; `None` if one of them never does."""
        return _remaining_s(self.ticket)


class SharedEntry(Entry):
    """
    Pieces of several requests for one partition, joined; packable, and without a key.

    `ticket` is that of the first share.
    """

    __slots__ = ("shares",)

    def __init__(
        self, shares: Shares[Ticket], value: bytes, headers: Headers, items: int, shrinker: Shrinker
    ) -> None:
        """*shares* are those of at least one request."""
        # Without `super()`: one is made for each partition of each flush.
        self.ticket = shares[0][0]
        self.key = None
        self.value = self.body = value
        self.headers = headers
        self.items = items
        self.packable = True
        self.shrinker = shrinker
        self.shares = shares

    def living(self) -> Entry | None:
        """What of it somebody waits for."""
        return self if all_live(self.shares) else self._without_the_dead()

    def halves(self) -> tuple[Entry, Entry] | None:
        """Two entries that hold the same together, unless it is of one request only."""
        if len(self.shares) == 1:
            return None
        parts = self._parts()
        middle = len(parts) // 2
        return self._of(parts[:middle]), self._of(parts[middle:])

    def doubt(self, sign: int) -> None:
        """From its first attempt on until it is acknowledged or refused, it may be written."""
        doubt_shares(self.shares, sign)

    def acknowledged(self) -> None:
        """It is written, and no longer in doubt."""
        for ticket in acknowledge_shares(self.shares):
            ticket.complete()

    def failed(self, error: DeliveryError) -> None:
        """It could not be written: the requests that it belongs to are not taken."""
        for ticket, _, _ in self.shares:
            ticket.failed(error)

    def remaining_s(self) -> float | None:
        """Seconds until the last waiting caller gives up; `None` if one of them never does."""
        longest_s = 0.0
        for ticket, _, _ in self.shares:
            remaining_s = _remaining_s(ticket)
            if remaining_s is None:
                return None
            longest_s = max(longest_s, remaining_s)
        return longest_s

    def _parts(self) -> list[tuple[Ticket, int, bytes]]:
        parts: list[tuple[Ticket, int, bytes]] = []
        start = 0
        for ticket, items, stop in self.shares:
            parts.append((ticket, items, self.value[start:stop]))
            start = stop
        return parts

    def _without_the_dead(self) -> "SharedEntry | None":
        parts = [part for part in self._parts() if part[0].live]
        return self._of(parts) if parts else None

    def _of(self, parts: list[tuple[Ticket, int, bytes]]) -> "SharedEntry":
        shares: list[Share] = []
        stop = 0
        for ticket, items, piece in parts:
            stop += len(piece)
            shares.append((ticket, items, stop))
        value = b"".join([piece for _, _, piece in parts])
        count = sum(items for _, items, _ in parts)
        return SharedEntry(shares, value, self.headers, count, self.shrinker)


def _remaining_s(ticket: Ticket) -> float | None:
    if not ticket.live:
        return 0.0
    return None if ticket.deadline is None else ticket.deadline.remaining_s


@dataclass(slots=True)
class _Pack:
    headers: Headers
    parts: list[bytes]
    items: int


def take_batch(entries: deque[Entry], batch_bytes_max: int) -> list[Entry]:
    """
    Remove the entries of the next batch from the front of *entries*, at least one.

    What callers gave up waiting for is removed without being returned. An entry is expected to fit
    into a batch alone.
    """
    if len(entries) == 1:
        alone = entries.popleft().living()
        return [] if alone is None else [alone]
    taken: list[Entry] = []
    packs: set[Headers] = set()
    size = BATCH_OVERHEAD_BYTES
    while entries:
        entry = entries[0].living()
        if entry is None:
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
        entries.popleft()
        taken.append(entry)
        if entry.packable:
            packs.add(entry.headers)
    return taken


def to_records(entries: Sequence[Entry]) -> list[OutRecord]:
    """Records of *entries*: packable ones with equal headers in one, the others each in its own."""
    if len(entries) == 1:
        (entry,) = entries
        return [OutRecord(entry.key, entry.value, entry.headers, entry.items)]
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


def longest_wait_s(entries: Iterable[Entry]) -> float | None:
    """Seconds until the last waiting caller gives up; `None` if one of them never does."""
    longest_s = 0.0
    for entry in entries:
        remaining_s = entry.remaining_s()
        if remaining_s is None:
            return None
        longest_s = max(longest_s, remaining_s)
    return longest_s


def living_of(entries: Iterable[Entry]) -> list[Entry]:
    """What of *entries* somebody waits for."""
    living = [entry.living() for entry in entries]
    return [entry for entry in living if entry is not None]


def undoubt(entries: Iterable[Entry]) -> None:
    """Note that *entries* are certainly not written."""
    for entry in entries:
        entry.doubt(-1)


def fail_all(entries: Iterable[Entry], error: DeliveryError) -> None:
    """Tell the requests that *entries* belong to that they are not taken."""
    for entry in entries:
        entry.failed(error)
