"""The unit that travels between stages: one serialized OTLP export request."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bridge.core.origin import Origin
from bridge.core.signal import Signal

Metadata = Mapping[str, tuple[str, ...]]
"""Request metadata: lower-case key to the values in the order they came. Never mutated."""

NO_METADATA: Metadata = MappingProxyType({})


def _no_metadata() -> Metadata:
    return NO_METADATA


@dataclass(frozen=True, slots=True)
class Batch:
    """
    One ``Export<Signal>ServiceRequest`` as bytes, with what a stage may know without decoding it.

    `items` counts spans, data points or log records. `body` is immutable and shared: whoever
    changes the data makes a new batch with `with_body`, so fan-out branches never see each other.
    """

    signal: Signal
    body: bytes
    items: int
    origin: Origin
    metadata: Metadata = field(default_factory=_no_metadata)

    def with_body(self, body: bytes, items: int) -> "Batch":
        """The same origin and metadata around other bytes."""
        return replace(self, body=body, items=items)


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    What `Stage.deliver` answers once custody has passed.

    `rejected_items` will never be taken and were not passed on; `message` names them and the
    reason. Both are for the sender's ``partial_success``. A message without rejected items is a
    warning.

    The other two are for the ledger, and for no sender: `dropped_items` fell to a rule that a
    counter names; `rejected_apart_items` were rejected in a batch that this one was joined to, so
    that nobody knows whose they were. All further items of the batch were delivered.
    """

    rejected_items: int = 0
    message: str = ""
    dropped_items: int = 0
    rejected_apart_items: int = 0


ACCEPTED = Receipt()
"""Everything was taken and there is nothing to say."""
