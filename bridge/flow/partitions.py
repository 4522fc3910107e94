"""What a stage that keeps records for long, such as a sampler, may know of its partitions."""

from typing import Protocol, runtime_checkable

from bridge.core import Custody


class Partition(Custody, Protocol):
    """
    One assignment of one partition to this process. Also the custody of every batch read from it.

    `epoch` grows with every assignment; `closed` is set when the assignment ended, and nothing
    that is finished afterwards counts.
    """

    epoch: int
    closed: bool

    def caught_up(self) -> bool:
        """
        Whether everything that the log held within the last second has been handed out.

        False while reading is paused: then record time stands still, and the wall clock must not
        be followed.
        """
        ...


@runtime_checkable
class PartitionListener(Protocol):
    """A stage that wants to hear of assignments; told by the receiver that feeds it directly."""

    def partition_assigned(self, partition: Partition) -> None:
        """Batches of *partition* begin to come; called before the first of them."""
        ...

    def partition_revoked(self, partition: Partition) -> None:
        """
        The assignment of *partition* ended; its batches in flight were cancelled or are done.

        The next owner, which may be this process again with another epoch, reads from the lowest
        unfinished record on.
        """
        ...
