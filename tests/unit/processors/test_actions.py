"""Actions on attributes, one by one and in order."""

import hashlib
import struct
from typing import Any

import pytest
from pydantic import ValidationError

from bridge.ottl.attributes import Attributes
from bridge.ottl.codec import encode_pairs
from bridge.processors._actions import ActionOptions, compile_actions, hashed

METADATA = {"tenant": ("a", "b")}


def after(held: dict[str, Any], *actions: dict[str, Any]) -> dict[str, Any]:
    """The attributes after the actions."""
    attributes = Attributes(encode_pairs(held))
    compile_actions([ActionOptions.model_validate(one) for one in actions])(attributes, METADATA)
    return attributes.to_map()


@pytest.mark.parametrize(
    ("held", "action", "left"),
    [
        ({}, {"action": "insert", "key": "a", "value": 1}, {"a": 1}),
        ({"a": 0}, {"action": "insert", "key": "a", "value": 1}, {"a": 0}),
        ({}, {"action": "update", "key": "a", "value": 1}, {}),
        ({"a": 0}, {"action": "UPDATE", "key": "a", "value": 1}, {"a": 1}),
        ({}, {"action": "upsert", "key": "a", "value": {"x": [1]}}, {"a": {"x": [1]}}),
        ({}, {"action": "upsert", "key": "a", "value": ""}, {"a": ""}),
        ({"b": 5}, {"action": "upsert", "key": "a", "from_attribute": "b"}, {"b": 5, "a": 5}),
        ({}, {"action": "upsert", "key": "a", "from_attribute": "b"}, {}),
        (
            {},
            {"action": "upsert", "key": "a", "from_attribute": "b", "default_value": 7},
            {"a": 7},
        ),
        ({}, {"action": "insert", "key": "a", "from_context": "metadata.Tenant"}, {"a": "a;b"}),
        ({}, {"action": "insert", "key": "a", "from_context": "tenant"}, {"a": "a;b"}),
        ({}, {"action": "insert", "key": "a", "from_context": "metadata.none"}, {}),
        ({}, {"action": "insert", "key": "a", "default_value": "d"}, {"a": "d"}),
        ({"a": 1, "b": 2}, {"action": "delete", "key": "a"}, {"b": 2}),
        ({"aa": 1, "ab": 2, "c": 3}, {"action": "delete", "pattern": "^a"}, {"c": 3}),
        (
            {"a": "k=v"},
            {"action": "extract", "key": "a", "pattern": "(?P<k>.)=(?P<val>.)"},
            {"a": "k=v", "k": "k", "val": "v"},
        ),
        ({"a": 5}, {"action": "extract", "key": "a", "pattern": "(?P<k>.)"}, {"a": 5}),
        ({"a": "x"}, {"action": "extract", "key": "a", "pattern": "(?P<k>y)"}, {"a": "x"}),
        ({"a": "12"}, {"action": "convert", "key": "a", "converted_type": "int"}, {"a": 12}),
        ({"a": "x"}, {"action": "convert", "key": "a", "converted_type": "int"}, {"a": "x"}),
        ({"a": 2.9}, {"action": "convert", "key": "a", "converted_type": "int"}, {"a": 2}),
        ({"a": True}, {"action": "convert", "key": "a", "converted_type": "double"}, {"a": 1.0}),
        ({"a": "1.5"}, {"action": "convert", "key": "a", "converted_type": "double"}, {"a": 1.5}),
        ({"a": 1.5}, {"action": "convert", "key": "a", "converted_type": "string"}, {"a": "1.5"}),
        ({}, {"action": "convert", "key": "a", "converted_type": "string"}, {}),
    ],
)
def test_action_leaves(held: dict[str, Any], action: dict[str, Any], left: dict[str, Any]) -> None:
    """The whole map afterwards."""
    found = after(held, action)

    assert found == left
    assert [type(one) for one in found.values()] == [type(one) for one in left.values()]


def test_actions_see_what_those_before_did() -> None:
    """In order."""
    assert after(
        {"a": 1},
        {"action": "insert", "key": "b", "from_attribute": "a"},
        {"action": "delete", "key": "a"},
        {"action": "insert", "key": "c", "from_attribute": "a", "default_value": "gone"},
    ) == {"b": 1, "c": "gone"}


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("é", "é".encode()),
        (True, b"\x01"),
        (-2, struct.pack("<q", -2)),
        (1.5, struct.pack("<d", 1.5)),
    ],
)
def test_hash_is_that_of_the_value(value: Any, data: bytes) -> None:
    """Numbers by their eight bytes; by key or by a pattern of keys."""
    wanted = hashlib.sha256(data).hexdigest()

    assert hashed(value) == wanted
    assert after({"a": value}, {"action": "hash", "key": "a"}) == {"a": wanted}
    assert after({"a": value, "b": 1}, {"action": "hash", "pattern": "^a"}) == {"a": wanted, "b": 1}


def test_hash_of_what_has_none_is_empty() -> None:
    """Lists, maps, bytes and nil; a missing key stays missing."""
    assert [hashed(value) for value in ([1], {"a": 1}, b"x", None)] == [""] * 4
    assert after({}, {"action": "hash", "key": "a"}) == {}


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"action": "insert", "value": 1}, "needs a key"),
        ({"action": "insert", "key": "a"}, "needs one of value"),
        ({"action": "insert", "key": "a", "value": 1, "from_attribute": "b"}, "only one of"),
        ({"action": "insert", "key": "a", "value": 1, "pattern": "x"}, "does not use pattern"),
        ({"action": "insert", "key": "a", "from_context": "client.address"}, "not available"),
        ({"action": "insert", "key": "a", "from_context": "auth.sub"}, "not available"),
        ({"action": "delete", "key": "a", "value": 1}, "does not use value"),
        ({"action": "delete", "pattern": "("}, "not valid"),
        ({"action": "extract", "key": "a"}, "needs a pattern"),
        ({"action": "extract", "key": "a", "pattern": "x"}, "named groups"),
        ({"action": "extract", "key": "a", "pattern": "(?P<k>x)(y)"}, "named groups only"),
        ({"action": "convert", "key": "a"}, "needs converted_type"),
        ({"action": "convert", "key": "a", "converted_type": "bool"}, "int"),
        ({"action": "rename", "key": "a"}, "insert"),
    ],
)
def test_senseless_action_is_refused(action: dict[str, Any], message: str) -> None:
    """When the file is read."""
    with pytest.raises(ValidationError, match=message):
        ActionOptions.model_validate(action)
