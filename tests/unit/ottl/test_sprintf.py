"""Go's Sprintf, mistakes included."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl.errors import OttlError
from bridge.ottl.goformat import Flags, format_float_verb, format_int, format_text, pad, quoted
from bridge.ottl.sprintf import RESULT_LENGTH_MAX, sprintf
from bridge.ottl.values import Duration


@pytest.mark.parametrize(
    ("layout", "values", "text"),
    [
        ("%d %5d|%-5d|%05d|%+d", [1, 2, 3, 4, 5], "1     2|3    |00004|+5"),
        (
            "%x %X %#x %o %b %c %q %U",
            [255, 255, 255, 8, 5, 65, 65, 65],
            "ff FF 0xff 10 101 A 'A' U+0041",
        ),
        (
            "%f %.2f %8.3f %e %g",
            [1.5, 1.256, 1.5, 1500.0, 0.00001],
            "1.500000 1.26    1.500 1.500000e+03 1e-05",
        ),
        (
            "%s|%10s|%-4s|%.2s|%q|%x",
            ["a", "b", "c", "def", 'g"', "h"],
            'a|         b|c   |de|"g\\""|68',
        ),
        ("%t %v", [True, False], "true false"),
        ("%v %s %x", [b"\x01", b"ab", b"\xff"], "[1] ab ff"),
        ("%v %v", [[1, "a"], {"b": 1}], None),
        ("%v %s", [Duration(1_500_000_000), Duration(5)], "1.5s 5ns"),
        ("%[2]d %[1]d", [1, 2], "2 1"),
        ("%*d", [5, 1], "    1"),
        ("%.*f", [1, 2.55], "2.5"),
        ("100%%", [], "100%"),
        ("%d", ["x"], "%!d(string=x)"),
        ("%s", [1], "%!s(int64=1)"),
        ("%d %d", [1], "1 %!d(MISSING)"),
        ("%d", [1, 2], "1%!(EXTRA int64=2)"),
        ("%", [], "%!(NOVERB)"),
        ("%[5]d", [1], "%!d(BADINDEX)"),
        ("%v", [None], "<nil>"),
        ("%d", [None], "%!d(<nil>)"),
    ],
)
def test_sprintf_writes_as_go_does(layout: str, values: list[Any], text: str | None) -> None:
    """Verbs, flags, width, precision, indexes, and what Go writes for mistakes."""
    found = sprintf(layout, values)

    assert text is None or found == text


@given(
    st.text("%dsvxqfgetcUbo+-# 0123456789.*[]", max_size=12),
    st.lists(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats()
        | st.text(max_size=5)
        | st.binary(max_size=4),
        max_size=3,
    ),
)
def test_sprintf_of_anything_writes_something(layout: str, values: list[Any]) -> None:
    """Or is refused for its length; it is never anything else."""
    with contextlib.suppress(OttlError):
        assert len(sprintf(layout, values)) <= RESULT_LENGTH_MAX


def test_sprintf_is_bounded() -> None:
    """A width cannot make a text of any size."""
    with pytest.raises(OttlError, match="at most"):
        sprintf("%999999d" * 2, [1, 2])


def test_verbs_refuse_what_they_do_not_take() -> None:
    """The caller then writes Go's complaint."""
    assert format_int(1, "s", Flags()) is None
    assert format_float_verb(1.0, "d", Flags()) is None
    assert format_text("a", "d", Flags()) is None
    assert pad("a", Flags(width=3, minus=True)) == "a  "
    assert pad("a", Flags(width=3, zero=True)) == "00a"


def test_quoted_escapes_as_go_does() -> None:
    """Bytes that are no UTF-8 keep their value."""
    assert quoted('a"\n\x01é\udcff\u200b') == '"a\\"\\n\\x01é\\xff\\u200b"'
