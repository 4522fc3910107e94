"""
The compiled forms against the Python forms: the same answer, or both refuse.

The bytes are those of senders in both orders of fields, and those after some mutations: cut,
flipped, padded, repeated. What the compiled form leaves to the Python form is no difference.
"""

import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core import Malformed, Signal
from bridge.ottl import attributes, native, nodes, schema
from bridge.ottl.attributes import Attributes, Key, keys_of
from bridge.ottl.codec import decode, delimited, encode, encode_pair, key_prefix, split_raw, varint
from bridge.ottl.errors import OttlError
from bridge.ottl.nodes import NODES, Payload

compiled = pytest.importorskip("bridge.ottl._native")

TEXT = st.characters(exclude_categories=["Cs"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(TEXT, max_size=20),
    st.binary(max_size=20),
)
# The nested ones are few and given: their making would cost more than the test.
VALUES = SCALARS | st.sampled_from([[], [1, "x"], {"a": 1}, {"a": [None, {"b": 2.5}]}, [[[]]]])
KEYS = st.sampled_from(["", "a", "ab", "http.method", "k" * 130]) | st.text(TEXT, max_size=4)


@st.composite
def varints(draw: st.DrawFn, value: int) -> bytes:
    """*value*, sometimes padded, also beyond what protobuf takes."""
    data = bytearray(varint(value))
    for _ in range(draw(st.sampled_from([0] * 8 + [1, 4, 5, 9, 10]))):
        data[-1] |= 0x80
        data.append(0)
    return bytes(data)


@st.composite
def pairs(draw: st.DrawFn) -> bytes:
    """A key-value pair: mostly as senders write it, in both orders, sometimes strange."""
    key = draw(KEYS).encode()
    value = encode(draw(VALUES))
    if draw(st.integers(0, 7)) == 0:
        value = mutated(draw, value)
    fields = [
        b"\x0a" + draw(varints(len(key))) + key,
        b"\x12" + draw(varints(len(value))) + value,
    ]
    extra = [b"\x1a\x01x", b"\x18\x05", b"\x0a\x01a", b"\x12\x02\x10\x01", b"\x0b\x0c", b"\x25abcd"]
    fields += draw(st.lists(st.sampled_from(extra), max_size=draw(st.sampled_from([0, 0, 0, 2]))))
    if draw(st.booleans()):
        fields = draw(st.permutations(fields))
    pair = b"".join(fields)
    return mutated(draw, pair) if draw(st.integers(0, 9)) == 0 else pair


def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """*data* cut, with a byte changed, or with bytes between."""
    at = draw(st.integers(0, len(data)))
    byte = draw(st.binary(min_size=1, max_size=2))
    return draw(
        st.sampled_from(
            [data[:at], data[:at] + byte + data[at:], data[:at] + byte + data[at + 1 :]]
        )
    )


@st.composite
def spans(draw: st.DrawFn) -> bytes:
    """A span with attributes between its other fields, ascending, descending or shuffled."""
    fields = [
        b"\x0a\x10" + b"t" * 16,
        b"\x2a\x04name",
        b"\x30" + draw(varints(2)),
        b"\x39abcdefgh",
        *(delimited(b"\x4a", pair) for pair in draw(st.lists(pairs(), max_size=4))),
        delimited(b"\x5a", b"\x12\x01e"),
        delimited(b"\x7a", draw(st.sampled_from([b"\x18\x02", b"\x12\x02ok\x18\x01", b"\x18"]))),
        b"\x85\x01abcd",
    ]
    order = draw(st.integers(0, 3))
    if order == 1:
        fields.reverse()
    elif order == 2:
        fields = draw(st.permutations(fields))
    span = b"".join(fields)
    return mutated(draw, span) if draw(st.integers(0, 5)) == 0 else span


LONG = "k" * 130

STRANGE_PAIRS = {
    "empty": b"",
    "key only": b"\x0a\x01a",
    "value only": b"\x12\x02\x10\x01",
    "value first": b"\x12\x02\x10\x01\x0a\x01a",
    "second key counts": b"\x0a\x01b\x12\x02\x10\x01\x0a\x01a",
    "second key of another wire type": b"\x0a\x01a\x08\x05",
    "second value counts": b"\x0a\x01a\x12\x02\x18\x01\x12\x02\x18\x02",
    "value of another wire type": b"\x0a\x01a\x10\x05",
    "value of another wire type behind": b"\x0a\x01a\x12\x02\x18\x07\x15abcd",
    "key length padded to two": b"\x0a\x81\x00a\x12\x02\x18\x07",
    "key length padded to five": b"\x0a\x81\x80\x80\x80\x00a\x12\x02\x18\x07",
    "key length padded to six": b"\x0a\x81\x80\x80\x80\x80\x00a\x12\x02\x18\x07",
    "value length padded to two": b"\x0a\x01a\x12\x82\x00\x18\x07",
    "value length padded to six": b"\x0a\x01a\x12\x82\x80\x80\x80\x80\x00\x18\x07",
    "tag padded to five": b"\x8a\x80\x80\x80\x00\x01a\x12\x02\x18\x07",
    "tag padded to six": b"\x8a\x80\x80\x80\x80\x00\x01a\x12\x02\x18\x07",
    "tag of more than 32 bits": b"\x8a\x80\x80\x80\x10\x01a\x12\x02\x18\x07",
    "field zero": b"\x0a\x01a\x02\x01x",
    "unknown field": b"\x0a\x01a\x12\x02\x18\x07\x1a\x01x",
    "unknown field before": b"\x1a\x01x\x0a\x01a\x12\x02\x18\x07",
    "unknown group": b"\x0a\x01a\x12\x02\x18\x07\x1b\x20\x01\x1c",
    "group that does not end": b"\x0a\x01a\x1b",
    "wire type six": b"\x0a\x01a\x1e\x01",
    "cut in the key": b"\x0a\x05a",
    "cut in the value": b"\x0a\x01a\x12\x05\x18",
    "cut in a length": b"\x0a\x01a\x12\x80",
    "cut in a fixed field": b"\x0a\x01a\x1d\x01",
    "length beyond 31 bits": b"\x0a\x01a\x12\xff\xff\xff\xff\x0f",
    "text": b"\x0a\x01a\x12\x03\x0a\x01x",
    "text with padded length": b"\x0a\x01a\x12\x04\x0a\x81\x00x",
    "text with length padded to six": b"\x0a\x01a\x12\x08\x0a\x81\x80\x80\x80\x80\x00x",
    "text that is no UTF-8": b"\x0a\x01\xff\x12\x04\x0a\x02\xff\xfe",
    "text cut": b"\x0a\x01a\x12\x02\x0a\x05",
    "text of a wrong wire type": b"\x0a\x01a\x12\x02\x08\x05",
    "two values of the oneof": b"\x0a\x01a\x12\x05\x0a\x01x\x18\x01",
    "unknown field in the value": b"\x0a\x01a\x12\x05\x18\x01\x42\x01x",
    "bool of 300": b"\x0a\x01a\x12\x03\x10\xac\x02",
    "bool of 2 to the 32": b"\x0a\x01a\x12\x06\x10\x80\x80\x80\x80\x10",
    "bool of zero in ten bytes": b"\x0a\x01a\x12\x0b\x10" + b"\x80" * 9 + b"\x00",
    "int padded": b"\x0a\x01a\x12\x04\x18\x87\x80\x00",
    "int of ten bytes": b"\x0a\x01a\x12\x0b\x18" + b"\xff" * 9 + b"\x01",
    "int of more than 64 bits": b"\x0a\x01a\x12\x0b\x18" + b"\x80" * 9 + b"\x02",
    "int of much more than 64 bits": b"\x0a\x01a\x12\x0b\x18" + b"\xff" * 9 + b"\x7f",
    "int of eleven bytes": b"\x0a\x01a\x12\x0c\x18" + b"\x80" * 10 + b"\x00",
    "double": b"\x0a\x01a\x12\x09\x21\x00\x00\x00\x00\x00\x00\xf8\x7f",
    "double cut": b"\x0a\x01a\x12\x04\x21\x00\x00\x00",
    "bytes": b"\x0a\x01a\x12\x03\x3a\x01\x00",
    "list": b"\x0a\x01a\x12\x06\x2a\x04\x0a\x02\x18\x01",
    "list of a broken value": b"\x0a\x01a\x12\x06\x2a\x04\x0a\x02\x18\x80",
    "long key": key_prefix(LONG) + b"\x12\x02\x18\x07",
    "long key with padded length": b"\x0a\x82\x81\x00" + LONG.encode() + b"\x12\x02\x18\x07",
}

STRANGE_SPANS = {
    "nothing": b"",
    "attributes last": b"\x0a\x01t\x4a\x03\x0a\x01a",
    "attributes first": b"\x4a\x03\x0a\x01a\x0a\x01t",
    "attributes apart": b"\x4a\x03\x0a\x01a\x2a\x01n\x4a\x03\x0a\x01b",
    "attribute of another wire type": b"\x4a\x03\x0a\x01a\x48\x05",
    "attribute of another wire type first": b"\x48\x05\x4a\x03\x0a\x01a",
    "attribute that is broken": b"\x4a\x03\x0a\x01a\x4a\x02\x0a\x05",
    "broken status behind": b"\x4a\x03\x0a\x01a\x7a\x01\x18",
    "broken status before": b"\x7a\x01\x18\x4a\x03\x0a\x01a",
    "status twice": b"\x7a\x02\x18\x01\x4a\x03\x0a\x01a\x7a\x03\x12\x01x",
    "group": b"\x4a\x03\x0a\x01a\x9b\x01\x9c\x01",
    "unknown field": b"\x4a\x03\x0a\x01a\x9a\x01\x01x",
    "end of a group alone": b"\x4a\x03\x0a\x01a\x9c\x01",
    "cut": b"\x4a\x03\x0a\x01a\x2a\x05n",
    "tag padded to six": b"\xca\x80\x80\x80\x80\x00\x03\x0a\x01a",
    "length padded to five": b"\x4a\x83\x80\x80\x80\x00\x0a\x01a",
    "kind of ten bytes": b"\x30" + b"\xff" * 9 + b"\x01\x4a\x03\x0a\x01a",
    "kind of more than 64 bits": b"\x30" + b"\xff" * 9 + b"\x7f\x4a\x03\x0a\x01a",
    "kind of eleven bytes": b"\x30" + b"\xff" * 10 + b"\x01\x4a\x03\x0a\x01a",
}


def outcome(run: Callable[[], Any]) -> Any:
    """What *run* gives, told apart by type and to the bit, or the class of its error."""
    try:
        return exact(run())
    except (OttlError, Malformed) as error:
        return type(error)


def exact(value: Any) -> Any:
    """*value* in a form that compares as the bytes do: NaN is NaN, 1 is not True."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else value.hex())
    if isinstance(value, list | tuple):
        return (type(value), [exact(one) for one in value])
    if isinstance(value, dict):
        return ("map", [(key, exact(one)) for key, one in value.items()])
    return (type(value), value)


def both(run: Callable[[], Any]) -> tuple[Any, Any]:
    """The outcome with the compiled forms and without."""
    found = []
    for module in (compiled, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(attributes, "_compiled", module)
            patch.setattr(nodes, "_compiled", module)
            found.append(outcome(run))
    return found[0], found[1]


def look_at_item(item: bytes) -> None:
    """Its keys and pairs, or the same error."""

    def run() -> Any:
        found = NODES[Signal.TRACES](item).attributes
        return found.keys, found.pairs

    fast, slow = both(run)
    assert fast == slow


def look_at_pairs(made: list[bytes], other: str) -> None:
    """Every key that is there, and *other*: the value, or an error on both sides."""
    fast, slow = both(lambda: keys_of(made))
    assert fast == slow
    if isinstance(slow, type):
        return
    for name in {*keys_of(made), other.encode()}:
        key = Key(name.decode("utf-8", "surrogateescape"))

        def get(key: Key = key) -> Any:
            return Attributes(list(made)).get(key)

        fast, slow = both(get)
        assert fast == slow
        value = compiled.get(keys_of(made), made, name)
        assert value is NotImplemented or exact(value) == slow


def read(pair: bytes) -> None:
    """What `decode` gives, or it is left to that."""
    value = compiled.read(pair)
    if value is not NotImplemented:
        assert exact(value) == exact(decode(split_raw(pair)[1]))


def splice(item: bytes, made: list[bytes]) -> None:
    """Nothing changes but the attributes, if it is an item that protobuf takes."""
    spliced = compiled.splice(item, 9, made)
    try:
        expected = schema.Span.FromString(item)
    except DecodeError:
        return
    if spliced is not None:
        del expected.attributes[:]
        expected.attributes.extend(made)
        assert schema.Span.FromString(spliced) == expected


def glance(item: bytes, name: bytes) -> None:
    """The raw value that a parsed item has, or it is left to that."""
    found = compiled.glance(item, 9, name)
    if found is NotImplemented:
        return
    try:
        parsed = NODES[Signal.TRACES](item).attributes
    except Malformed:  # Something else is broken: what is passed over is not looked at.
        return
    assert found == parsed.get_raw(Key(name.decode("utf-8", "surrogateescape")))


def changed(item: bytes, key: str, value: Any, gone: str) -> bytes:
    """What becomes of a span whose attributes and name are changed, as a message has it."""
    request = schema.Request()
    request.resources.add().scopes.add().items.append(item)
    payload = Payload(request.SerializeToString(), Signal.TRACES)
    (node,) = payload.resources[0].scopes[0].items
    node.attributes.set(Key(key), value)
    node.attributes.remove(Key(gone))
    node.attributes.keep(lambda name: len(name) != 3, {})
    node.attributes.rewrite_texts(lambda text: text[:4])
    if len(key) % 2:
        node.writable().name = b"new"
    (made,) = schema.Request.FromString(payload.dump()).resources[0].scopes[0].items
    # The order of different fields may differ: what a message makes of it may not.
    raw: bytes = schema.Span.FromString(made).SerializeToString()
    return raw


def change(item: bytes, key: str, value: Any, gone: str) -> None:
    """Set, remove, keep, rewrite and dump."""
    fast, slow = both(lambda: changed(item, key, value, gone))
    assert fast == slow


@pytest.mark.parametrize("name", STRANGE_PAIRS)
def test_strange_pair_is_the_same(name: str) -> None:
    """Alone, behind a sound one and before one, and inside of a span."""
    pair, sound = STRANGE_PAIRS[name], b"\x0a\x01z\x12\x02\x18\x05"
    read(pair)
    for made in ([pair], [sound, pair], [pair, sound]):
        look_at_pairs(made, "z")
        span = b"\x2a\x01n" + b"".join(delimited(b"\x4a", one) for one in made) + b"\x30\x02"
        look_at_item(span)
        splice(span, [pair])
        for name in (b"a", b"z", b"", b"x", LONG.encode()):
            glance(span, name)
        change(span, "new", "text", "a")
        change(span, "a", 5, "z")


@pytest.mark.parametrize("name", STRANGE_SPANS)
def test_strange_item_is_the_same(name: str) -> None:
    """Keys, pairs and changes."""
    look_at_item(STRANGE_SPANS[name])
    glance(STRANGE_SPANS[name], b"a")
    glance(STRANGE_SPANS[name], b"")
    splice(STRANGE_SPANS[name], [b"\x0a\x01x"])
    splice(STRANGE_SPANS[name], [])
    change(STRANGE_SPANS[name], "new", "text", "a")
    change(STRANGE_SPANS[name], "a", None, "b")


@settings(max_examples=150)
@given(spans())
def test_attributes_of_any_item_are_the_same(item: bytes) -> None:
    """In any order of fields, sound or not."""
    look_at_item(item)
    for name in (b"", b"a", b"http.method"):
        glance(item, name)


@settings(max_examples=150)
@given(st.lists(pairs(), max_size=5), KEYS)
def test_reading_any_pairs_is_the_same(made: list[bytes], other: str) -> None:
    """In any order of fields, sound or not."""
    look_at_pairs(made, other)
    for pair in made:
        read(pair)


@settings(max_examples=150)
@given(spans(), st.lists(st.tuples(KEYS, SCALARS), max_size=3))
def test_splice_changes_nothing_but_the_attributes(item: bytes, new: list[tuple[str, Any]]) -> None:
    """For every item that protobuf takes, unknown fields and repeated ones included."""
    splice(item, [encode_pair(key, encode(value)) for key, value in new])


@settings(max_examples=150)
@given(spans(), KEYS, SCALARS, KEYS)
def test_changing_any_item_is_the_same(item: bytes, key: str, value: Any, gone: str) -> None:
    """In any order of fields, sound or not."""
    change(item, key, value, gone)


@given(KEYS, SCALARS)
def test_pair_is_what_the_python_form_writes(key: str, value: Any) -> None:
    """Byte for byte."""
    made = compiled.pair(Key(key).prefix, value)

    assert made is not NotImplemented or value is None
    assert made is NotImplemented or made == Key(key).raw_pair(encode(value))


def test_pair_of_text_that_has_no_bytes_raises_as_encode_does() -> None:
    """A surrogate that stands for no byte."""
    for write in (encode, lambda text: compiled.pair(key_prefix("a"), text)):
        with pytest.raises(UnicodeEncodeError):
            write("\ud800")


WRONG: dict[str, list[tuple[Any, ...]]] = {
    "split": [("a", 9), (b"a",), (b"a", "b")],
    "splice": [(b"", 9, (b"",)), (b"", 9, ["a"]), ("", 9, [])],
    "glance": [("a", 9, b""), (b"", 9, "a"), (b"", "b", b"")],
    "keys": [((b"",),), (["a"],)],
    "read": [("a",), (None,)],
    "get": [([], [], "a"), (["a"], [b""], b"a"), ((), [], b"")],
    "pair": [("a", 1), (b"a",)],
    "kept": [([], [], []), ([[]], [b""], {})],
    "put": [
        ([], [], "a", b""),
        ([], [], b"a", None),
        ([b"a"], ["a"], b"a", b""),
        ((), [], b"", b""),
    ],
    "set": [([], [], b"a", None, 1), ([], [], b"a", "p", 1), ([None], [b""], b"a", b"", 1)],
    "discard": [([], [], "a"), (["a"], [b""], b"a"), ((), [], b"a")],
    "any_longer": [((), 1), (["a"], 1), ([], "a")],
}


@pytest.mark.parametrize("call", WRONG)
def test_wrong_types_are_type_errors(call: str) -> None:
    """Not a crash, whatever a caller hands over."""
    for arguments in WRONG[call]:
        with pytest.raises(TypeError):
            getattr(compiled, call)(*arguments)


def copied(made: list[bytes]) -> Attributes:
    """Attributes of their own."""
    return Attributes(list(made))


def look_at_changes(made: list[bytes], key: Key, value: Any) -> None:
    """`set`, `put` and `discard`, each on its own, and whether they say that something changed."""

    def run(change: Callable[[Attributes], None]) -> tuple[Any, Any]:
        def outcome_of_change() -> Any:
            found = copied(made)
            change(found)
            return found.keys, found.pairs, found.changed

        return both(outcome_of_change)

    for change in (
        lambda found: found.set(key, value),
        lambda found: found.put(key, key.raw_pair(b"\x10\x01")),
        lambda found: found.remove(key),
    ):
        fast, slow = run(change)
        assert fast == slow


@settings(max_examples=150)
@given(st.lists(pairs(), max_size=4), KEYS, SCALARS)
def test_changing_any_pairs_is_the_same(made: list[bytes], key: str, value: Any) -> None:
    """Also of keys that stand there twice, or not at all."""
    look_at_changes(made, Key(key), value)


@given(st.lists(st.tuples(st.sampled_from("abc"), SCALARS), max_size=4), SCALARS)
def test_compiled_set_is_put_of_a_pair(pairs: list[tuple[str, Any]], value: Any) -> None:
    """In place, at the end, or not at all if the same stands there."""
    made = [encode_pair(key, encode(one)) for key, one in pairs]
    found, key = copied(made), Key("b")
    keys, written = list(found.keys), list(made)
    changed = compiled.set(keys, written, key.name, key.prefix, value)
    if changed is NotImplemented:
        assert value is None
        assert (keys, written) == (found.keys, made)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attributes, "_compiled", None)
        found.set(key, value)

    assert (keys, written, changed) == (found.keys, found.pairs, found.changed)


@given(st.lists(st.binary(max_size=6), max_size=4), st.integers(0, 6))
def test_any_longer_is_what_it_says(made: list[bytes], above: int) -> None:
    """Of the bytes of whole pairs."""
    assert compiled.any_longer(made, above) is any(len(one) > above for one in made)


def test_lists_of_different_length_are_left_alone() -> None:
    """A key without a pair is nobody's; it is not followed."""
    assert compiled.get([b"a", b"b"], [b"\x0a\x01a"], b"b") is NotImplemented
    assert compiled.kept([b"a"], [], {b"a": True}) is None
    for change in (
        lambda: compiled.put([b"a"], [], b"a", b""),
        lambda: compiled.set([b"a"], [], b"a", b"", 1),
    ):
        with pytest.raises(IndexError):
            change()
    keys: list[bytes] = [b"a", b"b"]
    compiled.discard(keys, [], b"b")
    assert keys == [b"a"]


SOUND = [b"\x0a\x01a\x12\x02\x18\x07", b"\x0a\x01b\x12\x03\x0a\x01x"]
ITEMS = [b"".join(delimited(b"\x4a", one) for one in SOUND), b"\x4a\x05", b"\x48\x01"]
CALLS: list[tuple[str, tuple[Any, ...]]] = [
    *(("read", (pair,)) for pair in STRANGE_PAIRS.values()),
    *(("keys", ([SOUND[0], pair],)) for pair in STRANGE_PAIRS.values()),
    *(("split", (item, 9)) for item in ITEMS),
    *(("glance", (item, 9, b"b")) for item in ITEMS),
    *(("splice", (item, 9, SOUND)) for item in ITEMS),
    *(("get", ([b"a", b"b"], SOUND, name)) for name in (b"a", b"b", b"c")),
    ("kept", ([b"a", b"b"], SOUND, {b"a": True, b"b": True})),
    ("kept", ([b"a", b"b"], SOUND, {b"a": True, b"b": False})),
    ("kept", ([b"a", b"b"], SOUND, {b"a": True})),
    ("any_longer", (SOUND, 5)),
    ("put", ([b"a", b"b"], list(SOUND), b"a", SOUND[0])),
    ("put", ([b"a", b"b"], list(SOUND), b"a", SOUND[1])),
    ("set", ([b"a", b"b"], list(SOUND), b"b", SOUND[0], 7)),
    ("set", ([b"a", b"b"], list(SOUND), b"b", SOUND[0], [])),
    ("discard", ([b"a", b"b"], list(SOUND), b"c")),
    *(("pair", (SOUND[0], value)) for value in (None, True, 5, 2.5, "text", b"data", [])),
]


def test_calls_leave_no_memory_behind() -> None:
    """Every function, on sound and on strange input, a thousand times."""
    for name, arguments in CALLS:
        call = getattr(compiled, name)
        call(*arguments)
        before = sys.getallocatedblocks()
        for _ in range(1000):
            call(*arguments)
        assert sys.getallocatedblocks() - before < 500, (name, arguments)


def test_pure_switches_the_compiled_forms_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for all of the bridge."""
    monkeypatch.delenv("OTLP_BRIDGE_PURE", raising=False)
    assert native.load() is compiled

    monkeypatch.setenv("OTLP_BRIDGE_PURE", "1")

    assert native.load() is None
