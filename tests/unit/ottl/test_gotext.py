"""Numbers, JSON and durations as Go writes and reads them."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl.errors import OttlError, OttlTypeError
from bridge.ottl.gotext import (
    attribute_text,
    format_duration,
    format_float,
    parse_bool,
    parse_duration,
    parse_float,
    parse_int,
    to_json,
    to_text,
)
from bridge.ottl.values import Duration, Foreign, Numbers, Time, TraceId


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-07"),
        (123456789.5, "123456789.5"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Inf"),
    ],
)
def test_format_float_is_the_shortest_text(value: float, text: str) -> None:
    """With an exponent only for the very large and very small."""
    assert format_float(value) == text


@given(st.floats(allow_nan=False))
def test_float_survives_its_text(value: float) -> None:
    """Read back it is the same."""
    assert parse_float(format_float(value).replace("Inf", "inf")) == value


@given(st.integers(-(2**63), 2**63 - 1))
def test_duration_survives_its_text(ns: int) -> None:
    """Read back it is the same, but for the one whose positive does not fit."""
    text = format_duration(Duration(ns))

    if ns == -(2**63):
        return
    assert parse_duration(text) == Duration(ns)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1h2m3s", 3_723_000_000_000),
        ("-1.5s", -1_500_000_000),
        ("+100ms", 100_000_000),
        (".5us", 500),
        ("1.µs", 1_000),
        ("0", 0),
        ("-0", 0),
    ],
)
def test_parse_duration_adds_its_parts(text: str, ns: int) -> None:
    """With units, but for zero."""
    assert parse_duration(text).ns == ns


@pytest.mark.parametrize("text", ["", "1", "s", ".s", "1x", "1s ", "300000000h", "--1s"])
def test_parse_duration_refuses_the_rest(text: str) -> None:
    """Also what 64 bits do not hold."""
    with pytest.raises(OttlError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [
        ("+7", 10, 7),
        ("ff", 16, 255),
        ("z", 36, 35),
        ("0x1_0", 0, 16),
        ("0o17", 0, 15),
        ("b1", 16, 177),
    ],
)
def test_parse_int_reads_bases(text: str, base: int, value: int) -> None:
    """Prefixes and underscores only if the base is left open."""
    assert parse_int(text, base) == value


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("", 10),
        ("-", 10),
        ("1_0", 10),
        ("0x1", 16),
        (" 1", 10),
        ("\u0661", 10),
        ("1", 37),
        ("_1", 0),
        ("1_", 0),
    ],
)
def test_parse_int_refuses_the_rest(text: str, base: int) -> None:
    """Digits of other scripts too."""
    with pytest.raises(OttlError):
        parse_int(text, base)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1_0.5", 10.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("0x1p4", 16.0),
        ("Infinity", math.inf),
    ],
)
def test_parse_float_reads_go_syntax(text: str, value: float) -> None:
    """Underscores between digits, and hexadecimal floats."""
    assert parse_float(text) == value


@pytest.mark.parametrize("text", ["", ".", "1__0", "_1", "1e", "1e999", "0x1", " 1", "1,5"])
def test_parse_float_refuses_the_rest(text: str) -> None:
    """Also what is out of range."""
    with pytest.raises(OttlError):
        parse_float(text)


def test_parse_bool_knows_go_spellings_only() -> None:
    """Not yes and no."""
    assert [parse_bool(text) for text in ("1", "t", "TRUE", "0", "F", "false")] == [True] * 3 + [
        False
    ] * 3
    for text in ("yes", "tRUE", "", "2"):
        with pytest.raises(OttlError):
            parse_bool(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1e-7, "1e-7"),
        ("<a&b>\u2028", '"\\u003ca\\u0026b\\u003e\\u2028"'),
        ("\udcff", '"\ufffd"'),
        (b"\x00\xff", '"AP8="'),
        ({"b": 1, "a": [None, 2.0]}, '{"a":[null,2],"b":1}'),
        (Numbers(), "null"),
        (TraceId(b"\x01" * 2), "[1,1]"),
        (Duration(5), "5"),
        (Time(0), '"1970-01-01T00:00:00Z"'),
        (Foreign("status", (b"",)), "{}"),
    ],
)
def test_to_json_is_what_go_marshals(value: Any, text: str) -> None:
    """Sorted keys, base64 for bytes, no blanks, escapes for HTML."""
    assert to_json(value) == text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_to_json_is_json(value: Any) -> None:
    """Any reader takes it."""
    assert json.loads(to_json(value)) == value


def test_texts_of_values_differ_by_where_they_are_shown() -> None:
    """Hex or base64 for bytes; nil is none or nothing."""
    assert (to_text(b"\x01"), attribute_text(b"\x01")) == ("01", "AQ==")
    assert (to_text(None), attribute_text(None)) == (None, "")
    assert (to_text(1e-7), attribute_text(1e-7)) == ("1e-07", "1e-7")
    assert attribute_text(math.inf) == "json: unsupported value: +Inf"
    for value in (math.nan, object()):
        with pytest.raises(OttlTypeError):
            to_text(value)
