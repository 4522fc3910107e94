"""Looking at what passes a stage, without being a part of the way."""

from typing import Protocol

from bridge.core.batch import Batch


class Watcher(Protocol):
    """
    Is told of every batch that enters a stage, and how it left.

    Called within the delivery: it must be quick and must not raise. What it raises all the same
    ends the watching and never reaches the delivery.
    """

    def entered(self, stage: str, batch: Batch) -> object:
        """Look at *batch*; what this returns is given to `left`."""
        ...

    def left(self, token: object, error: BaseException | None) -> None:
        """
        The stage has answered.

        Args:
            token:
                What `entered` returned.
            error:
                What the delivery raised, such as a cancellation; `None` if it was taken.
        """
        ...
