"""Where a batch came from: who waits for it, until when, and who keeps its Kafka offsets."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from bridge.core.clock import Deadline


@dataclass(frozen=True, slots=True)
class Record:
    """
    One Kafka record inside a batch's body.

    `body_start` and `body_stop` are the bytes of `Batch.body` that it contributed, so that joining
    records blurs neither their time nor their custody.
    """

    offset: int
    timestamp_ms: int
    body_start: int
    body_stop: int


class Custody(Protocol):
    """
    The source's book of unfinished records of one partition assignment.

    Calls after the assignment ended are ignored: a late result never commits.
    """

    topic: str
    partition: int

    def finish(self, offsets: Iterable[int]) -> None:
        """
        Mark records as finished: delivered, dead-lettered or dropped by a named rule.

        Only a stage that finishes records one by one calls this. For everyone else the return
        of `deliver` finishes all records of the batch. Calling it twice is harmless.
        """
        ...

    def hold(self, body_bytes: int) -> None:
        """
        Move *body_bytes* out of the source's read window: the stage keeps them in its own budget.

        The offsets stay unfinished; only the window no longer counts them, so that a stage which
        waits for later records cannot starve itself (`bridge/adr/0002-custody.md`).
        """
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """
    The source of a batch.

    `deadline` is when whoever sent the batch stops waiting; `None` means nobody does: the batch is
    retried without end, as everything from Kafka is. `records` and `custody` are set for batches
    read from one Kafka partition, records by ascending offset.
    """

    source: str
    deadline: Deadline | None = None
    custody: Custody | None = None
    records: tuple[Record, ...] = ()

    @property
    def durable(self) -> bool:
        """Whether the data stays readable at its source until its custody is passed on."""
        return self.deadline is None
