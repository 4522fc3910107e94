"""Indexing, for reading and for writing."""

from typing import Any

import pytest

from bridge.ottl import Cursor, OttlError
from bridge.ottl.expressions import Expression
from bridge.ottl.keys import PADDING_MAX, as_map, bury, dig, pick, storable
from bridge.ottl.values import Counts, Time
from tests.unit.ottl.running import a_span, attributes_after, cursor_at, value_of

HELD = {"m": {"a": [1, {"b": "x"}]}, "l": ["x", "y"], "k": "m", "i": 1}


def keys(*values: Any) -> tuple[Expression, ...]:
    """Literal keys."""
    return tuple(Expression.constant(value) for value in values)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('attributes["m"]["a"][1]["b"]', "x"),
        ('attributes["m"]["none"]', None),
        ('attributes["none"]["x"]', None),
        ('attributes[attributes["k"]]["a"][0]', 1),
        ('attributes["l"][attributes["i"]]', "y"),
        ('ParseJSON("{\\"a\\": [1]}")["a"][0]', 1.0),
        ('Split("a,b", ",")[1]', "b"),
    ],
)
def test_keys_lead_inside(text: str, value: Any) -> None:
    """Literal ones, and those that an item gives."""
    assert value_of(text, cursor_at(a_span(HELD))) == value


@pytest.mark.parametrize(
    "text",
    [
        'attributes["l"][2]',
        'attributes["l"]["x"]',
        'attributes["m"][0]',
        'attributes["k"]["x"]',
        'attributes[attributes["i"]]',
        'ParseJSON("{}")["a"]',
        'Split("a", ",")[1]',
        'Split("a", ",")["x"]',
    ],
)
def test_wrong_key_fails(text: str) -> None:
    """Out of bounds, of a wrong type, or into something that has none."""
    with pytest.raises(OttlError):
        value_of(text, cursor_at(a_span(HELD)))


def test_missing_key_is_nil_in_attributes_and_an_error_in_results() -> None:
    """As in the Collector."""
    assert dig({}, keys("a"), Cursor()) is None
    with pytest.raises(OttlError, match="not found"):
        pick({}, keys("a"), Cursor())


def test_bury_makes_the_way() -> None:
    """Maps and lists where there was nothing, filled up with nil."""
    assert bury(None, keys("a", 2, "b"), Cursor(), 5) == {"a": [None, None, {"b": 5}]}
    assert bury({"a": [1]}, keys("a", 0), Cursor(), 5) == {"a": [5]}
    for value, way in (
        ([1], (1,)),
        ({"a": 1}, ("a", "b")),
        (None, (1.5,)),
        (None, (PADDING_MAX + 1,)),
    ):
        with pytest.raises(OttlError):
            bury(value, keys(*way), Cursor(), 5)


def test_writing_through_a_dynamic_key() -> None:
    """The key comes from the item."""
    left = attributes_after({"k": "new"}, 'set(attributes[attributes["k"]]["x"], 1)')

    assert left == {"k": "new", "new": {"x": 1}}


def test_value_without_a_place_leaves_an_empty_one() -> None:
    """The Collector makes the place before it looks at the value."""
    cursor = cursor_at(a_span({"a": 1}, start_time_unix_nano=5))
    from tests.unit.ottl.running import run

    for target in ('attributes["new"]', 'attributes["deep"]["x"]'):
        with pytest.raises(OttlError, match="time"):
            run(cursor, f"set({target}, start_time)")

    assert cursor.item.attributes.to_map() == {"a": 1, "new": None, "deep": {"x": None}}


def test_storable_lists_keep_what_they_can() -> None:
    """Only the last element's fault counts, as in the Collector."""
    assert storable([Time(1), 2]) == [None, 2]
    for value in ([2, Time(1)], Counts([1]), Time(1)):
        with pytest.raises(OttlError):
            storable(value)
    with pytest.raises(OttlError, match="map"):
        as_map([1])
