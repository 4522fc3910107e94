"""
Go's time layouts: writing a moment, and reading one with all the leniency that `Time` asks for.

OTTL spells layouts with strptime directives; `strptime.py` turns those into these.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.ottl.errors import OttlError
from bridge.ottl.values import Time

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

# What Go takes for an element of a layout, longest first.
_ELEMENT = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|"
    r"Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07|"
    r"002|01|02|03|04|05|06|__2|_2006|_2|15|PM|pm|"
    r"[.,](?:0+|9+)(?!\d)|1|2|3|4|5"
)


def elements(layout: str) -> list[tuple[str, bool]]:
    """The pieces of *layout*: text and whether it is an element rather than literal."""
    pieces: list[tuple[str, bool]] = []
    position = 0
    for match in _ELEMENT.finditer(layout):
        element, start = match[0], match.start()
        # `Jan` in `Janitor` is no month; `_2006` is an underscore before a year.
        follows = layout[match.end() : match.end() + 1]
        if element in ("Jan", "Mon") and follows.islower():
            continue
        if start > position:
            pieces.append((layout[position:start], False))
        if element == "_2006":
            pieces.extend([("_", False), ("2006", True)])
        else:
            pieces.append((element, True))
        position = match.end()
    if position < len(layout):
        pieces.append((layout[position:], False))
    return pieces


def to_datetime(moment: Time) -> datetime:
    """
    The moment in its zone, cut to seconds.

    Raises:
        OttlError: If the year is outside of 1 to 9999.
    """
    try:
        return datetime.fromtimestamp(moment.ns // 1_000_000_000, tz=UTC).astimezone(moment.zone)
    except (OverflowError, ValueError, OSError) as error:
        raise OttlError("the time is outside of the years 1 to 9999") from error


def format_layout(moment: Time, layout: str) -> str:
    """*moment* in Go's *layout*."""
    when = to_datetime(moment)
    fraction = moment.ns % 1_000_000_000
    return "".join(
        _write(piece, when, fraction) if is_element else piece
        for piece, is_element in elements(layout)
    )


def _write(element: str, when: datetime, fraction: int) -> str:
    hour12 = when.hour % 12 or 12
    simple = {
        "2006": f"{when.year:04d}",
        "06": f"{when.year % 100:02d}",
        "January": MONTHS[when.month - 1],
        "Jan": MONTHS[when.month - 1][:3],
        "01": f"{when.month:02d}",
        "1": str(when.month),
        "Monday": WEEKDAYS[when.weekday()],
        "Mon": WEEKDAYS[when.weekday()][:3],
        "02": f"{when.day:02d}",
        "2": str(when.day),
        "_2": f"{when.day:2d}",
        "002": f"{when.timetuple().tm_yday:03d}",
        "__2": f"{when.timetuple().tm_yday:3d}",
        "15": f"{when.hour:02d}",
        "03": f"{hour12:02d}",
        "3": str(hour12),
        "04": f"{when.minute:02d}",
        "4": str(when.minute),
        "05": f"{when.second:02d}",
        "5": str(when.second),
        "PM": "PM" if when.hour >= 12 else "AM",
        "pm": "pm" if when.hour >= 12 else "am",
    }
    if element in simple:
        return simple[element]
    if element == "MST":
        return zone_name(when)
    if element[0] in ".,":
        return _write_fraction(element, fraction)
    return _write_offset(element, int((when.utcoffset() or timedelta()).total_seconds()))


def zone_name(when: datetime) -> str:
    """The abbreviation of the zone, or its offset as Go prints nameless zones."""
    name = when.tzname() or ""
    if not name or (name.startswith("UTC") and name != "UTC"):
        return _write_offset("-0700", int((when.utcoffset() or timedelta()).total_seconds()))
    return name


def _write_fraction(element: str, fraction: int) -> str:
    digits = f"{fraction:09d}"[: len(element) - 1]
    if element[1] == "9":
        digits = digits.rstrip("0")
        return element[0] + digits if digits else ""
    return element[0] + digits


def _write_offset(element: str, seconds: int) -> str:
    if element[0] == "Z" and seconds == 0:
        return "Z"
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    shape = element[1:]
    colon = ":" if ":" in shape else ""
    text = f"{sign}{hours:02d}"
    if len(shape.replace(":", "")) > 2:
        text += f"{colon}{minutes:02d}"
    if len(shape.replace(":", "")) > 4:
        text += f"{colon}{left:02d}"
    return text


@lru_cache(maxsize=256)
def load_zone(name: str) -> tzinfo:
    """
    The zone with an IANA name.

    Raises:
        OttlError: If nobody knows it.
    """
    if name in ("", "UTC"):
        return UTC
    if name == "Local":
        return local_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise OttlError(f"unknown time zone {name}") from error


def local_zone() -> tzinfo:
    """The zone of the machine."""
    zone = datetime.now().astimezone().tzinfo
    return UTC if zone is None or zone.utcoffset(None) == timedelta() else zone


def fixed_zone(seconds: int) -> tzinfo:
    """A zone that is always *seconds* east of UTC."""
    return timezone(timedelta(seconds=seconds)) if seconds else UTC
