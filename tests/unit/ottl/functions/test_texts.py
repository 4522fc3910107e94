"""Converters of texts."""

from typing import Any

import pytest

from bridge.ottl import OttlError, OttlSyntaxError
from bridge.ottl.functions.texts import RESULT_LENGTH_MAX
from bridge.ottl.sprintf import RESULT_LENGTH_MAX as FORMATTED_MAX
from tests.unit.ottl.running import a_span, cursor_at, value_of

HELD = {"t": "héllo", "n": 5, "p": "^h", "bad": "(", "long": "x" * (RESULT_LENGTH_MAX + 1)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('IsMatch(attributes["t"], "l+o$")', True),
        ('IsMatch(attributes["t"], "^l")', False),
        ('IsMatch(attributes["n"], "5")', True),
        ('IsMatch(attributes["none"], ".*")', False),
        ('IsMatch(attributes["t"], attributes["p"])', True),
        ('Concat(["a", attributes["n"], nil], "-")', "a-5-<nil>"),
        ('Concat([], "-")', ""),
        ('Format("%05d|%x|%s", [attributes["n"], 255, "z"])', "00005|ff|z"),
        ('Format("%d", [])', "%!d(MISSING)"),
        ('Format("x", [1])', "x%!(EXTRA int64=1)"),
        ('Split("a,b,,c", ",")', ["a", "b", "", "c"]),
        ('Split("abc", "")', ["a", "b", "c"]),
        ('Substring("hello", 1, 3)', "ell"),
        ('Substring(attributes["t"], 0, 2, true)', "h"),
        ('ToLowerCase("ÀB")', "àb"),
        ('ToUpperCase("straße")', "STRAßE"),
        ('ToSnakeCase("parseHTTP2Header")', "parse_http_2_header"),
        ('ToCamelCase("http_server id")', "HttpServerId"),
        ('ConvertCase("aB", "upper")', "AB"),
        ('ConvertCase("fooBar", "snake")', "foo_bar"),
        ('HasPrefix("abc", "ab")', True),
        ('HasSuffix("abc", "ab")', False),
        ('TrimPrefix("abc", "ab")', "c"),
        ('TrimSuffix("abc", "bc")', "a"),
        ('TrimSuffix("abc", "x")', "abc"),
        ('Trim("  a  ")', "a"),
        ('Trim("xxaxx", "x")', "a"),
        ('ExtractPatterns("k=v", "(?P<key>\\\\w)=(?P<value>\\\\w)")', {"key": "k", "value": "v"}),
        ('ExtractPatterns("none", "(?P<key>\\\\d)")', {}),
        ('ExtractPatterns("b", "(?P<a>a)?(?P<b>b)")', {"a": "", "b": "b"}),
    ],
)
def test_converter_gives(text: str, value: Any) -> None:
    """Lengths count bytes, patterns are RE2's, and nil is written as Go writes it."""
    assert value_of(text, cursor_at(a_span(HELD))) == value


@pytest.mark.parametrize(
    "text",
    [
        'IsMatch(attributes["t"], attributes["bad"])',
        'ToLowerCase(attributes["n"])',
        'Substring("abc", -1, 1)',
        'Substring("abc", 0, 0)',
        'Substring("abc", 2, 2)',
        'ExtractPatterns("a", "a")',
    ],
)
def test_converter_that_cannot_answer_fails(text: str) -> None:
    """On the item, so that error_mode decides."""
    with pytest.raises(OttlError):
        value_of(text, cursor_at(a_span(HELD)))


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ('Concat([attributes["long"], "y"], "")', RESULT_LENGTH_MAX),
        ('Split(attributes["long"], "x")', RESULT_LENGTH_MAX),
        ('Format("%s", [attributes["long"]])', FORMATTED_MAX),
        ('Format("%*d", [999999999, 1])', None),
    ],
)
def test_size_of_results_is_bounded(text: str, bound: int | None) -> None:
    """One item cannot make a text of any size: it fails, or the mistake is written."""
    cursor = cursor_at(a_span(HELD))

    if bound is None:
        assert len(value_of(text, cursor)) < 100
        return
    with pytest.raises(OttlError, match=str(bound)):
        value_of(text, cursor)


@pytest.mark.parametrize(
    "text", ['IsMatch("a", "(")', 'ConvertCase("a", "title")', 'ExtractPatterns("a", "(?P<x")']
)
def test_senseless_argument_is_refused_at_start(text: str) -> None:
    """It can never work."""
    with pytest.raises(OttlSyntaxError):
        value_of(text)
