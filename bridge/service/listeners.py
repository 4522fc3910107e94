"""
Who in the pipelines wants to hear of partitions.

Found here, where all stages are known, and handed to the receiver: so neither the stages between,
which may be anybody's, nor a fan-out has to pass anything on (`bridge/adr/0012`).
"""

from collections.abc import Sequence

from bridge.core import Custody, PartitionListener


class Listeners:
    """Several listeners as one; each is told everything, in the order of their pipelines."""

    def __init__(self, listeners: Sequence[PartitionListener]) -> None:
        self._listeners = tuple(listeners)

    @property
    def read_back_s(self) -> float:
        """What the most demanding one wants."""
        return max((listener.read_back_s for listener in self._listeners), default=0.0)

    async def partition_assigned(self, partition: Custody) -> None:
        """Let each of them prepare."""
        for listener in self._listeners:
            await listener.partition_assigned(partition)

    def partition_frozen(self, partition: Custody) -> None:
        """The assignment of *partition* is about to end."""
        for listener in self._listeners:
            listener.partition_frozen(partition)

    async def wait_partition_quiet(self, partition: Custody) -> None:
        """Wait until nothing of *partition* is under way behind any of them."""
        for listener in self._listeners:
            await listener.wait_partition_quiet(partition)

    def partition_resumed(self, partition: Custody) -> None:
        """*partition* came back."""
        for listener in self._listeners:
            listener.partition_resumed(partition)

    def partition_revoked(self, partition: Custody) -> None:
        """The assignment of *partition* ended."""
        for listener in self._listeners:
            listener.partition_revoked(partition)
