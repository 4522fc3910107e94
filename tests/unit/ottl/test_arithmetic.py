"""Arithmetic with Go's rules."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import OttlError
from bridge.ottl.arithmetic import calculate, negate
from bridge.ottl.expressions import Cursor, Expression
from bridge.ottl.values import Duration, Time

MIN, MAX = -(2**63), 2**63 - 1
INTS = st.integers(MIN, MAX)


def of(operator: str, left: Any, right: Any) -> Any:
    """``left operator right`` of two literals."""
    made = calculate(operator, Expression.constant(left), Expression.constant(right))
    return made.get(Cursor())


@given(INTS, INTS, st.sampled_from(["+", "-", "*"]))
def test_ints_wrap_at_64_bits(left: int, right: int, operator: str) -> None:
    """As in Go, and never grow."""
    exact = {"+": left + right, "-": left - right, "*": left * right}[operator]
    found = of(operator, left, right)

    assert MIN <= found <= MAX
    assert (found - exact) % 2**64 == 0


@given(INTS, INTS.filter(bool))
def test_division_of_ints_cuts_toward_zero(left: int, right: int) -> None:
    """Python alone would round down; the one overflow wraps."""
    found = of("/", left, right)

    if (left, right) == (MIN, -1):
        assert found == MIN
    else:
        assert found == math.trunc(left / right) or abs(left) > 2**53
        assert abs(found) == abs(left) // abs(right)
        assert found == 0 or (found < 0) == ((left < 0) != (right < 0))


@pytest.mark.parametrize(
    ("left", "operator", "right", "value"),
    [
        (1, "+", 0.5, 1.5),
        (0.5, "*", 4, 2.0),
        (1.0, "/", 4.0, 0.25),
        (Time(10), "+", Duration(5), Time(15)),
        (Duration(5), "+", Time(10), Time(15)),
        (Duration(5), "+", Duration(6), Duration(11)),
        (Time(10), "-", Time(4), Duration(6)),
        (Time(10), "-", Duration(4), Time(6)),
        (Duration(MAX), "+", Duration(1), Duration(MIN)),
        (Time(2**64), "-", Time(0), Duration(MAX)),
        (Time(0), "-", Time(2**64), Duration(MIN)),
    ],
)
def test_mixed_types_add_up(left: Any, operator: str, right: Any, value: Any) -> None:
    """A float makes floats; a difference of times stops at its range."""
    assert of(operator, left, right) == value


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [
        (1, "/", 0),
        (1.0, "/", 0.0),
        ("a", "+", "b"),
        (1, "+", None),
        (True, "+", 1),
        (Time(1), "+", Time(1)),
        (Duration(1), "-", Time(1)),
        (Duration(1), "*", Duration(1)),
        (Duration(1), "*", 2),
        (2, "*", Duration(1)),
    ],
)
def test_what_does_not_go_together_fails(left: Any, operator: str, right: Any) -> None:
    """On the item."""
    with pytest.raises(OttlError):
        of(operator, left, right)


def test_negate_keeps_literals_and_wraps() -> None:
    """The least int is its own negative."""
    assert negate(Expression.constant(5)).literal
    assert negate(Expression(lambda cursor: MIN)).get(Cursor()) == MIN
    assert negate(Expression(lambda cursor: 2.5)).get(Cursor()) == -2.5
    for value in ("x", None, True):
        with pytest.raises(OttlError, match="no negative"):
            negate(Expression(lambda cursor, value=value: value)).get(Cursor())
