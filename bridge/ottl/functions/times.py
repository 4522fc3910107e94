"""Times and durations."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get
from bridge.ottl.functions.registry import function, maybe, need
from bridge.ottl.gotext import parse_duration
from bridge.ottl.gotime import load_zone, local_zone, to_datetime
from bridge.ottl.signature import Kind
from bridge.ottl.strptime import TimeParser, check_format, format_time
from bridge.ottl.values import Duration, Time, wrap

_SECOND = 1_000_000_000
_NS_PER_DAY_OF_YEAR_ONE = -62135596800 * _SECOND
"""January 1 of year 1, from which `TruncateTime` counts."""


def _of(value: Expression, answer: Callable[[Any], Any]) -> Get:
    read = value.get
    return lambda cursor: answer(read(cursor))


@function("Now")
def now() -> Get:
    """The present time."""
    zone = local_zone()
    return lambda cursor: Time(time.time_ns(), zone)


@function(
    "Time",
    need("time", Kind.STRING),
    need("format", Kind.TEXT),
    maybe("location", Kind.TEXT),
    maybe("locale", Kind.TEXT),
)
def parse_time(
    time: Expression,
    format: str,
    location: str = "",
    locale: str | None = None,
) -> Get:
    """The time that a text names by strptime directives, in a zone and a language."""
    check_format(format)
    try:
        default = load_zone("UTC") if format.endswith("Z") else local_zone()
        zone = load_zone(location) if location else default
    except OttlError as error:
        raise ValueError(str(error)) from None
    parser = TimeParser(format, zone, locale)

    def get(cursor: Cursor) -> Time:
        text = time.get(cursor)
        if not text:
            raise OttlError("the time is empty")
        return parser.parse(text, datetime.now(tz=zone))

    return get


@function("FormatTime", need("time", Kind.TIME), need("format", Kind.TEXT))
def write_time(time: Expression, format: str) -> Get:
    """The time written by strptime directives."""
    check_format(format)
    return _of(time, lambda moment: format_time(moment, format))


@function("TruncateTime", need("time", Kind.TIME), need("duration", Kind.DURATION))
def truncate_time(time: Expression, duration: Expression) -> Get:
    """The time rounded down to a multiple of a duration."""

    def get(cursor: Cursor) -> Time:
        moment: Time = time.get(cursor)
        step = duration.get(cursor).ns
        if step <= 0:
            return moment
        return Time(moment.ns - (moment.ns - _NS_PER_DAY_OF_YEAR_ONE) % step, moment.zone)

    return get


@function("Unix", need("seconds", Kind.INT), maybe("nanoseconds", Kind.INT))
def unix(seconds: Expression, nanoseconds: Expression | None = None) -> Get:
    """The time so many seconds and nanoseconds after the Unix epoch."""
    zone = local_zone()

    def get(cursor: Cursor) -> Time:
        extra = 0 if nanoseconds is None else nanoseconds.get(cursor)
        return Time(seconds.get(cursor) * _SECOND + extra, zone)

    return get


@function("UnixNano", need("time", Kind.TIME))
def unix_nano(time: Expression) -> Get:
    """Nanoseconds since the Unix epoch."""
    return _of(time, lambda moment: wrap(moment.ns))


@function("UnixMicro", need("time", Kind.TIME))
def unix_micro(time: Expression) -> Get:
    """Microseconds since the Unix epoch."""
    return _of(time, lambda moment: moment.ns // 1_000)


@function("UnixMilli", need("time", Kind.TIME))
def unix_milli(time: Expression) -> Get:
    """Milliseconds since the Unix epoch."""
    return _of(time, lambda moment: moment.ns // 1_000_000)


@function("UnixSeconds", need("time", Kind.TIME))
def unix_seconds(time: Expression) -> Get:
    """Seconds since the Unix epoch."""
    return _of(time, lambda moment: moment.ns // _SECOND)


@function("Year", need("time", Kind.TIME))
def year(time: Expression) -> Get:
    """The year of a time."""
    return _of(time, lambda moment: to_datetime(moment).year)


@function("Month", need("time", Kind.TIME))
def month(time: Expression) -> Get:
    """The month of a time, from 1."""
    return _of(time, lambda moment: to_datetime(moment).month)


@function("Day", need("time", Kind.TIME))
def day(time: Expression) -> Get:
    """The day of the month of a time."""
    return _of(time, lambda moment: to_datetime(moment).day)


@function("Weekday", need("time", Kind.TIME))
def weekday(time: Expression) -> Get:
    """The day of the week of a time, Sunday is 0."""
    return _of(time, lambda moment: to_datetime(moment).isoweekday() % 7)


@function("Hour", need("time", Kind.TIME))
def hour(time: Expression) -> Get:
    """The hour of a time."""
    return _of(time, lambda moment: to_datetime(moment).hour)


@function("Minute", need("time", Kind.TIME))
def minute(time: Expression) -> Get:
    """The minute of a time."""
    return _of(time, lambda moment: to_datetime(moment).minute)


@function("Second", need("time", Kind.TIME))
def second(time: Expression) -> Get:
    """The second of a time."""
    return _of(time, lambda moment: to_datetime(moment).second)


@function("Nanosecond", need("time", Kind.TIME))
def nanosecond(time: Expression) -> Get:
    """The nanosecond within the second of a time."""
    return _of(time, lambda moment: moment.ns % _SECOND)


@function("Duration", need("duration", Kind.STRING))
def duration(duration: Expression) -> Get:
    """The duration that a text such as 1m30s names."""
    if duration.literal:
        try:
            fixed = parse_duration(duration.value)
        except OttlError:
            # The Collector finds out when the first item comes, so that error_mode decides.
            return _of(duration, parse_duration)
        return _fixed(fixed)
    return _of(duration, parse_duration)


def _fixed(value: Duration) -> Get:
    ns = value.ns

    def get(cursor: Cursor) -> Duration:
        return value

    get.duration_ns = lambda cursor: ns  # type: ignore[attr-defined]  # a hint for comparisons
    return get


def _cut(value: int, step: int) -> int:
    """*value* in whole steps, cut toward zero."""
    return value // step if value >= 0 else -(-value // step)


def _split(value: Duration, step: int) -> float:
    """A duration in steps as Go computes it: whole ones plus the rest."""
    whole = _cut(value.ns, step)
    return float(whole) + (value.ns - whole * step) / step


@function("Hours", need("duration", Kind.DURATION))
def hours(duration: Expression) -> Get:
    """A duration in hours, a float."""
    return _of(duration, lambda value: _split(value, 3600 * _SECOND))


@function("Minutes", need("duration", Kind.DURATION))
def minutes(duration: Expression) -> Get:
    """A duration in minutes, a float."""
    return _of(duration, lambda value: _split(value, 60 * _SECOND))


@function("Seconds", need("duration", Kind.DURATION))
def seconds(duration: Expression) -> Get:
    """A duration in seconds, a float."""
    return _of(duration, lambda value: _split(value, _SECOND))


@function("Milliseconds", need("duration", Kind.DURATION))
def milliseconds(duration: Expression) -> Get:
    """A duration in whole milliseconds."""
    return _of(duration, lambda value: _cut(value.ns, 1_000_000))


@function("Microseconds", need("duration", Kind.DURATION))
def microseconds(duration: Expression) -> Get:
    """A duration in whole microseconds."""
    return _of(duration, lambda value: _cut(value.ns, 1_000))


@function("Nanoseconds", need("duration", Kind.DURATION))
def nanoseconds(duration: Expression) -> Get:
    """A duration in nanoseconds."""
    return _of(duration, lambda value: value.ns)
