"""Where a batch came from: who waits for it, until when, and who keeps its Kafka offsets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from bridge.core.clock import Deadline

NOTHING_DROPPED: Final[Mapping[int, int]] = MappingProxyType({})


class Record(NamedTuple):
    """
    One Kafka record inside a batch's body.

    `body_start` and `body_stop` are the bytes of `Batch.body` that it contributed, so that joining
    records blurs neither their time nor their custody. `dropped_items` of it fell to rules on the
    way. A tuple, since a keyed topic makes one for every two or three spans.
    """

    offset: int
    timestamp_ms: int
    body_start: int
    body_stop: int
    dropped_items: int = 0


class Custody(Protocol):
    """
    The source's book of unfinished records of one partition assignment.

    Calls after the assignment ended are ignored: a late result never commits. A batch may carry a
    view of it instead of the book itself (behind a fan-out), which answers everything alike.
    """

    @property
    def topic(self) -> str:
        """The topic that is read."""
        ...

    @property
    def partition(self) -> int:
        """The partition of it."""
        ...

    @property
    def epoch(self) -> int:
        """Grows with every assignment to this process."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the assignment ended, so that nothing which is finished afterwards counts."""
        ...

    @property
    def assignment(self) -> object:
        """
        One object for all views of one assignment, and another one for the next assignment.

        Compare by identity: a stage that keeps state by partition keys it by this.
        """
        ...

    def caught_up(self) -> bool:
        """
        Whether everything that the log held within the last second has been handed out.

        False while reading is paused: then record time stands still, and the wall clock must not
        be followed.
        """
        ...

    def finish(self, offsets: Iterable[int], dropped: Mapping[int, int] = NOTHING_DROPPED) -> None:
        """
        Mark records as finished: delivered, dead-lettered or dropped by a named rule.

        Only a stage that finishes records one by one calls this. For everyone else the return
        of `deliver` finishes all records of the batch. Calling it twice is harmless.

        Args:
            dropped:
                How many items of which record fell to a rule; all others were delivered.
        """
        ...

    def hold(self, offsets: Iterable[int]) -> None:
        """
        Move records out of the source's read window: the stage keeps them in its own budget.

        The offsets stay unfinished; only the window no longer counts them, so that a stage which
        waits for later records cannot starve itself. Named by offset and not by size, since
        stages before may have made the data smaller (`bridge/adr/0012-partition-listeners.md`).
        Calling it twice is harmless.
        """
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """
    The source of a batch.

    `deadline` is when whoever sent the batch stops waiting; `None` means nobody does: the batch is
    retried without end, as everything from Kafka is. `records` and `custody` are set for batches
    read from one Kafka partition, records by ascending offset.

    `context` marks records that were finished before and are only to be looked at, by a stage that
    judges later ones with them. They travel like others, so that stages before that one change them
    alike; they end there, and come to no pipeline without a `PartitionListener`. What looks at them
    in between must not deliver them elsewhere.
    """

    source: str
    deadline: Deadline | None = None
    custody: Custody | None = None
    records: tuple[Record, ...] = ()
    context: bool = False

    @property
    def durable(self) -> bool:
        """Whether the data stays readable at its source until its custody is passed on."""
        return self.deadline is None
