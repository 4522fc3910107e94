"""Policies made of policies."""

from collections.abc import Callable
from typing import Any

import pytest

from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.policies.compound import And, Drop, Not
from bridge.processors.tail_sampling.policy import NO_COLUMNS, Policy
from bridge.processors.tail_sampling.view import PolicyError, TraceView
from tests.unit.processors.tail_sampling.conftest import span, view_of

STRING = {"key": "k", "values": ["v"]}
ERROR = {"name": "e", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}


class Says:
    """A policy with one answer."""

    columns = NO_COLUMNS

    def __init__(self, answer: Decision | None) -> None:
        self.answer = answer
        self.asked = 0

    def evaluate(self, view: TraceView) -> Decision:
        self.asked += 1
        if self.answer is None:
            raise PolicyError("no answer")
        return self.answer


YES, NO, DROPPED = Decision.SAMPLED, Decision.NOT_SAMPLED, Decision.DROPPED


@pytest.mark.parametrize(("inner", "expected"), [(YES, NO), (NO, YES), (DROPPED, DROPPED)])
def test_not_swaps_and_passes_others_through(inner: Decision, expected: Decision) -> None:
    """Sampled and not sampled only."""
    policy = Not(Says(inner))

    assert expected is policy.evaluate(view_of(policy, [span()]))


def test_not_passes_errors_through() -> None:
    """What cannot be said cannot be negated."""
    policy = Not(Says(None))

    with pytest.raises(PolicyError):
        policy.evaluate(view_of(policy, [span()]))


def test_and_stops_at_the_first_that_does_not_sample() -> None:
    """Later sub-policies are not asked, so that their rates are not used."""
    last = Says(YES)
    policy = And([Says(YES), Says(NO), last])

    assert NO is policy.evaluate(view_of(policy, [span()]))
    assert last.asked == 0


def test_and_ends_with_the_first_error() -> None:
    """An error is an error of the whole policy."""
    policy = And([Says(None), Says(NO)])

    with pytest.raises(PolicyError):
        policy.evaluate(view_of(policy, [span()]))


def test_empty_and_samples_and_empty_drop_drops() -> None:
    """Nothing stands against it."""
    view = view_of(Says(YES), [span()])

    assert YES is And([]).evaluate(view)
    assert DROPPED is Drop([]).evaluate(view)


@pytest.mark.parametrize(
    ("attribute", "code", "invert", "both"),
    [("w", 2, False, False), ("v", 2, False, True), ("w", 2, True, True), ("v", 2, True, False)],
)
@pytest.mark.parametrize(("kind", "yes"), [("and", YES), ("drop", DROPPED)])
def test_compound_of_attribute_and_status(
    policy: Callable[..., Policy],
    kind: str,
    yes: Decision,
    attribute: str,
    code: int,
    invert: bool,
    both: bool,
) -> None:
    """Both must say so, also with an inverted one."""
    subs: list[dict[str, Any]] = [
        {
            "name": "s",
            "type": "string_attribute",
            "string_attribute": STRING | {"invert_match": invert},
        },
        ERROR,
    ]
    made = policy(kind, **{f"{kind}_sub_policy": subs})
    view = view_of(made, [span(attributes={"k": attribute}, status={"code": code})])

    assert (yes if both else NO) is made.evaluate(view)
