"""Times by strptime directives, as the `Time` and `FormatTime` converters take them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from bridge.ottl import locales
from bridge.ottl.errors import OttlError
from bridge.ottl.gotime import fixed_zone, format_layout, load_zone
from bridge.ottl.values import Time

LAYOUTS: Mapping[str, str] = {
    "%Y": "2006",
    "%y": "06",
    "%m": "01",
    "%o": "_1",
    "%q": "1",
    "%b": "Jan",
    "%h": "Jan",
    "%B": "January",
    "%d": "02",
    "%e": "_2",
    "%g": "2",
    "%a": "Mon",
    "%A": "Monday",
    "%H": "15",
    "%l": "3",
    "%I": "03",
    "%p": "PM",
    "%P": "pm",
    "%M": "04",
    "%S": "05",
    "%L": "999",
    "%f": "999999",
    "%s": "999999999",
    "%Z": "MST",
    "%z": "Z0700",
    "%w": "-070000",
    "%i": "-07",
    "%j": "-07:00",
    "%k": "-07:00:00",
    "%D": "01/02/2006",
    "%x": "01/02/2006",
    "%F": "2006-01-02",
    "%T": "15:04:05",
    "%X": "15:04:05",
    "%r": "03:04:05 pm",
    "%R": "15:04",
    "%n": "\n",
    "%t": "\t",
    "%%": "%",
    "%c": "Mon Jan 02 15:04:05 2006",
}
"""Each directive as an element of a Go layout; `FormatTime` writes these."""

_DIRECTIVE = re.compile(r"%.", re.DOTALL)
_LOOSE_FRACTION = re.compile(r"[^.,]%[Lfs]", re.DOTALL)
_EXPANDED = {
    "%F": "%Y-%m-%d",
    "%T": "%H:%M:%S",
    "%X": "%H:%M:%S",
    "%r": "%I:%M:%S %P",
    "%R": "%H:%M",
    "%c": "%a %b %d %H:%M:%S %Y",
}


def check_format(layout: str) -> None:
    """
    Check a format once, at start.

    Raises:
        ValueError: If it holds a digit, an unknown directive, or a fraction without a point.
    """
    if not layout:
        raise ValueError("the time format is empty")
    if re.search(r"\d", layout):
        raise ValueError("a time format may not contain digits")
    loose = _LOOSE_FRACTION.search(layout)
    if loose:
        raise ValueError(f"{loose[0][-2:]} must follow a '.' or ','")
    for directive in _DIRECTIVE.findall(layout):
        if directive not in LAYOUTS:
            raise ValueError(f"{directive} is no directive of a time format")


def format_time(moment: Time, layout: str) -> str:
    """*moment* by strptime directives."""
    return format_layout(moment, _DIRECTIVE.sub(lambda match: LAYOUTS[match[0]], layout))


@dataclass(slots=True)
class _Reading:
    """What was read so far."""

    text: str
    at: int = 0
    year: int = 0
    month: int = 1
    day: int = 1
    hour: int = 0
    minute: int = 0
    second: int = 0
    fraction_ns: int = 0
    afternoon: bool | None = None
    zone_name: str = ""
    offset_s: int | None = None
    names: locales.Names = field(default=locales.ENGLISH)

    def fail(self, directive: str) -> OttlError:
        rest = self.text[self.at :]
        return OttlError(f"cannot read time {self.text!r}: {rest!r} does not match {directive}")

    def number(self, directive: str, most: int, low: int, high: int, *, exact: bool = False) -> int:
        """One to *most* digits (or just that many), blanks before them skipped."""
        start = self.at
        while start < len(self.text) and self.text[start].isspace():
            start += 1
        stop = start
        while stop < len(self.text) and stop - start < most and self.text[stop] in "0123456789":
            stop += 1
        if stop == start or (exact and stop - start < most):
            raise self.fail(directive)
        value = int(self.text[start:stop])
        if not low <= value <= high:
            raise OttlError(f"cannot read time {self.text!r}: {directive} is out of range")
        self.at = stop
        return value

    def name(self, directive: str, names: tuple[str, ...]) -> int:
        """The index of the longest of *names* that comes next, whatever its case."""
        rest = self.text[self.at :].lower()
        found = [name for name in names if rest.startswith(name.lower())]
        if not found:
            raise self.fail(directive)
        longest = max(found, key=len)
        self.at += len(longest)
        return names.index(longest)


class TimeParser:
    """
    Reads times of one format.

    Args:
        layout:
            Strptime directives, checked before.
        zone:
            The zone of times that name none.
        locale:
            The language of month and weekday names.
    """

    def __init__(self, layout: str, zone: tzinfo, locale: str | None = None) -> None:
        self._zone = zone
        self._names = locales.names(locale) if locale else locales.ENGLISH
        self._steps = [_DIRECTIVE_OR_TEXT.findall(one) for one in _expand(layout)]

    def parse(self, text: str, now: datetime) -> Time:
        """
        The moment that *text* names; *now* gives the year if it has none.

        Raises:
            OttlError: If the text does not match the format.
        """
        failure: OttlError | None = None
        for steps in self._steps:
            reading = _Reading(text, names=self._names)
            try:
                _read(reading, steps)
                return self._moment(reading, now)
            except OttlError as error:
                failure = failure or error
        raise failure or OttlError("the time format is empty")

    def _moment(self, reading: _Reading, now: datetime) -> Time:
        zone = self._zone
        if reading.offset_s is not None:
            zone = fixed_zone(reading.offset_s)
        elif reading.zone_name == "UTC" or reading.zone_name[3:4] in ("+", "-"):
            zone = UTC
        hour = reading.hour
        if reading.afternoon is not None:
            hour = hour % 12 + (12 if reading.afternoon else 0)
        try:
            when = datetime(
                reading.year or 4,
                reading.month,
                reading.day,
                hour,
                reading.minute,
                reading.second,
                tzinfo=zone,
            )
            if not reading.year:
                when = _with_year(when, now)
            if reading.zone_name and reading.offset_s is None:
                when = _in_named_zone(when, reading.zone_name)
        except ValueError as error:
            raise OttlError(f"cannot read time {reading.text!r}: {error}") from error
        seconds = (when - _EPOCH) // timedelta(seconds=1)
        return Time(seconds * 1_000_000_000 + reading.fraction_ns, when.tzinfo or UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIRECTIVE_OR_TEXT = re.compile(r"[.,]%[Lfs]|%.|[^%]", re.DOTALL)


def _expand(layout: str) -> list[str]:
    """The formats without the directives that stand for several; %D reads long and short years."""
    for directive, expanded in _EXPANDED.items():
        layout = layout.replace(directive, expanded)
    if "%D" in layout or "%x" in layout:
        return [re.sub("%[Dx]", "%m/%d/" + year, layout) for year in ("%Y", "%y")]
    return [layout]


def _in_named_zone(when: datetime, name: str) -> datetime:
    """*when* in the zone that the text names; `GMT+3` only changes how it is shown."""
    if name[3:4] in ("+", "-"):
        return when.astimezone(fixed_zone(int(name[3:]) * 3600))
    return when if when.tzname() == name else when.replace(tzinfo=load_zone(name))


def _with_year(when: datetime, now: datetime) -> datetime:
    """The year of *now*, or the one before if that lies more than a week ahead."""
    dated = when.replace(year=now.year)
    return dated.replace(year=now.year - 1) if dated > now + timedelta(days=7) else dated


def _read(reading: _Reading, steps: list[str]) -> None:
    for index, step in enumerate(steps):
        reader = _READERS.get(step)
        if reader is not None:
            reader(reading)
        elif _is_fraction(step):
            _read_fraction(reading, 9)
        else:
            _skip(reading, "%" if step == "%%" else {"%n": "\n", "%t": "\t"}.get(step, step))
        if step == "%S" and not (index + 1 < len(steps) and _is_fraction(steps[index + 1])):
            _read_fraction(reading, 9)
    if reading.at < len(reading.text):
        raise OttlError(
            f"cannot read time {reading.text!r}: {reading.text[reading.at :]!r} is left"
        )


def _is_fraction(step: str) -> bool:
    return len(step) > 1 and step[0] in ".,"


def _skip(reading: _Reading, literal: str) -> None:
    text = reading.text
    if literal == " ":
        if reading.at < len(text) and text[reading.at] != " ":
            raise reading.fail("a blank")
        while reading.at < len(text) and text[reading.at] == " ":
            reading.at += 1
        return
    if not text.startswith(literal, reading.at):
        raise reading.fail(repr(literal))
    reading.at += len(literal)


def _read_fraction(reading: _Reading, most: int) -> None:
    match = re.compile(r"[.,](\d+)", re.ASCII).match(reading.text, reading.at)
    if match:
        reading.fraction_ns = int(match[1][:most].ljust(9, "0"))
        reading.at = match.end()


def _set(
    name: str, directive: str, most: int, low: int, high: int, *, exact: bool = False
) -> "_Reader":
    def read(reading: _Reading) -> None:
        setattr(reading, name, reading.number(directive, most, low, high, exact=exact))

    return read


def _short_year(reading: _Reading) -> None:
    value = reading.number("%y", 2, 0, 99, exact=True)
    reading.year = value + (1900 if value >= 69 else 2000)


def _month_name(short: bool) -> "_Reader":
    def read(reading: _Reading) -> None:
        names = reading.names.short_months if short else reading.names.months
        reading.month = reading.name("%b" if short else "%B", names) + 1

    return read


def _weekday_name(short: bool) -> "_Reader":
    def read(reading: _Reading) -> None:
        names = reading.names.short_weekdays if short else reading.names.weekdays
        reading.name("%a" if short else "%A", names)

    return read


def _half_day(upper: bool) -> "_Reader":
    def read(reading: _Reading) -> None:
        word = reading.text[reading.at : reading.at + 2]
        if word not in (("AM", "PM") if upper else ("am", "pm")):
            raise reading.fail("%p" if upper else "%P")
        reading.afternoon = word in ("PM", "pm")
        reading.at += 2

    return read


def _offset(directive: str, *patterns: str) -> "_Reader":
    compiled = [re.compile(pattern, re.ASCII) for pattern in patterns]

    def read(reading: _Reading) -> None:
        for pattern in compiled:
            match = pattern.match(reading.text, reading.at)
            if match:
                reading.at = match.end()
                reading.offset_s = _offset_s(match)
                return
        raise reading.fail(directive)

    return read


def _offset_s(match: re.Match[str]) -> int:
    if match[0] == "Z":
        return 0
    sign, *parts = match.groups()
    hours, minutes, seconds = (int(part) if part else 0 for part in [*parts, None, None][:3])
    if hours > 24 or minutes > 60 or seconds > 60:
        raise OttlError(f"{match[0]!r} is no offset")
    return (-1 if sign == "-" else 1) * (hours * 3600 + minutes * 60 + seconds)


def _zone(reading: _Reading) -> None:
    match = re.compile(r"UTC|GMT(?:[+-]\d{1,2})?|[A-Z]{3,4}(?![A-Z])|[+-]\d\d").match(
        reading.text, reading.at
    )
    if not match:
        raise reading.fail("%Z")
    reading.zone_name = match[0]
    reading.at = match.end()


_Reader = Callable[[_Reading], None]
_DAY = _set("day", "%d", 2, 1, 31)
_MONTH = _set("month", "%m", 2, 1, 12)

_READERS: dict[str, _Reader] = {
    "%Y": _set("year", "%Y", 4, 0, 9999, exact=True),
    "%y": _short_year,
    "%m": _MONTH,
    "%o": _MONTH,
    "%q": _MONTH,
    "%b": _month_name(short=True),
    "%h": _month_name(short=True),
    "%B": _month_name(short=False),
    "%d": _DAY,
    "%e": _DAY,
    "%g": _DAY,
    "%a": _weekday_name(short=True),
    "%A": _weekday_name(short=False),
    "%H": _set("hour", "%H", 2, 0, 23),
    "%I": _set("hour", "%I", 2, 0, 12),
    "%l": _set("hour", "%l", 2, 0, 12),
    "%p": _half_day(upper=True),
    "%P": _half_day(upper=False),
    "%M": _set("minute", "%M", 2, 0, 59),
    "%S": _set("second", "%S", 2, 0, 59),
    "%Z": _zone,
    "%z": _offset("%z", r"Z", r"([+-])(\d\d):?(\d\d)(?!\d)", r"([+-])(\d\d)(?![\d:])"),
    "%w": _offset("%w", r"([+-])(\d\d)(\d\d)(\d\d)"),
    "%i": _offset("%i", r"([+-])(\d\d)"),
    "%j": _offset("%j", r"([+-])(\d\d):(\d\d)"),
    "%k": _offset("%k", r"([+-])(\d\d):(\d\d):(\d\d)"),
}
