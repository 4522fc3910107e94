"""Taking texts apart, within bounds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import OttlError, OttlSyntaxError
from bridge.ottl.codec import DEPTH_MAX
from bridge.ottl.functions.parsing import TEXT_LENGTH_MAX
from tests.unit.ottl.running import a_span, cursor_at, value_of


def parsed(function: str, text: str, more: str = "") -> Any:
    """What a parser makes of the text of an attribute."""
    return value_of(f'{function}(attributes["t"]{more})', cursor_at(a_span({"t": text})))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": [true, null, "x"]}', {"a": 1.0, "b": [True, None, "x"]}),
        ("[]", []),
        ('{"a": 1, "a": 2}', {"a": 2.0}),
        ('["\\ud83d\\ude00"]', ["\U0001f600"]),
        ('["\\ud83d"]', ["\ufffd"]),
        ('{"\\udc00": 1}', {"\ufffd": 1.0}),
    ],
)
def test_parse_json_gives_lists_and_maps(text: str, value: Any) -> None:
    """Numbers are floats, and half a surrogate pair is no character."""
    assert parsed("ParseJSON", text) == value


@pytest.mark.parametrize(
    "text", ["", "1", '"x"', "null", "{", "[1,]", "[NaN]", "[Infinity]", "[1e999]", "{'a': 1}"]
)
def test_parse_json_of_anything_else_is_an_error(text: str) -> None:
    """Scalars too: the Collector wants a list or an object."""
    with pytest.raises(OttlError):
        parsed("ParseJSON", text)


def test_parse_json_depth_is_bounded() -> None:
    """Deeper than an attribute may be is refused, whatever the brackets in texts say."""
    deepest = "[" * DEPTH_MAX + "]" * DEPTH_MAX

    assert json.dumps(parsed("ParseJSON", deepest)) == deepest
    assert parsed("ParseJSON", json.dumps(["[" * 500, '"' + "{" * 500])) == [
        "[" * 500,
        '"' + "{" * 500,
    ]
    with pytest.raises(OttlError, match="nested"):
        parsed("ParseJSON", f"[{deepest}]")
    with pytest.raises(OttlError, match="nested"):
        parsed("ParseJSON", "[" * 100_000)


@pytest.mark.parametrize("function", ["ParseJSON", "ParseKeyValue"])
def test_text_to_parse_is_bounded(function: str) -> None:
    """One character more than the bound is refused before it is read."""
    with pytest.raises(OttlError, match=str(TEXT_LENGTH_MAX)):
        parsed(function, "x" * (TEXT_LENGTH_MAX + 1))


@given(st.recursive(st.none() | st.booleans() | st.floats(-1e9, 1e9) | st.text(), st.lists))
def test_parse_json_reads_what_json_writes(value: Any) -> None:
    """Whatever texts and lists there are."""
    read = parsed("ParseJSON", json.dumps([value]))

    assert read == [value]


@pytest.mark.parametrize(
    ("text", "more", "value"),
    [
        ("a=1 b=2", "", {"a": "1", "b": "2"}),
        ("  a=1   b=x=y ", "", {"a": "1", "b": "x=y"}),
        ('a="1 2" b=3', "", {"a": "1 2", "b": "3"}),
        ("a='x y'", "", {"a": "x y"}),
        ("a=", "", {"a": ""}),
        ("a:1|b:2", ', ":", "|"', {"a": "1", "b": "2"}),
        ("a=>1;;b=>2", ', "=>", ";;"', {"a": "1", "b": "2"}),
        ("a=1 a=2", "", {"a": "2"}),
    ],
)
def test_parse_key_value_splits(text: str, more: str, value: dict[str, str]) -> None:
    """Quotes keep delimiters together; the last of two equal keys counts."""
    assert parsed("ParseKeyValue", text, more) == value


@pytest.mark.parametrize("text", ["", "a", "a=1 b", 'a="1 b=2'])
def test_parse_key_value_refuses_what_is_none(text: str) -> None:
    """A piece without the delimiter, or a quote without an end."""
    with pytest.raises(OttlError):
        parsed("ParseKeyValue", text)


@pytest.mark.parametrize("more", ['"", " "', '"=", ""', '"=", "="'])
def test_parse_key_value_senseless_delimiters_are_refused_at_start(more: str) -> None:
    """They can never work."""
    with pytest.raises(OttlSyntaxError, match="delimiter"):
        value_of(f'ParseKeyValue("a=1", {more})')


@pytest.mark.parametrize(
    ("row", "more", "value"),
    [
        ("1,2", '"a,b"', {"a": "1", "b": "2"}),
        ('1,"2,3"', '"a,b"', {"a": "1", "b": "2,3"}),
        ("1|2", '"a|b", "|"', {"a": "1", "b": "2"}),
        ("1|2", '"a,b", "|", ","', {"a": "1", "b": "2"}),
        ('1,x"y', '"a,b", mode="lazyQuotes"', {"a": "1", "b": 'x"y'}),
        ('"1",2', '"a,b", mode="ignoreQuotes"', {"a": '"1"', "b": "2"}),
    ],
)
def test_parse_csv_gives_columns(row: str, more: str, value: dict[str, str]) -> None:
    """By the header and the delimiters."""
    assert parsed("ParseCSV", row, ", " + more) == value


@pytest.mark.parametrize(("row", "more"), [("1", '"a,b"'), ("1,2,3", '"a,b"'), ('x"y,2', '"a,b"')])
def test_parse_csv_row_that_does_not_fit_is_an_error(row: str, more: str) -> None:
    """Too few fields, too many, or a quote where none may be."""
    with pytest.raises(OttlError):
        parsed("ParseCSV", row, ", " + more)
