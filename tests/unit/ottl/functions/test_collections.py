"""Converters of lists and maps."""

from typing import Any

import pytest

from bridge.ottl import OttlError, OttlSyntaxError
from tests.unit.ottl.running import a_span, cursor_at, value_of

HELD = {
    "m": {"b": 1, "a": "x y"},
    "l": [3, 1, 2],
    "mixed": [3, "b", 1.5],
    "deep": [{"n": "a", "v": {"w": 1}}, {"n": "b", "v": {"w": 2}}],
    "t": "héllo",
    "d": b"\x01\x02",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('Len(attributes["t"])', 6),
        ('Len(attributes["l"])', 3),
        ('Len(attributes["m"])', 2),
        ('Len(attributes["d"])', 2),
        ("Len(events)", 0),
        ('ContainsValue(attributes["l"], 2)', True),
        ('ContainsValue(attributes["l"], "2")', False),
        ('ContainsValue(["a", "b"], "b")', True),
        ('Index(attributes["t"], "llo")', 3),
        ('Index(attributes["t"], "z")', -1),
        ('Index(attributes["l"], 2)', 2),
        ('Index(attributes["l"], 9)', -1),
        ('Keys(attributes["m"])', ["b", "a"]),
        ('Values(attributes["m"])', [1, "x y"]),
        ('Sort(attributes["l"])', [1, 2, 3]),
        ('Sort(attributes["l"], "desc")', [3, 2, 1]),
        ('Sort(attributes["mixed"])', [1.5, 3, "b"]),
        ("Sort([true, false])", [False, True]),
        ('SliceToMap(attributes["l"])', {"0": 3, "1": 1, "2": 2}),
        ('SliceToMap(attributes["deep"], ["n"], ["v", "w"])', {"a": 1, "b": 2}),
        ('ToKeyValueString(attributes["m"])', 'b=1 a="x y"'),
        ('ToKeyValueString(attributes["m"], ":", ";", true)', "a:x y;b:1"),
        ('ToKeyValueString({"a": "q\\"q"})', 'a=q\\"q'),
    ],
)
def test_converter_gives(text: str, value: Any) -> None:
    """Lengths and places of text are counted in bytes."""
    assert value_of(text, cursor_at(a_span(HELD))) == value


@pytest.mark.parametrize(
    "text",
    [
        "Len(1)",
        "Len(nil)",
        'ContainsValue(attributes["t"], 1)',
        'Index(attributes["t"], 1)',
        'Index(attributes["m"], 1)',
        'Keys(attributes["l"])',
        'Sort(attributes["t"])',
        'SliceToMap(attributes["l"], ["n"])',
        'SliceToMap(attributes["deep"], ["x"])',
        'SliceToMap(attributes["deep"], ["v"])',
        'SliceToMap(attributes["deep"], [])',
    ],
)
def test_converter_of_another_type_fails(text: str) -> None:
    """On the item, so that error_mode decides."""
    with pytest.raises(OttlError):
        value_of(text, cursor_at(a_span(HELD)))


@pytest.mark.parametrize("text", ['Sort([1], "up")', 'ToKeyValueString({}, "=", "=")'])
def test_senseless_argument_is_refused_at_start(text: str) -> None:
    """It can never work."""
    with pytest.raises(OttlSyntaxError):
        value_of(text)
