"""Attributes that stay serialized, with the Python forms and with the compiled ones."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import attributes, native
from bridge.ottl.attributes import REMEMBERED_MAX, Attributes, Key, keys_of
from bridge.ottl.codec import encode, encode_pair
from bridge.ottl.errors import OttlError


@pytest.fixture(params=["python", "compiled"], autouse=True)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs without a compiler, and with one."""
    compiled = native.load() if request.param == "compiled" else None
    if request.param == "compiled" and compiled is None:
        pytest.skip("the compiled form was not built")
    monkeypatch.setattr(attributes, "_compiled", compiled)


def some(**values: object) -> Attributes:
    """Attributes with these values."""
    return Attributes([encode_pair(key, encode(value)) for key, value in values.items()])


def test_get_of_the_empty_key_from_an_empty_pair_is_nil() -> None:
    """A message without bytes is a pair of the empty key and no value."""
    assert Attributes([b""]).get(Key("")) is None
    assert Attributes([b""]).find(Key("")) == 0


def test_get_behind_an_unknown_field_does_not_take_it_for_the_value() -> None:
    """Only the tag of the value says that what stands before the key is it."""
    pair = b"\x1a\x02\x18\x07" + b"\x0a\x01x"

    assert Attributes([pair]).get(Key("x")) is None


def test_get_of_a_value_before_its_key_finds_it() -> None:
    """The other order is protobuf all the same."""
    pair = b"\x12\x02\x18\x07" + b"\x0a\x01x"

    assert Attributes([pair]).get(Key("x")) == 7


def test_get_finds_a_key_whose_length_is_padded() -> None:
    """The layout of a number does not hide a key."""
    pair = b"\x0a\x81\x00x" + b"\x12\x02\x18\x07"

    assert Attributes([pair]).get(Key("x")) == 7


def test_first_of_two_equal_keys_counts() -> None:
    """Whatever was looked up before, as in the Collector."""
    one, two = encode_pair("x", encode(1)), encode_pair("x", encode(2))
    key = Key("x")
    assert Attributes([encode_pair("y", encode(0)), one]).find(key) == 1
    found = Attributes([two, one])

    assert (found.find(key), found.get(key)) == (0, 2)


def test_a_broken_pair_is_an_error_of_the_item() -> None:
    """Also if another key is wanted: nobody knows which key it would have been."""
    with pytest.raises(OttlError, match="no valid protobuf"):
        Attributes([encode_pair("x", encode(1)), b"\x0a\x05a"])


def test_set_replaces_in_place_or_appends() -> None:
    """And notes a change only if there is one."""
    found = some(a=1, b="x")
    found.set(Key("a"), 1)
    assert not found.changed

    found.set(Key("a"), 2)
    found.set(Key("c"), None)

    assert found.changed
    assert found.to_map() == {"a": 2, "b": "x", "c": None}
    assert found.keys == keys_of(found.pairs) == [b"a", b"b", b"c"]


def test_set_of_what_has_no_place_leaves_everything() -> None:
    """The error comes before the change."""
    found = some(a=1)

    with pytest.raises(OttlError):
        found.set(Key("a"), object())
    assert (found.changed, found.to_map()) == (False, {"a": 1})


def test_remove_takes_the_key_away() -> None:
    """One that is not there is no change."""
    found = some(a=1, b=2)
    found.remove(Key("x"))
    assert not found.changed

    found.remove(Key("a"))

    assert (found.keys, found.to_map(), found.changed) == ([b"b"], {"b": 2}, True)


def test_keep_asks_once_for_each_key() -> None:
    """What was answered is remembered by the caller, up to a bound."""
    asked: list[str] = []
    answers: dict[bytes, bool] = {}

    def wanted(name: str) -> bool:
        asked.append(name)
        return name != "b"

    for _ in range(3):
        found = some(a=1, b=2, c=3)
        found.keep(wanted, answers)
        assert (found.keys, found.to_map()) == ([b"a", b"c"], {"a": 1, "c": 3})
    assert asked == ["a", "b", "c"]

    answers.update({b"%d" % number: True for number in range(REMEMBERED_MAX + 1)})
    some(new=1).keep(wanted, answers)
    assert len(answers) == 1


def test_keep_of_all_is_no_change() -> None:
    """The item goes on as it came."""
    found = some(a=1)
    found.keep(lambda name: True, {})

    assert not found.changed


def test_rewrite_texts_gives_texts_only_and_only_long_ones() -> None:
    """Numbers and short texts are not even decoded."""
    given: list[str] = []
    found = some(a=1, b="short", c="a long text", d=b"bytes of some length")

    def change(text: str) -> str | None:
        given.append(text)
        return text[:4]

    found.rewrite_texts(change, above=12)

    assert given == ["a long text"]
    assert found.to_map() == {"a": 1, "b": "short", "c": "a lo", "d": b"bytes of some length"}


def test_replace_becomes_the_map() -> None:
    """Equal values are no change."""
    found = some(a=1)
    found.replace({"a": 1})
    assert not found.changed

    found.replace({"b": [1, "x"], "c": {"d": 2.5}})

    assert found.to_map() == {"b": [1, "x"], "c": {"d": 2.5}}
    assert found.get(Key("b")) == [1, "x"]
    assert found.get_raw(Key("a")) is None


@given(st.binary(max_size=12), st.sampled_from(["", "x", "\x12"]))
def test_get_from_any_bytes_raises_nothing_but_ottl_errors(pair: bytes, name: str) -> None:
    """Attributes are not looked at when a request comes in: a lookup sees them first."""
    for layout in (pair, Key(name).prefix + pair, pair + Key(name).prefix):
        with contextlib.suppress(OttlError):
            Attributes([layout]).get(Key(name))
