"""Durations in Go's spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.options import Duration, Options
from bridge.options.duration import format_duration, parse_duration_s


class Section(Options):
    """A section with one duration."""

    wait: Duration = 1.5
    """How long to wait."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10s", 10), ("250ms", 0.25), ("1m30s", 90), ("1.5h", 5400), ("-2s", -2), ("0", 0), (0, 0)],
)
def test_duration_reads_go_spelling(text: object, expected: float) -> None:
    """Every unit counts, parts add up, and only zero may stand alone."""

    assert expected == pytest.approx(parse_duration_s(text))


@pytest.mark.parametrize("value", ["", "5", 5, 1.5, "s", "1x", "1s2", True, None, [], "1 s"])
def test_duration_without_unit_is_refused(value: object) -> None:
    """A number without a unit is a mistake, as in the Collector."""
    with pytest.raises(ValidationError):
        Section.model_validate({"wait": value})


def test_duration_default_is_seconds() -> None:
    """A default in code is a float of seconds."""

    assert Section().wait == 1.5
    assert Section.model_validate({"wait": "2m"}).wait == 120


@given(st.integers(min_value=0, max_value=10**7))
def test_duration_format_round_trips(milliseconds: int) -> None:
    """What is written is read back as the same time."""

    assert parse_duration_s(format_duration(milliseconds / 1000)) == pytest.approx(
        milliseconds / 1000, rel=1e-5
    )


def test_options_hide_a_failing_value() -> None:
    """A value that fails is not printed: it may be a secret."""
    with pytest.raises(ValidationError) as caught:
        Section.model_validate({"wait": "hunter2"})

    assert "input_value" not in str(caught.value)
