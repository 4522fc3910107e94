"""
What the embedded broker still holds for its one reader, and the refusal before it would forget.

librdkafka's mock cluster keeps a bounded log for each partition and drops the oldest batches
without a word. Nothing that was acknowledged may be lost, so the producer asks here before it
writes, and the consumer tells what it committed. Pure bookkeeping: no clock, no broker.

    guard = guard_of(config.brokers)            # None unless the broker is the embedded one
    guard.admit(topic, partition, size)         # may raise Overloaded; charges the batch
    guard.written(topic, partition, size, offset_next)    # or withdraw(...) if it was not
    guard.committed(topic, partition, offset_next)        # from the consumer's commit
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.core import Overloaded

PARTITION_BYTES_MAX = 5 * 1024 * 1024
"""Size of a partition's log above which librdkafka 2.x drops the oldest batches."""

PARTITION_BATCHES_MAX = 100_000
"""Count of batches above which it does the same."""

SHARE_MAX = 0.8
"""The part of both limits that may be filled: concurrent producers overshoot by a batch each."""

RETRY_AFTER_S = 1.0
"""The consumer commits once a second by default: asking earlier finds nothing freed."""


@dataclass(slots=True)
class _Batch:
    size_bytes: int
    # The offset after its last record; None while it is unknown whether and where it was written.
    offset_next: int | None


@dataclass(slots=True)
class _Partition:
    pending_bytes: int = 0
    pending_batches: int = 0
    held_bytes: int = 0
    held: deque[_Batch] = field(default_factory=deque)
    committed_next: int = 0


class EmbeddedGuard:
    """
    The book of one embedded broker, by topic and partition.

    Args:
        bytes_max, batches_max:
            What one partition may hold that is not committed; 80 % of librdkafka's limits.
    """

    def __init__(
        self,
        bytes_max: int = int(PARTITION_BYTES_MAX * SHARE_MAX),
        batches_max: int = int(PARTITION_BATCHES_MAX * SHARE_MAX),
    ) -> None:
        self.bytes_max = bytes_max
        self.batches_max = batches_max
        # What changes: batches asked for, written and not committed yet.
        self._partitions: dict[tuple[str, int], _Partition] = {}

    def admit(self, topic: str, partition: int, size_bytes: int) -> None:
        """
        Charge a batch of *size_bytes* that is about to be produced.

        Args:
            size_bytes:
                The record batch as it goes over the wire; an upper bound will do.

        Raises:
            Overloaded: If the partition would hold more than the broker remembers. Nothing is
                charged then, and nothing may be sent.
        """
        book = self._book(topic, partition)
        held_bytes = book.held_bytes + book.pending_bytes
        held_batches = len(book.held) + book.pending_batches
        if held_bytes + size_bytes > self.bytes_max or held_batches >= self.batches_max:
            raise Overloaded(
                f"the embedded broker is full: {topic}/{partition} holds {held_bytes} bytes in "
                f"{held_batches} batches that no consumer has committed",
                retry_after_s=RETRY_AFTER_S,
            )
        book.pending_bytes += size_bytes
        book.pending_batches += 1

    def withdraw(self, topic: str, partition: int, size_bytes: int) -> None:
        """Take back an admitted batch that certainly was not written."""
        book = self._book(topic, partition)
        book.pending_bytes -= size_bytes
        book.pending_batches -= 1

    def written(self, topic: str, partition: int, size_bytes: int, offset_next: int | None) -> None:
        """
        Enter an admitted batch as held until its records are committed.

        Args:
            offset_next:
                The offset after its last record; `None` if the answer was lost and the batch may
                or may not be there: it counts until a later batch is committed.
        """
        self.withdraw(topic, partition, size_bytes)
        book = self._book(topic, partition)
        if offset_next is not None and offset_next <= book.committed_next:
            return
        book.held.append(_Batch(size_bytes, offset_next))
        book.held_bytes += size_bytes

    def committed(self, topic: str, partition: int, offset_next: int) -> None:
        """Forget the batches before *offset_next*, the offset that the group reads next."""
        book = self._book(topic, partition)
        book.committed_next = max(book.committed_next, offset_next)
        done = 0
        for index, batch in enumerate(book.held, start=1):
            if batch.offset_next is not None:
                if batch.offset_next > offset_next:
                    break
                # Unknown ones before a committed one are behind it, wherever they are.
                done = index
        for _ in range(done):
            book.held_bytes -= book.held.popleft().size_bytes

    def held(self, topic: str, partition: int) -> tuple[int, int]:
        """Bytes and batches of a partition that are produced or admitted and not committed."""
        book = self._book(topic, partition)
        return book.held_bytes + book.pending_bytes, len(book.held) + book.pending_batches

    def _book(self, topic: str, partition: int) -> _Partition:
        key = (topic, partition)
        book = self._partitions.get(key)
        if book is None:
            book = self._partitions[key] = _Partition()
        return book


_running: dict[str, EmbeddedGuard] = {}


def guard_of(brokers: Sequence[str]) -> EmbeddedGuard | None:
    """The guard of the embedded broker of this process that *brokers* names, if it is one."""
    if _running:
        for broker in brokers:
            if broker in _running:
                return _running[broker]
    return None


def register(bootstrap: str, guard: EmbeddedGuard) -> None:
    """Let `guard_of` find *guard* by any of the addresses in *bootstrap*."""
    for address in bootstrap.split(","):
        _running[address] = guard


def unregister(bootstrap: str) -> None:
    """Forget the addresses in *bootstrap*."""
    for address in bootstrap.split(","):
        _running.pop(address, None)
