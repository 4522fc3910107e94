"""Policies made of policies."""

from collections.abc import Sequence

from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.policy import Policy, columns_of
from bridge.processors.tail_sampling.view import TraceView


class And:
    """Samples what every sub-policy samples. The first error ends the question."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.columns = columns_of(policies)
        self._policies = policies

    def evaluate(self, view: TraceView) -> Decision:
        """Ask in order until one does not sample."""
        for policy in self._policies:
            if policy.evaluate(view) is Decision.NOT_SAMPLED:
                return Decision.NOT_SAMPLED
        return Decision.SAMPLED


class Drop:
    """Drops what every sub-policy samples."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.columns = columns_of(policies)
        self._policies = policies

    def evaluate(self, view: TraceView) -> Decision:
        """Ask in order until one does not sample."""
        for policy in self._policies:
            if policy.evaluate(view) is Decision.NOT_SAMPLED:
                return Decision.NOT_SAMPLED
        return Decision.DROPPED


class Not:
    """Swaps sampled and not sampled."""

    def __init__(self, policy: Policy) -> None:
        self.columns = policy.columns
        self._policy = policy

    def evaluate(self, view: TraceView) -> Decision:
        """Say the opposite of the sub-policy."""
        match self._policy.evaluate(view):
            case Decision.SAMPLED:
                return Decision.NOT_SAMPLED
            case Decision.NOT_SAMPLED:
                return Decision.SAMPLED
            case other:
                return other
