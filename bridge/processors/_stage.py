"""The part that all processors that change batches share: change, count, deliver."""

from collections.abc import Callable
from dataclasses import replace

from bridge.core import (
    Batch,
    Deadline,
    Malformed,
    Receipt,
    Refused,
    Settings,
    Stage,
    State,
    Status,
)
from bridge.ottl import OttlError
from bridge.processors._rewrite import Change, rewrite


class RewritingStage:
    """
    A processor that changes the bytes of each batch and passes it on.

    A batch that did not change goes on as it came. One of which nothing is left is finished here:
    a named rule dropped it.

    Args:
        change:
            Makes the change for one batch; raises `OttlError` to refuse it.
    """

    def __init__(
        self, settings: Settings, downstream: Stage, change: Callable[[Batch], Change]
    ) -> None:
        self._settings = settings
        self._downstream = downstream
        self._change = change

    async def start(self) -> None:
        """Nothing to open."""
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Nothing to do: nothing is held."""

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Change *batch* and deliver what is left of it.

        Raises:
            Refused: If a statement failed and errors propagate.
            Malformed: If the body is no request.
        """
        changed = self.rewritten(batch)
        if changed is None:
            return Receipt(dropped_items=batch.items)
        receipt = await self._downstream.deliver(changed)
        dropped = batch.items - changed.items
        if dropped <= 0:
            return receipt
        return replace(receipt, dropped_items=receipt.dropped_items + dropped)

    def rewritten(self, batch: Batch) -> Batch | None:
        """What `deliver` would pass on; `None` for nothing."""
        try:
            return rewrite(batch, self._change(batch))
        except Malformed:
            raise
        except OttlError as error:
            raise Refused(f"{self._settings.id}: {error}") from error
