"""Times by strptime directives."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ottl.errors import OttlError
from bridge.ottl.strptime import LAYOUTS, TimeParser, check_format, format_time
from bridge.ottl.values import Time

NOW = datetime(2024, 6, 15, tzinfo=UTC)


def read(text: str, layout: str, locale: str | None = None) -> int:
    """The moment in nanoseconds."""
    check_format(layout)
    return TimeParser(layout, UTC, locale).parse(text, NOW).ns


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001 - made aware below
def test_time_survives_its_text(when: datetime) -> None:
    """Written and read by the same directives, to the microsecond."""
    aware = when.replace(tzinfo=UTC)
    ns = int(aware.timestamp()) * 10**9 + aware.microsecond * 1000
    layout = "%Y-%m-%d %H:%M:%S.%f"
    text = format_time(Time(ns), layout)

    assert abs(read(text, layout) - ns) < 1000


@pytest.mark.parametrize(
    ("text", "layout", "iso"),
    [
        ("2024-02-29", "%F", "2024-02-29T00:00:00+00:00"),
        ("29 Feb 24", "%d %b %y", "2024-02-29T00:00:00+00:00"),
        ("1:02:03 pm 2024", "%I:%M:%S %P %Y", "2024-01-01T13:02:03+00:00"),
        ("12 AM 2024", "%I %p %Y", "2024-01-01T00:00:00+00:00"),
        ("Thursday, February 29, 2024", "%A, %B %e, %Y", "2024-02-29T00:00:00+00:00"),
        ("2024-02-29T10:00:00+02:00", "%Y-%m-%dT%H:%M:%S%j", "2024-02-29T08:00:00+00:00"),
        ("2024-02-29T10:00:00Z", "%Y-%m-%dT%H:%M:%S%z", "2024-02-29T10:00:00+00:00"),
    ],
)
def test_directives_read(text: str, layout: str, iso: str) -> None:
    """Names in any case, zones as offsets."""
    assert read(text, layout) == int(datetime.fromisoformat(iso).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("", "%Y"),
        ("20x4", "%Y"),
        ("2024-13-01", "%F"),
        ("2023-02-29", "%F"),
        ("25:00 2024", "%H:%M %Y"),
        ("Febtober 2024", "%B %Y"),
        ("2024 more", "%Y"),
        ("2024", "%Y more"),
    ],
)
def test_text_that_does_not_fit_fails(text: str, layout: str) -> None:
    """It says what it waited for."""
    with pytest.raises(OttlError, match=r"cannot read|time"):
        read(text, layout)


@pytest.mark.parametrize("layout", ["", "%Q", "2024", "%S%L", "%"])
def test_senseless_format_is_refused(layout: str) -> None:
    """At start; a lone percent sign is text."""
    if layout == "%":
        check_format(layout)
        return
    with pytest.raises(ValueError, match=r"format|directive|must follow"):
        check_format(layout)


def test_every_directive_can_be_written() -> None:
    """Whatever it is, a format with it gives a text."""
    for directive in LAYOUTS:
        assert format_time(Time(1_709_212_455_123_456_789), "." + directive) != ""


@given(st.text(max_size=12), st.sampled_from(sorted(set(LAYOUTS) - {"%c", "%x", "%D"})))
def test_any_text_is_read_or_fails(text: str, directive: str) -> None:
    """With an OTTL error and nothing else."""
    with contextlib.suppress(OttlError):
        TimeParser("." + directive, UTC).parse("." + text, NOW)
