"""What a lane is made of: records that were read, and the batches that they are delivered in."""

from dataclasses import dataclass, field

from bridge.core import Metadata, Permanent
from bridge.flow.dead_letter import SourceRecord


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


@dataclass(slots=True, eq=False)
class Chunk:
    """
    Consecutive records that are delivered as one batch.

    `busy` is set while a stage has it: a revoke waits for those, and for no others. `held` are the
    offsets of the records that a stage keeps in a budget of its own. `shown` is set once context
    was looked at.
    """

    entries: tuple[ReadRecord, ...]
    size: int
    held: set[int] = field(default_factory=set)
    held_bytes: int = 0
    busy: bool = False
    shown: bool = False

    @property
    def first(self) -> int:
        """The lowest offset."""
        return self.entries[0].offset

    @property
    def context(self) -> bool:
        """Whether its records were finished before and are only to be looked at."""
        return self.entries[0].context

    def offsets(self) -> set[int]:
        """The offsets of its records, made now."""
        return {entry.offset for entry in self.entries}

    @property
    def is_held(self) -> bool:
        """Whether some stage keeps all of it in a budget of its own."""
        return len(self.held) == len(self.entries)


def may_share(one: ReadRecord, other: ReadRecord) -> bool:
    """Whether two neighbours may be delivered in one batch."""
    sound = one.fault is None and other.fault is None and one.context == other.context
    return sound and one.metadata == other.metadata
