"""The book of a Kafka partition, as a stage sees it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bridge.core import NOTHING_DROPPED, Batch, Origin, Record, Signal


@dataclass(slots=True)
class FakeCustody:
    """Fulfils `bridge.core.Custody`: keeps what it was told, and says what the test sets."""

    topic: str = "otlp_spans"
    partition: int = 0
    epoch: int = 1
    closed: bool = False
    at_end: bool = False
    finished: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    dropped: dict[int, int] = field(default_factory=dict)

    @property
    def assignment(self) -> object:
        """The fake itself."""
        return self

    def caught_up(self) -> bool:
        """What `at_end` says."""
        return self.at_end

    def finish(self, offsets: Iterable[int], dropped: Mapping[int, int] = NOTHING_DROPPED) -> None:
        """Keep the offsets in the order they came, and what was dropped of them."""
        self.finished += offsets
        self.dropped |= dropped

    def hold(self, offsets: Iterable[int]) -> None:
        """Keep the offsets in the order they came."""
        self.held += offsets


def kafka_batch(
    signal: Signal,
    *bodies: bytes,
    items: int,
    custody: FakeCustody | None = None,
    first_offset: int = 0,
    timestamps_ms: Iterable[int] | None = None,
) -> Batch:
    """
    What the Kafka receiver hands over for consecutive records with *bodies*.

    Args:
        timestamps_ms:
            One for each record; 0, 1, 2, ... by default.
    """
    custody = custody or FakeCustody()
    stamps = list(range(len(bodies)) if timestamps_ms is None else timestamps_ms)
    records, position = [], 0
    for index, body in enumerate(bodies):
        stop = position + len(body)
        records.append(Record(first_offset + index, stamps[index], position, stop))
        position = stop
    return Batch(signal, b"".join(bodies), items, Origin("kafka", None, custody, tuple(records)))
