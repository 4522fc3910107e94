"""How values compare, and what they are called."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl.errors import OttlTypeError
from bridge.ottl.values import (
    COMPARE,
    COMPARE_SAME,
    AnyList,
    Counts,
    Duration,
    Foreign,
    SpanId,
    Time,
    TraceId,
    TypedList,
    a_type,
    check_raw,
    copied,
    same,
    type_name,
    wrap,
    wrap32,
)

EQUAL, ORDERED = ["==", "!="], ["<", "<=", ">", ">="]


@pytest.mark.parametrize(
    ("left", "right", "true"),
    [
        (1, 1, {"==", "<=", ">="}),
        (1, 2, {"!=", "<", "<="}),
        (1, 1.0, {"==", "<=", ">="}),
        (2.5, 2, {"!=", ">", ">="}),
        ("a", "b", {"!=", "<", "<="}),
        (b"a", b"a", {"==", "<=", ">="}),
        (True, False, {"!=", ">", ">="}),
        (True, 1, {"!="}),
        ("1", 1, {"!="}),
        (None, None, {"==", "<=", ">="}),
        (None, 1, {"!="}),
        (Time(1), Time(1), {"==", "<=", ">="}),
        (Duration(1), Duration(2), {"!=", "<", "<="}),
        (Time(1), Duration(1), {"!="}),
        ([1, "a"], [1, "a"], {"=="}),
        ([1], [1.0], {"!="}),
        (AnyList([1]), [1], {"=="}),
        (AnyList([{"a": 1}]), [{"a": 1}], {"!="}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"=="}),
        ({"a": 1}, {"a": 2}, {"!="}),
        (TypedList(["a"]), TypedList(["a"]), {"!="}),
        (TraceId(16), TraceId(16), {"=="}),
        (TraceId(16), bytes(16), {"!="}),
        (SpanId(8), TraceId(16), {"!="}),
        (Foreign("status", (b"x",)), Foreign("status", (b"x",)), {"=="}),
        (Foreign("status", (b"x",)), Foreign("status", (b"y",)), {"!="}),
    ],
)
def test_comparisons_of_two_values(left: Any, right: Any, true: set[str]) -> None:
    """Which of the six are true; none of them raises."""
    assert {operator for operator in COMPARE if COMPARE[operator](left, right)} == true


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=2)
    | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=1), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(ANY, ANY)
def test_comparisons_agree_with_each_other(left: Any, right: Any) -> None:
    """Of any values: unequal is not equal, and greater is less the other way round."""
    for operator, opposite in (("<", ">"), ("<=", ">=")):
        assert COMPARE[operator](left, right) == COMPARE[opposite](right, left)
    assert COMPARE["=="](left, right) is not COMPARE["!="](left, right)
    assert COMPARE["=="](left, right) == COMPARE["=="](right, left)


@given(st.integers(), st.integers())
def test_compare_same_is_compare_of_ints(left: int, right: int) -> None:
    """The fast form gives what the general one gives."""
    for operator, apply in COMPARE_SAME.items():
        assert apply(left, right) == COMPARE[operator](left, right)


@given(st.integers(-(2**70), 2**70))
def test_wrap_keeps_the_low_bits(value: int) -> None:
    """With the sign of the highest."""
    assert (wrap(value) - value) % 2**64 == 0
    assert -(2**63) <= wrap(value) < 2**63
    assert (wrap32(value) - value) % 2**32 == 0
    assert -(2**31) <= wrap32(value) < 2**31


def test_names_are_those_of_messages() -> None:
    """With their article where one is said."""
    assert [type_name(one) for one in (None, 1, 1.0, "x", b"", [], {}, Counts())] == [
        "nil",
        "int",
        "float",
        "string",
        "bytes",
        "list",
        "map",
        "list of counts",
    ]
    assert (a_type(1), a_type("x"), a_type(None)) == ("an int", "a string", "nil")
    assert type_name(Foreign("events", ())) == "events"


def test_check_raw_takes_what_a_written_list_can_hold() -> None:
    """Not what came from elsewhere."""
    check_raw(AnyList([1, "a", None, AnyList([b"x"])]))
    for value in ([1], {"a": 1}, Time(1), AnyList([{}])):
        with pytest.raises(OttlTypeError):
            check_raw(value)


def test_copied_shares_nothing() -> None:
    """At any depth."""
    value = {"a": [1, {"b": 2}]}
    copy = copied(value)
    copy["a"][1]["b"] = 3

    assert value == {"a": [1, {"b": 2}]}
    assert same(copied(value), value)
    assert not same([1], [True])
