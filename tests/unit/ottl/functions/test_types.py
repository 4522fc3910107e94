"""Converters that ask for the type of a value."""

import pytest

from bridge.ottl import OttlSyntaxError
from tests.unit.ottl.running import a_span, cursor_at, value_of

HELD = {
    "IsString": "x",
    "IsInt": 1,
    "IsDouble": 1.0,
    "IsBool": True,
    "IsMap": {"a": 1},
    "IsList": [1],
}


@pytest.mark.parametrize("name", HELD)
def test_type_is_that_of_the_attribute(name: str) -> None:
    """One of them answers yes, all others no; what is missing is none of them."""
    cursor = cursor_at(a_span(HELD))

    for other in HELD:
        assert value_of(f'{name}(attributes["{other}"])', cursor) is (name == other)
    assert value_of(f'{name}(attributes["none"])', cursor) is False


def test_list_of_events_is_a_list() -> None:
    """Also where OTTL does not look into it; a status is none."""
    assert value_of("IsList(events)") is True
    assert value_of("IsList(status)") is False


def test_literal_of_another_type_is_refused_at_start() -> None:
    """The answer would never change."""
    with pytest.raises(OttlSyntaxError, match="expected int64 but got string"):
        value_of('IsInt("1")')
