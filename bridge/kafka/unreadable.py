"""
Getting past record batches that the client cannot read (K20 of the reference).

aiokafka raises, throws away what it had read before, and fetches the same batch for ever. Here the
records around the damage are read one by one, and the damaged offsets become one entry with a
fault, which is treated as any poisonous record: dead letter, or hold.
"""

from dataclasses import dataclass

from bridge.core import NO_METADATA, Malformed
from bridge.flow import Lane, ReadRecord, Unreadable

SUSPICION_S = 10.0
"""
Seconds for which a partition is read record by record after an error that names none. A fetch of
1 MiB is through in less.
"""


@dataclass(slots=True)
class Suspect:
    """
    A partition that may hold a damaged batch.

    `damaged_from` is the first damaged offset once it is found, `cursor` the next one to try.
    Whole batches are damaged, but where one ends cannot be trusted: it stands in the damaged
    header. So every offset is tried.
    """

    until_s: float
    damaged_from: int | None = None
    cursor: int = 0

    def failed_at(self, position: int, now_s: float) -> int:
        """The record at *position* cannot be read: the offset to try next."""
        if self.damaged_from is None:
            self.damaged_from = position
        self.cursor = max(position, self.cursor) + 1
        self.until_s = now_s + SUSPICION_S
        return self.cursor

    def over(self, high_watermark: int | None, now_s: float) -> bool:
        """Nothing came: whether the search ends, at the end of the log or for lack of a cause."""
        if self.damaged_from is None:
            return now_s >= self.until_s
        return high_watermark is not None and self.cursor >= high_watermark

    def entry(self, lane: Lane, stop: int) -> ReadRecord | None:
        """What stands for the damaged offsets, which end before *stop*."""
        if self.damaged_from is None:
            return None
        first = self.damaged_from
        record = Unreadable(lane.topic, lane.partition, first, stop, lane.newest_ms)
        fault = Malformed(
            f"the record batch at offsets {first} to {stop - 1} is damaged: its checksum or its "
            "compression does not hold, and the broker has no other copy to offer"
        )
        return ReadRecord(first, lane.newest_ms, b"", 0, NO_METADATA, record, fault)
