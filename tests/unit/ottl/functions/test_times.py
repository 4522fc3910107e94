"""Times and durations."""

from typing import Any

import pytest

from bridge.ottl import OttlError, OttlSyntaxError
from bridge.ottl.values import Duration, Time
from tests.unit.ottl.running import a_span, cursor_at, run, value_of

MOMENT = 'Time("2024-02-29T13:14:15Z", "%Y-%m-%dT%H:%M:%SZ")'
NS = 1_709_212_455_000_000_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"UnixNano({MOMENT})", NS),
        (f"UnixMicro({MOMENT})", NS // 1000),
        (f"UnixMilli({MOMENT})", NS // 1_000_000),
        (f"UnixSeconds({MOMENT})", NS // 1_000_000_000),
        (f"Year({MOMENT})", 2024),
        (f"Month({MOMENT})", 2),
        (f"Day({MOMENT})", 29),
        (f"Weekday({MOMENT})", 4),
        (f"Hour({MOMENT})", 13),
        (f"Minute({MOMENT})", 14),
        (f"Second({MOMENT})", 15),
        ("Nanosecond(Unix(1, 7))", 7),
        ("UnixNano(Unix(5))", 5_000_000_000),
        (f'FormatTime({MOMENT}, "%d.%m.%Y")', "29.02.2024"),
        (f'FormatTime(TruncateTime({MOMENT}, Duration("1h")), "%H:%M")', "13:00"),
        (f'UnixNano(TruncateTime({MOMENT}, Duration("0s")))', NS),
        ('Hours(Duration("90m"))', 1.5),
        ('Minutes(Duration("1h30s"))', 60.5),
        ('Seconds(Duration("1500ms"))', 1.5),
        ('Milliseconds(Duration("1.5s"))', 1500),
        ('Microseconds(Duration("1ms"))', 1000),
        ('Nanoseconds(Duration("-1us"))', -1000),
        ("UnixNano(start_time)", 5),
    ],
)
def test_converter_gives(text: str, value: Any) -> None:
    """A leap day, with its parts."""
    cursor = cursor_at(a_span(start_time_unix_nano=5))

    assert value_of(text, cursor) == value


def test_time_reads_a_zone_and_a_language() -> None:
    """The same wall clock elsewhere is another moment."""
    berlin = value_of('Time("1 März 2024 12:00", "%d %B %Y %H:%M", "Europe/Berlin", "de")')

    assert type(berlin) is Time
    assert berlin.ns == 1_709_290_800_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        'Time("", "%Y")',
        'Time("x", "%Y")',
        'Time("2024-13-01", "%Y-%m-%d")',
        'Duration("5 apples")',
        'Duration("")',
    ],
)
def test_text_that_is_no_time_fails(text: str) -> None:
    """On the item, also for a literal: the Collector finds out no earlier."""
    with pytest.raises(OttlError):
        value_of(text)


@pytest.mark.parametrize(
    "text",
    [
        'Time("x", "%Q")',
        'Time("2024", "%Y", "Mars/Olympus")',
        'Time("2024", "%Y", "UTC", "tlh")',
        'FormatTime(Now(), "%Q")',
    ],
)
def test_senseless_format_is_refused_at_start(text: str) -> None:
    """A directive, zone or language that nobody has."""
    with pytest.raises(OttlSyntaxError):
        value_of(text)


def test_now_goes_on() -> None:
    """It is asked for each item anew."""
    first, second = value_of("Now()"), value_of("Now()")

    assert 1_700_000_000_000_000_000 < first.ns <= second.ns


def test_duration_literal_is_the_same_object_each_time() -> None:
    """It is parsed at start."""
    assert value_of('Duration("200ms")') == Duration(200_000_000)


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("took_ns", [0, 199_999_999, 200_000_000, 200_000_001, -5, 2**63])
def test_comparison_of_a_span_with_a_duration(operator: str, took_ns: int) -> None:
    """The fast way by ints gives what the way by objects gives."""
    item = a_span(start_time_unix_nano=10**9, end_time_unix_nano=(10**9 + took_ns) % 2**64)
    fast, slow = cursor_at(item), cursor_at(item)
    run(
        fast,
        f'set(name, "yes") where end_time - start_time {operator} Duration("200ms")',
    )
    run(
        slow,
        'set(cache["d"], "200ms")',
        f'set(name, "yes") where end_time - (start_time) {operator} Duration(cache["d"])',
    )

    assert fast.item.message.name == slow.item.message.name
