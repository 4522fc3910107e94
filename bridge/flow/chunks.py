"""What a lane is made of: records that were read, and the batches that they are delivered in."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple, overload

from bridge.core import Metadata, Permanent
from bridge.flow.dead_letter import Headers, SourceRecord


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """
    How much one lane may have unfinished.

    Args:
        window_bytes_max:
            Bytes read and not finished, held ones left out. Exceeded by one fetch at most.
        batches_max:
            Batches in delivery at the same time, held ones left out.
        batch_bytes_max:
            Bytes up to which records are joined; a larger record goes alone.
    """

    window_bytes_max: int
    batches_max: int
    batch_bytes_max: int


@dataclass(slots=True, eq=False)
class ReadRecord:
    """
    One record, ready to be delivered; `fault` says that it cannot be.

    `body` is the OTLP request in it. `record` is kept for the dead letter. The lane sets `context`
    on what was finished before and is only to be looked at.
    """

    offset: int
    timestamp_ms: int
    body: bytes
    items: int
    metadata: Metadata
    record: SourceRecord
    fault: Permanent | None = None
    context: bool = False

    @property
    def size(self) -> int:
        """Bytes of the request, or of the record if there is none; never zero."""
        return len(self.body) or len(self.record.value or b"") or 1

    @property
    def weight(self) -> int:
        """Items for the ledger; what cannot be decoded is one, since nobody knows how many."""
        return self.items if self.fault is None else 1


class KeptRecord(NamedTuple):
    """A `SourceRecord`, made again of what was kept of it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: Headers


class JoinedRecords(Sequence[ReadRecord]):
    """
    Records whose requests lie one after the other in *body*, the request that they were joined to.

    Each is made anew when it is asked for. A record of two spans takes some 80 bytes here beside
    its request and its key; as objects it took some 450, and its request lay in memory twice.

    Args:
        entries:
            Sound records, all alike by `may_share`, each with the request as its record's value.
    """

    __slots__ = ("_common", "_headers", "_keys", "body", "items", "offsets", "stamps_ms", "stops")

    def __init__(self, entries: Sequence[ReadRecord], body: bytes) -> None:
        self.offsets = consecutive([entry.offset for entry in entries])
        self.body = body
        self.stops = array("q", accumulate([len(entry.body) for entry in entries]))
        self.stamps_ms = array("q", [entry.timestamp_ms for entry in entries])
        self.items = array("q", [entry.items for entry in entries])
        headers = [tuple(entry.record.headers) for entry in entries]
        self._headers = headers[:1] if headers.count(headers[0]) == len(headers) else headers
        self._keys = _Keys([entry.record.key for entry in entries])
        first = entries[0]
        self._common = first.record.topic, first.record.partition, first.metadata

    def __len__(self) -> int:
        return len(self.stops)

    @overload
    def __getitem__(self, index: int) -> ReadRecord: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ReadRecord]: ...

    def __getitem__(self, index: int | slice) -> ReadRecord | Sequence[ReadRecord]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        offset, stamp_ms, stop = self.offsets[index], self.stamps_ms[index], self.stops[index]
        index %= len(self)
        body = self.body[self.stops[index - 1] if index else 0 : stop]
        headers = self._headers[index if len(self._headers) > 1 else 0]
        topic, partition, metadata = self._common
        record = KeptRecord(topic, partition, offset, stamp_ms, self._keys[index], body, headers)
        return ReadRecord(offset, stamp_ms, body, self.items[index], metadata, record)


class _Keys:
    """The keys of records: in one piece where all have one, nothing where none has."""

    __slots__ = ("_joined", "_one_by_one", "_stops")

    def __init__(self, keys: Sequence[bytes | None]) -> None:
        sound = [key for key in keys if key is not None]
        whole = len(sound) == len(keys)
        self._joined = b"".join(sound) if whole else b""
        self._stops = array("q", accumulate(map(len, sound)) if whole else ())
        self._one_by_one = list(keys) if sound and not whole else []

    def __getitem__(self, index: int) -> bytes | None:
        if not self._stops:
            return self._one_by_one[index] if self._one_by_one else None
        return self._joined[self._stops[index - 1] if index else 0 : self._stops[index]]


def consecutive(offsets: Sequence[int]) -> Sequence[int]:
    """Ascending *offsets* without a number for each, where no gap is among them."""
    if offsets and offsets[-1] - offsets[0] + 1 == len(offsets):
        return range(offsets[0], offsets[-1] + 1)
    return array("q", offsets)


def offsets_of(entries: Sequence[ReadRecord]) -> Sequence[int]:
    """The offsets of *entries*, in their order."""
    if isinstance(entries, JoinedRecords):
        return entries.offsets
    return [entry.offset for entry in entries]


def let_go(entries: Sequence[ReadRecord], joined: bytes) -> Sequence[ReadRecord]:
    """
    *entries* without anything that lies in *joined* as well, the request made of all of them.

    The same as they are, where that spares nothing or their records hold something else.
    """
    apart = len(entries) < 2 or isinstance(entries, JoinedRecords) or not joined
    if apart or [entry for entry in entries if entry.record.value is not entry.body]:
        return entries
    if sum([len(entry.body) for entry in entries]) != len(joined):
        return entries
    return JoinedRecords(entries, joined)


@dataclass(slots=True, eq=False)
class Chunk:
    """
    Consecutive records that are delivered as one batch.

    `busy` is set while a stage has it: a revoke waits for those, and for no others. `joined` is the
    request that it has, if all records are in it. `held` are the offsets of the records that a
    stage keeps in a budget of its own, as long as those are not all of them. `shown` is set once
    context was looked at. `first` is the lowest offset and `first_ms` its timestamp.
    """

    entries: Sequence[ReadRecord]
    size: int
    held: set[int] = field(default_factory=set)
    held_bytes: int = 0
    joined: bytes = b""
    busy: bool = False
    shown: bool = False
    is_held: bool = False
    first: int = field(init=False)
    first_ms: int = field(init=False)

    def __post_init__(self) -> None:
        first = self.entries[0]
        self.first, self.first_ms = first.offset, first.timestamp_ms

    @property
    def context(self) -> bool:
        """Whether its records were finished before and are only to be looked at."""
        return not isinstance(self.entries, JoinedRecords) and self.entries[0].context

    def offsets(self) -> set[int]:
        """The offsets of its records, made now."""
        return set(offsets_of(self.entries))

    def hold_all(self) -> None:
        """A stage keeps all of it in a budget of its own: the rest of us is to be small."""
        self.held, self.held_bytes, self.is_held = set(), self.size, True
        self.entries = let_go(self.entries, self.joined)


def may_share(one: ReadRecord, other: ReadRecord) -> bool:
    """Whether two neighbours may be delivered in one batch."""
    sound = one.fault is None and other.fault is None and one.context == other.context
    return sound and one.metadata == other.metadata
