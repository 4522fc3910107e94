"""One CSV row by the rules of Go's reader."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl import OttlError
from bridge.ottl.csv import read_row

FIELDS = st.lists(st.text('ab," ;', max_size=6), min_size=1, max_size=5)


@given(FIELDS)
def test_read_row_reads_what_a_writer_writes(fields: list[str]) -> None:
    """Quotes, delimiters and blanks inside of fields."""
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(fields)

    assert read_row(written.getvalue(), ",", lazy=False) == fields


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a,b", ["a", "b"]),
        ("a,", ["a", ""]),
        (",", ["", ""]),
        ('"a""b",c', ['a"b', "c"]),
        ('"a\nb",c', ["a\nb", "c"]),
        ("a,b\nc,d", ["a", "b\nc", "d"]),
        ("\n\na,b\r\n", ["a", "b"]),
    ],
)
def test_read_row_takes_lines_as_one_row(text: str, fields: list[str]) -> None:
    """A further line goes on where the last field ended; empty lines are skipped."""
    assert read_row(text, ",", lazy=False) == fields


@pytest.mark.parametrize("text", ["", "\n", 'a"b', '"a', '"a"b,c'])
def test_read_row_strict_refuses_loose_quotes(text: str) -> None:
    """And a text without a row."""
    with pytest.raises(OttlError):
        read_row(text, ",", lazy=False)


@pytest.mark.parametrize(
    ("text", "fields"),
    [('a"b,c', ['a"b', "c"]), ('"a"b,c', ['a"b,c']), ('"a', ["a"]), ('"a"b",c', ['a"b', "c"])],
)
def test_read_row_lazy_keeps_loose_quotes(text: str, fields: list[str]) -> None:
    """In quoted and in plain fields."""
    assert read_row(text, ",", lazy=True) == fields


@given(st.text('a,"\n', max_size=12), st.booleans())
def test_read_row_of_any_text_ends(text: str, lazy: bool) -> None:
    """With a row or an OTTL error."""
    try:
        assert read_row(text, ",", lazy=lazy)
    except OttlError:
        assert not lazy or not text.strip("\n")
