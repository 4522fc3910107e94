"""The compiled forms against the Python forms."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import attributes, native, schema
from bridge.ottl.attributes import Attributes, Key
from bridge.ottl.codec import decode, encode, encode_pair, split_pair

compiled = pytest.importorskip("bridge.ottl._native")

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=140)
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=6)


def span_of(pairs: list[bytes]) -> bytes:
    """A span with these attributes between other fields."""
    span = schema.Span(trace_id=b"t" * 16, name=b"n", events=[b"\x12\x01e"], flags=3)
    span.attributes.extend(pairs)
    raw: bytes = span.SerializeToString()
    return raw


def serialized(pairs: list[tuple[str, Any]]) -> list[bytes]:
    """Key-value pairs as a sender writes them."""
    return [encode_pair(key, encode(value)) for key, value in pairs]


@given(PAIRS)
def test_split_gives_what_protobuf_gives(pairs: list[tuple[str, Any]]) -> None:
    """The attributes of an item, in their order."""
    made = serialized(pairs)

    assert compiled.split(span_of(made), 9) == made


@given(PAIRS, PAIRS)
def test_splice_changes_nothing_but_the_attributes(
    old: list[tuple[str, Any]], new: list[tuple[str, Any]]
) -> None:
    """The item parses as one that was written with the new ones."""
    spliced = compiled.splice(span_of(serialized(old)), 9, serialized(new))

    assert schema.Span.FromString(spliced) == schema.Span.FromString(span_of(serialized(new)))


@given(PAIRS, KEYS)
def test_find_and_read_give_what_the_python_forms_give(
    pairs: list[tuple[str, Any]], other: str
) -> None:
    """For keys that are there, and one that mostly is not."""
    made = serialized(pairs)
    for name in [*(key for key, _ in pairs), other]:
        key = Key(name)
        index = compiled.find(made, key.name, 0)
        assert index == Attributes(made)._find(Key(name))
        if index >= 0:
            value = compiled.read(made[index])
            assert value is NotImplemented or value == decode(split_pair(made[index])[1])


@given(KEYS, SCALARS)
def test_pair_is_what_the_python_form_writes(key: str, value: Any) -> None:
    """Byte for byte."""
    made = compiled.pair(Key(key).prefix, value)

    assert made is NotImplemented or made == Key(key).raw_pair(encode(value))


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_broken_bytes_are_left_to_the_python_form(item: bytes, pair: bytes) -> None:
    """Whatever comes, nothing raises and nothing is read beyond its end."""
    for result in (compiled.split(item, 9), compiled.splice(item, 9, [pair])):
        assert result is None or isinstance(result, list | bytes)
    compiled.find([pair], b"key", 0)
    compiled.kept([pair], {b"": True})
    try:
        compiled.read(pair)
    except UnicodeDecodeError:
        pytest.fail("text that is no UTF-8 is kept with surrogate escapes")


def test_pure_switches_the_compiled_forms_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for all of the bridge."""
    monkeypatch.setenv("OTLP_BRIDGE_PURE", "1")

    assert native.load() is None


@given(PAIRS)
def test_keep_answers_alike_without_the_compiled_form(pairs: list[tuple[str, Any]]) -> None:
    """Which keys stay does not depend on who decides."""
    left = []
    for module in (compiled, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(attributes, "_compiled", module)
            found = Attributes(serialized(pairs))
            found.keep(lambda name: len(name) % 2 == 0, {})
            left.append(found.pairs)

    assert left[0] == left[1]
