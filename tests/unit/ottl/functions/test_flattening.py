"""Lifting nested maps and lists to the top."""

from typing import Any

import pytest

from bridge.ottl import OttlError, OttlSyntaxError
from bridge.ottl.functions.flattening import FLATTENED_MAX
from tests.unit.ottl.running import attributes_after

NESTED = {"a": {"b": {"c": 1}}, "l": [1, {"x": 2}], "t": "s"}


@pytest.mark.parametrize(
    ("more", "left"),
    [
        ("", {"a.b.c": 1, "l.0": 1, "l.1.x": 2, "t": "s"}),
        (', "p"', {"p.a.b.c": 1, "p.l.0": 1, "p.l.1.x": 2, "p.t": "s"}),
        (", depth=1", {"a.b": {"c": 1}, "l.0": 1, "l.1": {"x": 2}, "t": "s"}),
        (", depth=2", {"a.b.c": 1, "l.0": 1, "l.1.x": 2, "t": "s"}),
        (", resolve_conflicts=true", {"a.b.c": 1, "l": 1, "l.1.x": 2, "t": "s"}),
    ],
)
def test_flatten_joins_names_with_dots(more: str, left: dict[str, Any]) -> None:
    """With a prefix, and down to a depth."""
    assert attributes_after(NESTED, f"flatten(attributes{more})") == left


def test_flatten_resolves_conflicts_by_numbers() -> None:
    """Without, the last one wins."""
    held = {"a": {"b": 1}, "a.b": 2}

    assert attributes_after(held, "flatten(attributes)") == {"a.b": 2}
    assert attributes_after(held, "flatten(attributes, resolve_conflicts=true)") == {
        "a.b": 1,
        "a.b.0": 2,
    }


def test_flatten_of_a_map_inside_leaves_the_rest() -> None:
    """Any map will do."""
    assert attributes_after(NESTED, 'flatten(attributes["a"])') == {**NESTED, "a": {"b.c": 1}}


def test_flatten_is_bounded() -> None:
    """So many keys and no more."""
    wide = {"a": list(range(FLATTENED_MAX + 1))}

    assert len(attributes_after({"a": wide["a"][1:]}, "flatten(attributes)")) == FLATTENED_MAX
    with pytest.raises(OttlError, match=str(FLATTENED_MAX)):
        attributes_after(wide, "flatten(attributes)")


def test_flatten_to_no_depth_is_refused_at_start() -> None:
    """It would do nothing."""
    with pytest.raises(OttlSyntaxError, match="greater than 0"):
        attributes_after({}, "flatten(attributes, depth=0)")
