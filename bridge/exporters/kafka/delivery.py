"""A request on its way to Kafka that no task waits for."""

from collections.abc import Callable
from typing import Protocol

from bridge.core import Batch, DeliveryError, Outcome, Receipt
from bridge.kafka import Ticket


class Owner(Protocol):
    """Who began a delivery."""

    def forget(self, ticket: Ticket) -> None:
        """Nobody waits for *ticket* any more although it is not settled."""
        ...

    def ended(self, delivery: "Delivery", outcome: Outcome) -> Outcome:
        """Clear up after *delivery*, once; gives what the sender is to hear."""
        ...


class Delivery(Ticket):
    """
    A ticket that tells its outcome by a call, in the turn of the loop in which it is known.

    `batch` is what is being delivered.
    """

    __slots__ = ("_owner", "_settle", "batch")

    def __init__(self, owner: Owner, batch: Batch, settle: Callable[[Outcome], None]) -> None:
        Ticket.__init__(self, batch.origin.deadline, owner.forget)
        self.batch = batch
        self._owner = owner
        self._settle: Callable[[Outcome], None] | None = settle

    def cancel(self) -> None:
        """Stop waiting; see `bridge.core.Pending`."""
        self._end(None)

    def _settled_with(self, outcome: Receipt | DeliveryError) -> None:
        self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        settle, self._settle = self._settle, None
        if settle is not None:
            settle(self._owner.ended(self, outcome))
