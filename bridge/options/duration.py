"""Durations in Go's spelling, as the Collector's YAML has them."""

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration_s(value: object) -> float:
    """
    Read ``1m30s``, ``250ms``, ``-1s`` or ``0`` and give seconds.

    Raises:
        ValueError: If a number has no unit (Go refuses that too), or the text is no duration.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("expected a duration such as 10s, 250ms or 1m30s")  # noqa: TRY004 - pydantic wants ValueError
    if isinstance(value, int | float):
        if value == 0:
            return 0.0
        raise ValueError(f"a duration needs a unit: did you mean {value}s or {value}ms?")
    text = value.strip()
    sign, digits = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if digits == "0":
        return 0.0
    total_s, position = 0.0, 0
    for part in _PART.finditer(digits):
        if part.start() != position:
            break
        total_s += float(part[1]) * _UNITS_S[part[2]]
        position = part.end()
    if position != len(digits) or not digits:
        raise ValueError(f"{text!r} is no duration: write for example 10s, 250ms or 1m30s")
    return sign * total_s


def format_duration(seconds: float) -> str:
    """The shortest Go spelling of *seconds*."""
    if seconds == 0:
        return "0s"
    for unit, scale in (("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        count = seconds / scale
        if abs(count) >= 1 and abs(count - round(count)) < 1e-9:
            return f"{round(count)}{unit}"
    return f"{seconds:g}s"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    PlainSerializer(format_duration, return_type=str, when_used="always"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+)$",
            "examples": ["10s", "250ms", "1m30s"],
        }
    ),
]
"""Seconds as a float. YAML must give a unit; defaults in code are floats of seconds."""
