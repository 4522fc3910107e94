"""
Numbers, JSON and durations as Go writes and reads them.

OTTL's text conversions are Go's: `1e+21`, sorted JSON keys, base64 for bytes, `1m30s`.
"""

import base64
import json
import math
import re
from typing import Any

from bridge.ottl.errors import OttlError, OttlTypeError
from bridge.ottl.values import Duration, Foreign, Numbers, Time, _Id, a_type

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


def format_float(value: float, *, exponent_from: float = 1e21, exponent_below: float = 1e-6) -> str:
    """The shortest digits of *value*; exponents only outside the given magnitudes."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    size = abs(value)
    if value == 0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    mantissa, _, exponent = f"{value!r}".lower().partition("e")
    if exponent_below <= size < exponent_from:
        if not exponent:
            return mantissa.removesuffix(".0")
        return _positional(value)
    return _scientific(value)


def shortest_digits(value: float) -> tuple[str, str, int]:
    """Sign, significant digits and the decimal exponent of the first one."""
    text = repr(abs(value)).lower()
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    shift = int(exponent or 0) + len(whole) - 1
    if whole.strip("0") == "":
        shift -= len(whole + fraction) - len((whole + fraction).lstrip("0"))
    return ("-" if value < 0 else ""), digits.rstrip("0") or "0", shift


def _scientific(value: float) -> str:
    sign, digits, exponent = shortest_digits(value)
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _positional(value: float) -> str:
    sign, digits, exponent = shortest_digits(value)
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    digits = digits.ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{digits[: exponent + 1]}{'.' + fraction if fraction else ''}"


def json_float(value: float, *, short: bool = True) -> str:
    """
    *value* as Go's JSON has it; *short* writes `1e-7` where the other library has `1e-07`.

    Raises:
        OttlTypeError: For infinities and NaN, which JSON cannot hold.
    """
    if not math.isfinite(value):
        raise OttlTypeError("infinity and NaN have no JSON text")
    text = format_float(value)
    return text.replace("e-0", "e-") if short and "e-0" in text else text


def to_json(value: Any, *, short: bool = True) -> str:
    """
    *value* as Go marshals it: no spaces, sorted keys, base64 for bytes, ``<>&`` escaped.

    Args:
        short:
            See `json_float`.

    Raises:
        OttlTypeError: For what JSON cannot hold.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return json_float(value, short=short)
    if isinstance(value, str):
        return _json_text(value)
    if isinstance(value, _Id):
        return "[" + ",".join(map(str, value)) + "]"
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode()}"'
    if isinstance(value, Numbers) and not value:
        return "null"
    if isinstance(value, list):
        return "[" + ",".join(to_json(inner, short=short) for inner in value) + "]"
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-8", "surrogateescape"))
        texts = (f"{_json_text(key)}:{to_json(inner, short=short)}" for key, inner in pairs)
        return "{" + ",".join(texts) + "}"
    if isinstance(value, Duration):
        return str(value.ns)
    if isinstance(value, Time):
        return f'"{format_rfc3339(value)}"'
    if isinstance(value, Foreign):
        # Go's JSON sees no fields in these.
        return "{}"
    raise OttlTypeError(f"{a_type(value)} has no text")


_JSON_ESCAPES = str.maketrans(
    {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
        "\x7f": "\x7f",
    }
)
_LONE = re.compile("[\ud800-\udfff]")


def _json_text(text: str) -> str:
    return json.dumps(_LONE.sub("\ufffd", text), ensure_ascii=False).translate(_JSON_ESCAPES)


def to_text(value: Any) -> str | None:
    """
    *value* where a function takes "something like a string": hex for bytes, JSON for the rest.

    Returns:
        `None` for nil.

    Raises:
        OttlTypeError: For what has no text.
    """
    if value is None or type(value) is str:
        return value
    if type(value) is bytes:
        return value.hex()
    return to_json(value, short=False)


def attribute_text(value: Any) -> str:
    """*value* as an attribute is shown: as `to_text`, but base64 for bytes, nothing for nil."""
    if value is None:
        return ""
    if isinstance(value, float) and not math.isfinite(value):
        return f"json: unsupported value: {format_float(value)}"
    if type(value) is bytes:
        return base64.b64encode(value).decode()
    return value if type(value) is str else to_json(value)


def format_rfc3339(moment: Time) -> str:
    """``2024-06-10T06:13:20.5Z`` in the moment's own zone."""
    from bridge.ottl.gotime import format_layout

    return format_layout(moment, "2006-01-02T15:04:05.999999999Z07:00")


