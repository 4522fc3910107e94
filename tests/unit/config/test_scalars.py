"""Unquoted scalars."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nuLL", "nuLL"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("12", 12),
        ("+12", 12),
        ("-12", -12),
        ("1_000", 1000),
        ("0x1F", 31),
        ("-0x1F", -31),
        ("0o17", 15),
        ("017", 15),
        ("-017", -15),
        ("089", 89.0),
        ("0b101", 5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("1.2.3", "1.2.3"),
        ("10s", "10s"),
        ("0x", "0x"),
        ("-", "-"),
        ("+", "+"),
        (".", "."),
        ("2024-01-02", "2024-01-02"),
        ("12:30:45", "12:30:45"),
        ("localhost:4317", "localhost:4317"),
        ("_1", "_1"),
        ("9" * 400, "9" * 400),
    ],
)
def test_resolve_plain_scalar_has_the_collectors_value(text: str, value: object) -> None:
    """YAML 1.2 as the Collector reads it: no yes, no dates, octals of both kinds."""
    found = resolve(text)

    assert value == found
    assert type(value) is type(found)


def test_resolve_nan_is_a_number() -> None:
    """The one value that does not equal itself."""

    assert math.isnan(resolve(".nan"))  # type: ignore[arg-type]  # a float, as the test shows


@given(st.integers())
def test_resolve_integer_is_read_back(number: int) -> None:
    """Every integer that Python writes is the same number in YAML."""

    assert number == resolve(str(number))


@given(st.text(max_size=400))
def test_resolve_any_text_has_a_value(text: str) -> None:
    """No text raises."""
    resolve(text)
