"""Editors that set, remove and rearrange keys, on attributes and on other maps."""

from typing import Any

import pytest

from bridge.ottl import OttlError, OttlSyntaxError
from bridge.ottl.functions.editors import APPENDED_MAX
from tests.unit.ottl.running import a_span, attributes_after, cursor_at, run

CASES: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"a": 1}, 'set(attributes["b"], attributes["a"])', {"a": 1, "b": 1}),
    ({"a": 1}, 'set(attributes["b"], nil)', {"a": 1}),
    ({"a": 1}, 'set(attributes["b"], attributes["none"])', {"a": 1}),
    ({"a": 1}, 'set(attributes["a"], "x")', {"a": "x"}),
    ({"a": 1}, 'set(attributes["m"]["x"]["y"], 2)', {"a": 1, "m": {"x": {"y": 2}}}),
    ({"a": 1}, 'set(attributes, {"b": 2})', {"b": 2}),
    ({"m": {"a": 1}}, 'set(attributes["m"], attributes)', {"m": {"m": {}}}),
    ({"a": 1, "b": 2}, 'delete_key(attributes, "a")', {"b": 2}),
    ({"a": 1, "k": "a"}, 'delete_key(attributes, attributes["k"])', {"k": "a"}),
    ({"m": {"a": 1, "b": 2}}, 'delete_key(attributes["m"], "a")', {"m": {"b": 2}}),
    ({"aa": 1, "ba": 2}, 'delete_matching_keys(attributes, "^a")', {"ba": 2}),
    ({"aa": 1, "p": "^a"}, 'delete_matching_keys(attributes, attributes["p"])', {"p": "^a"}),
    ({"aa": 1, "ba": 2}, 'keep_matching_keys(attributes, "^a")', {"aa": 1}),
    ({"a": 1, "b": 2, "c": 3}, 'keep_keys(attributes, ["c", "a", "x"])', {"a": 1, "c": 3}),
    ({"a": 1, "k": "k"}, 'keep_keys(attributes, [attributes["k"]])', {"k": "k"}),
    ({"m": {"a": 1, "b": 2}}, 'keep_keys(attributes["m"], ["b"])', {"m": {"b": 2}}),
    ({"a": 1, "b": 2, "c": 3}, 'limit(attributes, 2, ["c"])', {"a": 1, "c": 3}),
    ({"a": 1}, "limit(attributes, 2, [])", {"a": 1}),
    ({"a": "häh", "b": 5, "c": "x"}, "truncate_all(attributes, 2)", {"a": "h", "b": 5, "c": "x"}),
    ({"m": {"a": "abc", "b": 5}}, 'truncate_all(attributes["m"], 1)', {"m": {"a": "a", "b": 5}}),
    ({"a": 1, "b": [1, "x"]}, "stringify_all(attributes)", {"a": "1", "b": '[1,"x"]'}),
    ({"a": 1}, 'merge_maps(attributes, {"a": 2, "b": 3}, "insert")', {"a": 1, "b": 3}),
    ({"a": 1}, 'merge_maps(attributes, {"a": 2, "b": 3}, "update")', {"a": 2}),
    ({"a": 1}, 'merge_maps(attributes, {"a": 2, "b": 3}, "upsert")', {"a": 2, "b": 3}),
    (
        {"m": {"a": 1}},
        'merge_maps(attributes["m"], {"b": {"c": 2}}, "upsert")',
        {"m": {"a": 1, "b": {"c": 2}}},
    ),
    ({"l": [1]}, 'append(attributes["l"], 2)', {"l": [1, 2]}),
    ({"l": [1]}, 'append(attributes["l"], values=[2, "x"])', {"l": [1, 2, "x"]}),
    ({"l": 1}, 'append(attributes["l"], 2)', {"l": [1, 2]}),
    ({}, 'append(attributes["l"], 2)', {"l": [2]}),
    ({"l": [1, 2, 3]}, 'delete_index(attributes["l"], 1)', {"l": [1, 3]}),
    ({"l": [1, 2, 3]}, 'delete_index(attributes["l"], 0, 2)', {"l": [3]}),
    ({"l": [1, 2]}, 'delete_index(attributes["l"], 0, 2)', {"l": []}),
]


@pytest.mark.parametrize(("held", "statement", "left"), CASES, ids=lambda one: str(one)[:60])
def test_editor_leaves(held: dict[str, Any], statement: str, left: dict[str, Any]) -> None:
    """The whole map afterwards, in its order."""
    found = attributes_after(held, statement)

    assert list(found.items()) == list(left.items())


@pytest.mark.parametrize(("held", "statement", "left"), CASES, ids=lambda one: str(one)[:60])
def test_editor_does_to_the_cache_what_it_does_to_attributes(
    held: dict[str, Any], statement: str, left: dict[str, Any]
) -> None:
    """The scratch map has no serialized form: another way through the same editor."""
    moved = statement.replace("attributes", "cache")

    assert attributes_after(held, "set(cache, attributes)", moved, "set(attributes, cache)") == left


@pytest.mark.parametrize(
    ("held", "statement"),
    [
        ({"m": 1}, 'delete_key(attributes["m"], "a")'),
        ({"m": 1}, 'set(attributes["m"]["x"], 1)'),
        ({"l": [1]}, 'set(attributes["l"][5], 1)'),
        ({"l": [1]}, 'set(attributes["l"]["x"], 1)'),
        ({"l": 1}, 'delete_index(attributes["l"], 0)'),
        ({"l": [1]}, 'delete_index(attributes["l"], 1)'),
        ({"l": [1]}, 'delete_index(attributes["l"], -1)'),
        ({"l": [1]}, 'delete_index(attributes["l"], 0, 2)'),
        ({"p": "("}, 'delete_matching_keys(attributes, attributes["p"])'),
        ({"m": 1}, 'merge_maps(attributes["m"], {"a": 1}, "upsert")'),
        ({}, "set(attributes, 1)"),
        ({}, 'set(attributes["l"][10001], 1)'),
    ],
)
def test_editor_on_another_type_fails_and_changes_nothing(
    held: dict[str, Any], statement: str
) -> None:
    """The error goes to error_mode; the item stays."""
    cursor = cursor_at(a_span(held))
    with pytest.raises(OttlError):
        run(cursor, statement)

    assert {key: one for key, one in cursor.item.attributes.to_map().items() if key in held} == held


@pytest.mark.parametrize(
    "statement",
    [
        'limit(attributes, 1, ["a", "b"])',
        'merge_maps(attributes, {}, "replace")',
        'append(attributes["a"])',
        'delete_matching_keys(attributes, "(")',
        'delete_key("a", "b")',
    ],
)
def test_senseless_argument_is_refused_at_start(statement: str) -> None:
    """It can never work."""
    with pytest.raises(OttlSyntaxError):
        attributes_after({}, statement)


def test_append_grows_up_to_its_bound() -> None:
    """A statement that runs for each item cannot fill the memory."""
    full = [1] * APPENDED_MAX

    assert len(attributes_after({"l": full[1:]}, 'append(attributes["l"], 1)')["l"]) == APPENDED_MAX
    with pytest.raises(OttlError, match=str(APPENDED_MAX)):
        attributes_after({"l": full}, 'append(attributes["l"], 1)')


def test_set_keeps_what_is_copied_apart() -> None:
    """A copy does not change with its source."""
    assert attributes_after(
        {"m": {"a": 1}},
        'set(cache["m"], attributes["m"])',
        'set(cache["n"], cache["m"])',
        'set(cache["m"]["a"], 2)',
        'set(attributes["n"], cache["n"])',
    ) == {"m": {"a": 1}, "n": {"a": 1}}
