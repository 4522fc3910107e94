"""What one process of the service shows of itself: figures, details and events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

Figures = Sequence[Sequence[Any]]
"""Rows of name, kind, meaning, bounds, labels and value, as JSON can carry them."""


@dataclass(frozen=True, slots=True)
class View:
    """
    One process, as JSON can carry it between processes.

    `worker` is its number with ``--workers`` and `None` for the process that answers. `details` are
    what components tell beyond figures, by the name under which they report their status; `events`
    its last log lines, oldest first.
    """

    worker: int | None
    figures: Figures
    details: Mapping[str, Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]


@runtime_checkable
class Detailed(Protocol):
    """A component with more to show than figures can say."""

    def details(self) -> Mapping[str, Any]:
        """
        What the status page shows of this component.

        Called once a second at most. Values are what JSON has; secrets never.
        """
        ...
