"""What a policy is."""

from collections.abc import Sequence
from typing import Protocol

from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.view import TraceView


class Policy(Protocol):
    """
    Something that has an opinion on traces.

    `columns` names what it reads of all spans at once, see `schema.COLUMNS`.
    """

    columns: frozenset[str]

    def evaluate(self, view: TraceView) -> Decision:
        """
        Say whether the trace is sampled.

        Raises:
            PolicyError: If that cannot be said.
        """
        ...


NO_COLUMNS: frozenset[str] = frozenset()


def columns_of(policies: Sequence[Policy]) -> frozenset[str]:
    """What some of *policies* reads."""
    return NO_COLUMNS.union(*(policy.columns for policy in policies))
