"""Go's time layouts."""

from datetime import UTC

import pytest

from bridge.ottl.errors import OttlError
from bridge.ottl.gotime import elements, fixed_zone, format_layout, load_zone, to_datetime
from bridge.ottl.values import Time

NS = 1_709_212_455_012_300_000  # 2024-02-29 13:14:15.0123 UTC, a Thursday


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("2006-01-02T15:04:05Z07:00", "2024-02-29T13:14:15Z"),
        ("Monday, 2 January 06", "Thursday, 29 February 24"),
        ("Mon Jan _2 03:04PM", "Thu Feb 29 01:14PM"),
        ("3:4:5 pm", "1:14:15 pm"),
        ("002 __2", "060  60"),
        ("15:04:05.000", "13:14:15.012"),
        ("15:04:05.999999999", "13:14:15.0123"),
        ("MST -0700 -07:00:00 Z07", "UTC +0000 +00:00:00 Z"),
        ("Janitor _2006", "Janitor _2024"),
    ],
)
def test_layout_writes_a_moment(layout: str, text: str) -> None:
    """Each element as Go has it."""
    assert format_layout(Time(NS, UTC), layout) == text


def test_layout_writes_the_zone() -> None:
    """A nameless one by its offset."""
    east = Time(NS, fixed_zone(5400))

    assert format_layout(east, "15:04 MST -07:00 Z0700") == "14:44 +0130 +01:30 +0130"
    assert format_layout(Time(NS, load_zone("Europe/Berlin")), "15:04 MST") == "14:14 CET"


def test_elements_tell_literals_apart() -> None:
    """Everything else is text."""
    assert elements("on 2006!") == [("on ", False), ("2006", True), ("!", False)]


def test_zones_are_those_of_the_machine() -> None:
    """An unknown one fails."""
    assert load_zone("") is load_zone("UTC") is UTC
    with pytest.raises(OttlError, match="Mars"):
        load_zone("Mars/Olympus")
    with pytest.raises(OttlError):
        load_zone("../etc/passwd")


def test_moment_outside_of_the_calendar_fails() -> None:
    """Python's calendar ends with the year 9999; 64 bits of nanoseconds end before."""
    assert to_datetime(Time(2**63 - 1)).year == 2262
    assert to_datetime(Time(-(2**63))).year == 1677
    for ns in (10**30, -(10**20)):
        with pytest.raises(OttlError, match="years 1 to 9999"):
            to_datetime(Time(ns))
