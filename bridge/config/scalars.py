"""
What an unquoted YAML scalar means, by the rules of the Collector's YAML library.

They are YAML 1.2's with two older habits kept: ``0777`` is octal and digits may be grouped with
underscores. ``yes``, ``no``, ``on`` and ``off`` are text. Dates stay text too, since nothing in a
configuration is a date.
"""

import re

from bridge.config.nodes import Scalar

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(
    ("false", "False", "FALSE"), False
)
_SPECIAL = {
    ".nan": float("nan"),
    ".NaN": float("nan"),
    ".NAN": float("nan"),
} | {
    f"{sign}{word}": float(f"{sign}inf")
    for sign in ("", "+", "-")
    for word in (".inf", ".Inf", ".INF")
}
_INTEGER = re.compile(r"[-+]?(0[bB][01]+|0[oO][0-7]+|0[xX][0-9a-fA-F]+|[0-9]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASES = {"0b": 2, "0o": 8, "0x": 16}
_DIGITS_MAX = 300
"""Longer than any number that means something; also keeps `int` from refusing by an exception."""


def resolve(text: str) -> Scalar:
    """The value of the plain scalar *text*."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _SPECIAL:
        return _SPECIAL[text]
    if text[0] not in "+-.0123456789" or len(text) > _DIGITS_MAX:
        return text
    return _number(text)


def _number(text: str) -> Scalar:
    digits = text.replace("_", "") if text[0] != "_" else text
    if _INTEGER.fullmatch(digits):
        sign, magnitude = (digits[0], digits[1:]) if digits[0] in "+-" else ("", digits)
        base = _BASES.get(magnitude[:2].lower())
        if base is not None:
            return int(sign + magnitude[2:], base)
        is_octal = len(magnitude) > 1 and magnitude[0] == "0"
        if is_octal and all(digit in "01234567" for digit in magnitude):
            return int(digits, 8)
        if not is_octal:
            return int(digits)
    return float(digits) if _FLOAT.fullmatch(digits) else text
