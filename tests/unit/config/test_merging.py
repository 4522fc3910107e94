"""Trees laid over each other."""

import pytest

from bridge.config.merging import merge, nest, unflatten
from bridge.config.nodes import to_plain
from bridge.config.position import Position, Source
from tests.unit.config.fakes import tree


def test_merge_maps_by_key() -> None:
    """Maps are merged at every depth; everything else is replaced, lists and nothing included."""
    below = tree("a: {x: 1, y: [1, 2], z: {p: 1}}\nb: 1\nc: {q: 1}")
    above = tree("a: {y: [3], z: {r: 2}}\nb: {s: 1}\nc:\n")

    assert to_plain(merge(below, above)) == {
        "a": {"x": 1, "y": [3], "z": {"p": 1, "r": 2}},
        "b": {"s": 1},
        "c": None,
    }


def test_merge_keeps_the_places_of_both() -> None:
    """A value stands in the source that gave it."""
    merged = merge(tree("a: 1\nb: 1", "one"), tree("b: 2", "two"))

    assert [str(entry.value.position) for entry in merged.entries.values()] == [
        "one:1:4",
        "two:1:4",
    ]


def test_unflatten_splits_top_level_keys() -> None:
    """The Collector's short form for --config yaml:."""
    node = tree("processors::batch::timeout: 2s\nprocessors: {batch: {size: 1}, a::b: 1}")

    assert to_plain(unflatten(node)) == {
        "processors": {"batch": {"timeout": "2s", "size": 1}, "a::b": 1}
    }


def test_unflatten_keeps_a_key_of_delimiters() -> None:
    """Nothing is left of it otherwise."""

    assert to_plain(unflatten(tree("'::': 1"))) == {"::": 1}


def test_nest_without_keys_is_refused() -> None:
    """There would be no map."""
    position = Position(Source("x", ""), 1, 1)

    with pytest.raises(TypeError):
        nest([], position, tree("a: 1").entries["a"].value)
