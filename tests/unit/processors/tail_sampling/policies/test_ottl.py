"""OTTL conditions as a policy."""

from collections.abc import Callable
from typing import Any

import pytest

from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.policy import Policy
from bridge.processors.tail_sampling.view import PolicyError
from tests.unit.processors.tail_sampling.conftest import span, view_of

Samples = Callable[..., bool]

SPANS = [
    span(name="first", attributes={"a": 1}),
    span(name="second", attributes={"a": 2}, events=["e1", "e2"]),
]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"span": ['attributes["a"] == 2']}, True),
        ({"span": ['attributes["a"] == 3']}, False),
        ({"span": ['attributes["a"] != 1']}, True),
        ({"span": ['name != "first" and name != "second"']}, False),
        ({"spanevent": ['name == "e2"']}, True),
        ({"spanevent": ['name != "e1"']}, True),
        ({"spanevent": ['name == "e3"']}, False),
        ({"span": ['name == "none"', 'name == "second"']}, True),
        ({"span": ['name == "none"'], "spanevent": ['name == "e1"']}, True),
    ],
)
def test_ottl_condition_on_any_span_or_event(
    samples: Samples, section: dict[str, Any], expected: bool
) -> None:
    """Any condition on any span or event suffices."""
    assert expected is samples("ottl_condition", SPANS, **section)


@pytest.mark.parametrize("mode", ["", "ignore", "silent"])
def test_ottl_condition_that_fails_counts_as_false(samples: Samples, mode: str) -> None:
    """The other conditions and spans still count, also where nothing is said, as there."""
    conditions = ['Substring(attributes["b"], 0, 4) == "keep"', 'name == "second"']

    assert samples("ottl_condition", SPANS, span=conditions, error_mode=mode)


def test_ottl_condition_that_fails_ends_the_policy(policy: Callable[..., Policy]) -> None:
    """With `propagate`."""
    condition = 'Substring(attributes["b"], 0, 4) == "keep"'
    made = policy("ottl_condition", span=[condition], error_mode="propagate")

    with pytest.raises(PolicyError):
        made.evaluate(view_of(made, SPANS))


def test_ottl_condition_asks_span_by_span(policy: Callable[..., Policy]) -> None:
    """A match before the failing span decides."""
    made = policy("ottl_condition", span=['Len(attributes["s"]) == 3'], error_mode="propagate")
    good, bad = span(attributes={"s": "abc"}), span(attributes={"s": 5})

    assert Decision.SAMPLED is made.evaluate(view_of(made, [good, bad]))
    with pytest.raises(PolicyError):
        made.evaluate(view_of(made, [bad, good]))
