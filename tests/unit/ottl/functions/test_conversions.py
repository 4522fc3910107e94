"""Converters from one type to another."""

from typing import Any

import pytest

from bridge.ottl import OttlError, OttlSyntaxError
from tests.unit.ottl.running import a_span, cursor_at, value_of

MAPPING = (
    '{"error": [{"equals": ["err", "fatal"]}, {"range": {"min": 4, "max": 5}}],'
    ' "ok": [{"range": "2xx"}]}'
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("String(5)", "5"),
        ("String(1.5)", "1.5"),
        ("String(0x01ff)", "01ff"),
        ('String([1, "a"])', '[1,"a"]'),
        ("String(nil)", None),
        ('Int("12")', 12),
        ('Int("x")', None),
        ("Int(3.9)", 3),
        ("Int(-3.9)", -3),
        ("Int(true)", 1),
        ('Int(Double("1e300"))', -(2**63)),
        ('Double("1_0.5e1")', 105.0),
        ("Double(3)", 3.0),
        ('Bool("true")', True),
        ("Bool(0.0)", False),
        ("Bool(7)", True),
        ("Hex(nil)", ""),
        ('Hex("ab")', "6162"),
        ("Hex(1)", "0000000000000001"),
        ("Hex(true)", "01"),
        ("Log(1)", 0.0),
        ('ParseInt("ff", 16)', 255),
        ('ParseInt("-0x1f", 0)', -31),
        ('ParseInt("0b11", 0)', 3),
        ('ParseInt("017", 0)', 15),
        ('Coalesce([attributes["a"], nil, "x", "y"])', "x"),
        ("Coalesce([nil])", None),
        (f'ParseSeverity("fatal", {MAPPING})', "error"),
        (f"ParseSeverity(4, {MAPPING})", "error"),
        (f"ParseSeverity(204, {MAPPING})", "ok"),
    ],
)
def test_converter_gives(text: str, value: Any) -> None:
    """With Go's rules for what is cut, wrapped or nil."""
    found = value_of(text)

    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [
        'Double("x")',
        'Double("")',
        'Bool("yes please")',
        "Log(0)",
        "Log(nil)",
        'ParseInt("", 10)',
        'ParseInt("9", 8)',
        'ParseInt("1", 1)',
        'ParseInt("1", -2)',
        'ParseInt("9223372036854775808", 10)',
        f'ParseSeverity("debug", {MAPPING})',
        f"ParseSeverity(1.5, {MAPPING})",
        'ParseSeverity("x", {"a": 1})',
        'ParseSeverity("x", {"a": [1]})',
        'ParseSeverity("x", {"a": [{"equals": "x"}]})',
        'ParseSeverity("x", {"a": [{"range": "9xx"}]})',
        'ParseSeverity("x", {"a": [{"range": {"min": 1}}]})',
    ],
)
def test_converter_of_what_it_cannot_read_fails(text: str) -> None:
    """On the item; a literal that can never be read already at start."""
    with pytest.raises((OttlError, OttlSyntaxError)):
        value_of(text)


def test_parse_int_reads_the_limits_of_64_bits() -> None:
    """One beyond is out of range."""
    assert value_of('ParseInt("9223372036854775807", 10)') == 2**63 - 1
    assert value_of('ParseInt("-9223372036854775808", 10)') == -(2**63)


def test_coalesce_without_values_is_refused_at_start() -> None:
    """It could only ever give nil."""
    with pytest.raises(OttlSyntaxError, match="at least one"):
        value_of("Coalesce([])")


def test_int_of_an_attribute_follows_its_type() -> None:
    """What a sender wrote decides, not what the first item had."""
    for held, value in ((5, 5), ("7", 7), (2.5, 2), (True, 1), ("x", None)):
        assert value_of('Int(attributes["a"])', cursor_at(a_span({"a": held}))) == value
