"""Converters from one type to another."""

import math
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get
from bridge.ottl.functions.registry import function, need, several
from bridge.ottl.gotext import parse_int
from bridge.ottl.signature import Kind


@function("String", need("target", Kind.STRING_LIKE))
def string(target: Expression) -> Get:
    """The text of a value: hex for bytes, JSON for lists and maps; nil stays nil."""
    return target.get


@function("Int", need("target", Kind.INT_LIKE))
def integer(target: Expression) -> Get:
    """The value as an int; text that is none gives nil."""
    return target.get


@function("Double", need("target", Kind.FLOAT_LIKE))
def double(target: Expression) -> Get:
    """The value as a float; text that is none is an error."""
    return target.get


@function("Bool", need("target", Kind.BOOL_LIKE))
def boolean(target: Expression) -> Get:
    """The value as a bool; text that is none is an error."""
    return target.get


@function("Hex", need("target", Kind.BYTES_LIKE))
def hexadecimal(target: Expression) -> Get:
    """The hex digits of the value's bytes."""

    def get(cursor: Cursor) -> str:
        data = target.get(cursor)
        return "" if data is None else data.hex()

    return get


@function("Log", need("target", Kind.FLOAT_LIKE))
def logarithm(target: Expression) -> Get:
    """The natural logarithm."""

    def get(cursor: Cursor) -> float:
        value = target.get(cursor)
        if value is None or value <= 0:
            raise OttlError("a logarithm needs a number greater than zero")
        return math.log(value)

    return get


@function("ParseInt", need("target", Kind.STRING), need("base", Kind.INT))
def parse_integer(target: Expression, base: Expression) -> Get:
    """The int that a text is in a base from 2 to 36; base 0 reads prefixes."""

    def get(cursor: Cursor) -> int:
        text = target.get(cursor)
        radix = base.get(cursor)
        if not text:
            raise OttlError("the text is empty")
        if radix < 0:
            raise OttlError(f"base {radix} is negative")
        return parse_int(text, radix)

    return get


@function("Coalesce", several("values", Kind.VALUE))
def coalesce(values: list[Expression]) -> Get:
    """The first of several values that is not nil."""
    if not values:
        raise ValueError("at least one value is needed")
    reads = [value.get for value in values]

    def get(cursor: Cursor) -> Any:
        for read in reads:
            found = read(cursor)
            if found is not None:
                return found
        return None

    return get


@function(
    "ParseSeverity",
    need("target", Kind.VALUE),
    need("mapping", Kind.MAP),
)
def parse_severity(target: Expression, mapping: Expression) -> Get:
    """The level whose criteria (equals, range) a value meets."""
    problem, levels = _levels(mapping)

    def get(cursor: Cursor) -> str:
        if problem:
            raise OttlError(problem)
        value = target.get(cursor)
        if type(value) not in (str, int):
            raise OttlError("a severity is parsed from a string or an int")
        for level, criteria in levels.items():
            if any(_meets(value, criterion) for criterion in criteria):
                return level
        raise OttlError(f"no level matches {value!r}")

    return get


_PLACEHOLDERS = {f"{hundred}xx": (hundred * 100, hundred * 100 + 99) for hundred in range(2, 6)}


def _levels(mapping: Expression) -> tuple[str, dict[str, list[dict[str, Any]]]]:
    """The mapping checked; faults show when the first item comes, as in the Collector."""
    if not mapping.literal:
        return "the mapping must be a literal", {}
    levels: dict[str, list[dict[str, Any]]] = {}
    for level, criteria in mapping.value.items():
        if not isinstance(criteria, list):
            return "the criteria of a level must be a list", {}
        levels[level] = []
        for criterion in criteria:
            problem, checked = _criterion(criterion)
            if problem:
                return problem, {}
            levels[level].append(checked)
    return "", levels


def _criterion(criterion: Any) -> tuple[str, dict[str, Any]]:
    if not isinstance(criterion, dict):
        return "a criterion must be a map", {}
    equals = criterion.get("equals", [])
    if not isinstance(equals, list) or any(type(one) is not str for one in equals):
        return "equals must be a list of strings", {}
    bounds = criterion.get("range")
    if isinstance(bounds, str):
        if bounds not in _PLACEHOLDERS:
            return f"range {bounds!r} is none of {', '.join(_PLACEHOLDERS)}", {}
        return "", {"equals": equals, "range": _PLACEHOLDERS[bounds]}
    if isinstance(bounds, dict):
        low, high = bounds.get("min"), bounds.get("max")
        if type(low) is not int or type(high) is not int:
            return "a range needs min and max ints", {}
        return "", {"equals": equals, "range": (low, high)}
    if bounds is not None:
        return "range must be a map or a placeholder", {}
    return "", {"equals": equals, "range": None}


def _meets(value: Any, criterion: dict[str, Any]) -> bool:
    if type(value) is str:
        return value in criterion["equals"]
    bounds = criterion["range"]
    return bounds is not None and bounds[0] <= value <= bounds[1]
