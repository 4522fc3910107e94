"""Looking up attributes in pairs that are laid out in ways a sender hardly uses."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import attributes
from bridge.ottl.attributes import Attributes, Key
from bridge.ottl.errors import OttlError


@pytest.fixture(autouse=True)
def python_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs without a compiler."""
    monkeypatch.setattr(attributes, "_compiled", None)


def test_get_of_the_empty_key_from_an_empty_pair_is_nil() -> None:
    """A message without bytes is a pair of the empty key and no value."""
    assert Attributes([b""]).get(Key("")) is None


def test_get_behind_an_unknown_field_does_not_take_it_for_the_value() -> None:
    """Only the tag of the value says that what stands before the key is it."""
    pair = b"\x1a\x02\x18\x07" + b"\x0a\x01x"

    assert Attributes([pair]).get(Key("x")) is None


def test_get_of_a_value_before_its_key_finds_it() -> None:
    """The other order is protobuf all the same."""
    pair = b"\x12\x02\x18\x07" + b"\x0a\x01x"

    assert Attributes([pair]).get(Key("x")) == 7


@given(st.binary(max_size=12), st.sampled_from(["", "x", "\x12"]))
def test_get_from_any_bytes_raises_nothing_but_ottl_errors(pair: bytes, name: str) -> None:
    """Attributes are not looked at when a request comes in: a lookup sees them first."""
    for layout in (pair, Key(name).prefix + pair, pair + Key(name).prefix):
        with contextlib.suppress(OttlError):
            Attributes([layout]).get(Key(name))
