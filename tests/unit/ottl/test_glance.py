"""Looks at an item's bytes that decide without a node of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import native, schema
from bridge.ottl.attributes import Key
from bridge.ottl.codec import delimited, encode, encode_pair
from bridge.ottl.errors import OttlError
from bridge.ottl.glance import REMEMBERED_MAX, Decide, Probe, all_of, any_of, attribute, scalar


@pytest.fixture(params=["python", "compiled"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What runs without a compiler, and with one."""
    use_form(str(request.param), monkeypatch)
    return str(request.param)


def use_form(name: str, patch: pytest.MonkeyPatch) -> None:
    """Switch the compiled form on or off."""
    found = native.load() if name == "compiled" else None
    if name == "compiled" and found is None:
        pytest.skip("the compiled form was not built")
    patch.setattr(native, "compiled", found)


def probe_of(decide: Decide, name: str = "a") -> Probe:
    """A probe of one attribute of spans."""
    made = attribute(Key(name), 9)
    assert made is not None
    return made(decide)


def span(*pairs: bytes, before: bytes = b"\x2a\x01n", behind: bytes = b"\x30\x02") -> bytes:
    """A span with such attributes between other fields."""
    return before + b"".join(delimited(b"\x4a", pair) for pair in pairs) + behind


A7 = encode_pair("a", encode(7))
B8 = encode_pair("b", encode(8))
REVERSED_A7 = delimited(b"\x12", encode(7)) + b"\x0a\x01a"


def test_attribute_answers_for_its_value(form: str) -> None:
    """False only where the test is surely false."""
    is_seven = probe_of(lambda value: value == 7)

    assert is_seven(span(B8, A7))
    assert not is_seven(span(encode_pair("a", encode(5)), B8))
    assert not is_seven(span(B8))
    assert not is_seven(b"")


def test_attribute_absent_is_nil(form: str) -> None:
    """A test may be true of an attribute that is not there."""
    missing = probe_of(lambda value: value is None)

    assert missing(span(B8))
    assert not missing(span(A7))


def test_attribute_inside_of_others_is_no_attribute(form: str) -> None:
    """A map, an event, a text that looks like one: the item is parsed, or they are passed over."""
    is_seven = probe_of(lambda value: value == 8)
    inner = encode_pair("m", encode({"a": 7}))
    event = delimited(b"\x5a", delimited(b"\x1a", A7))
    mimic = encode_pair("t", encode(delimited(b"\x4a", A7).decode()))
    missing = probe_of(lambda value: value is None)

    for item in (span(inner), span(behind=event), span(B8, behind=event)):
        assert missing(item)
        assert form == "python" or not is_seven(item)
    assert form == "python" or missing(span(mimic))


def test_compiled_attribute_follows_either_order_of_fields() -> None:
    """The Collector writes the value first; that costs no parsing."""
    with pytest.MonkeyPatch.context() as patch:
        use_form("compiled", patch)
        is_seven, is_eight = probe_of(lambda v: v == 7), probe_of(lambda v: v == 8)

    assert is_seven(span(REVERSED_A7))
    assert not is_eight(span(REVERSED_A7))


def test_attribute_test_that_fails_needs_the_item(form: str) -> None:
    """The error has to happen where it is counted."""

    def fail(value: object) -> bool:
        raise OttlError("no")

    assert probe_of(fail)(span(A7))
    assert probe_of(fail)(span(B8))


def test_attribute_asks_once_for_each_value(form: str) -> None:
    """Values repeat; the memory is bounded."""
    asked: list[object] = []

    def decide(value: object) -> bool:
        asked.append(value)
        return False

    probe = probe_of(decide)
    for _ in range(3):
        probe(span(A7))
    assert asked == [None, 7]

    for number in range(REMEMBERED_MAX + 5):
        probe(span(encode_pair("a", encode(number))))
    probe(span(A7))
    assert asked[-1] == 7


def test_attribute_of_a_long_value_is_not_remembered(form: str) -> None:
    """It hardly repeats: the item is parsed."""
    assert probe_of(lambda value: False)(span(encode_pair("a", encode("x" * 200))))


@given(st.binary(max_size=30), st.sampled_from([b"", A7, B8, REVERSED_A7]))
def test_attribute_probe_of_any_bytes_answers(data: bytes, pair: bytes) -> None:
    """Whatever comes, it says something and does not raise."""
    for name in ("python", "compiled"):
        with pytest.MonkeyPatch.context() as patch:
            use_form(name, patch)
            probe = probe_of(lambda value: value == 7)
        for item in (data, span(pair) + data, data + span(pair)):
            assert probe(item) in (True, False)


def test_scalar_reads_one_field_of_the_item() -> None:
    """By a narrow message; bytes that are none need the item itself."""
    probe = scalar(schema.SpanGlance, "name", bytes.decode)(lambda value: value == "n")

    assert probe(span())
    assert not probe(span(before=b"\x2a\x01m"))
    assert probe(b"\x2a\x05")


def test_all_of_and_any_of_combine() -> None:
    """One probe stays itself."""
    yes, no = (lambda raw: True), (lambda raw: False)

    assert all_of([yes]) is yes
    assert any_of([no]) is no
    assert not all_of([yes, no])(b"")
    assert any_of([no, yes])(b"")
