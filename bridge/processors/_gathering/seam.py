"""
What the source of Kafka data may do for a stage that gathers traces.

Assignments are told by `bridge.core.PartitionListener`, and the end of a log by `caught_up` of the
custody. This is what is needed besides.
"""

from typing import Protocol, runtime_checkable

from bridge.core import Batch


@runtime_checkable
class ContextTaker(Protocol):
    """
    A stage for which records that were finished before still matter.

    A record may be finished while a later record of one of its traces is not. Whoever takes the
    partition over would judge that trace by its later records alone. So a source hands the finished
    ones over as context, in the order of their offsets, before and among the records it delivers:
    those of the last `read_back_s` seconds of record time before the first unfinished record, and
    those beyond it that an earlier owner finished.
    """

    @property
    def read_back_s(self) -> float:
        """Seconds of record time to read back before the first unfinished record."""
        ...

    def take_context(self, batch: Batch) -> None:
        """
        Look at records that were finished before. Their spans are judged and never delivered.

        Raises:
            Malformed: If the framing of the batch is broken; it may be passed over.
        """
        ...
