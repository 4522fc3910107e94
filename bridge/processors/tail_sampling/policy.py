"""What a policy is."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

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


Rule = tuple[int, int, int]
"""A policy for the compiled form: what kind it is, one of `_taking.c`, and two numbers."""


@runtime_checkable
class RuledPolicy(Policy, Protocol):
    """A policy that the compiled form may know."""

    def rule(self) -> Rule | None:
        """The same policy as a rule; `None` if the compiled form cannot decide as it does."""
        ...


NO_COLUMNS: frozenset[str] = frozenset()


def plan_of(policies: Sequence[Policy]) -> tuple[Rule, ...] | None:
    """All of *policies* as rules, in their order; `None` if one of them is none."""
    rules = [policy.rule() if isinstance(policy, RuledPolicy) else None for policy in policies]
    plan = tuple(rule for rule in rules if rule is not None)
    return plan if len(plan) == len(policies) <= _RULES_MAX else None


_RULES_MAX = 64  # As many as `_taking.c` has room for.


def columns_of(policies: Sequence[Policy]) -> frozenset[str]:
    """What some of *policies* reads."""
    return NO_COLUMNS.union(*(policy.columns for policy in policies))