_INTEGER = {
    2: re.compile(r"[01]+"),
    8: re.compile(r"[0-7]+"),
    10: re.compile(r"[0-9]+"),
    16: re.compile(r"[0-9a-fA-F]+"),
}


def parse_int(text: str, base: int = 10) -> int:
    """
    Read an int of 64 bits; base 0 takes prefixes and underscores.

    Raises:
        OttlError: If the text is none, or out of range.
    """
    if base != 0 and not 2 <= base <= 36:
        raise OttlError(f"parsing {text!r}: invalid base {base}")
    sign, digits = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if not digits or not digits.isascii() or not digits[:1].isalnum() or digits[-1:] == "_":
        raise OttlError(f"parsing {text!r}: invalid syntax")
    if base != 0 and not digits.isalnum():
        raise OttlError(f"parsing {text!r}: invalid syntax")
    try:
        value = sign * _int_of(digits, base)
    except ValueError:
        raise OttlError(f"parsing {text!r}: invalid syntax") from None
    if not _INT_MIN <= value <= _INT_MAX:
        raise OttlError(f"parsing {text!r}: value out of range")
    return value


def _int_of(digits: str, base: int) -> int:
    if base != 0:
        # Python alone would take a prefix such as 0x even when the base is given.
        if digits[:2].lower() in ("0x", "0b", "0o") and int(digits[1], 36) >= base:
            raise ValueError(digits)
        return int(digits, base)
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567_":
        return int("0o" + digits[1:], 0)
    return int(digits, 0)


_DIGITS = r"\d+(?:_\d+)*"
_FLOAT = re.compile(
    rf"[+-]?(?:(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?"
    r"|inf|infinity|nan)",
    re.IGNORECASE | re.ASCII,
)
_HEX_DIGITS = r"[\da-f]+(?:_[\da-f]+)*"
_HEX_FLOAT = re.compile(
    rf"[+-]?0x_?(?:{_HEX_DIGITS}(?:\.(?:{_HEX_DIGITS})?)?|\.{_HEX_DIGITS})p[+-]?{_DIGITS}",
    re.IGNORECASE | re.ASCII,
)


def parse_float(text: str) -> float:
    """
    Read a double; digits may be grouped by underscores.

    Raises:
        OttlError: If the text is none, or out of range.
    """
    digits = text.replace("_", "")
    if _HEX_FLOAT.fullmatch(text):
        try:
            return float.fromhex(digits)
        except OverflowError:
            raise OttlError(f"parsing {text!r}: value out of range") from None
    if not _FLOAT.fullmatch(text):
        raise OttlError(f"parsing {text!r}: invalid syntax")
    value = float(digits)
    if math.isinf(value) and "inf" not in text.lower():
        raise OttlError(f"parsing {text!r}: value out of range")
    return value


_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def parse_bool(text: str) -> bool:
    """
    Read a bool.

    Raises:
        OttlError: If the text is none of Go's spellings.
    """
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise OttlError(f"parsing {text!r}: invalid syntax")


_UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_DURATION_PART = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)


def parse_duration(text: str) -> Duration:
    """
    Read ``1m30s``.

    Raises:
        OttlError: If the text is none.
    """
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if rest == "0":
        return Duration(0)
    total, position = 0, 0
    while position < len(rest):
        part = _DURATION_PART.match(rest, position)
        if part is None or not (part[1] or part[2]):
            raise OttlError(f"invalid duration {text!r}")
        unit = _UNIT_NS[part[3]]
        total += int(part[1] or 0) * unit
        if part[2]:
            total += int(part[2]) * unit // 10 ** len(part[2])
        position = part.end()
    if not rest or total > _INT_MAX:
        raise OttlError(f"invalid duration {text!r}")
    return Duration(sign * total)


def format_duration(value: Duration) -> str:
    """``1m30.5s``, the way Go prints a duration."""
    ns = abs(value.ns)
    if ns == 0:
        return "0s"
    sign = "-" if value.ns < 0 else ""
    if ns < 1_000_000_000:
        for unit, scale in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if ns >= scale:
                return f"{sign}{_fraction(ns, scale)}{unit}"
    minutes, rest = divmod(ns, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_fraction(rest, 1_000_000_000)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _fraction(amount: int, scale: int) -> str:
    whole, part = divmod(amount, scale)
    if not part:
        return str(whole)
    return f"{whole}.{str(part).zfill(len(str(scale)) - 1).rstrip('0')}"
