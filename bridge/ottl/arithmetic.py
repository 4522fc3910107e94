"""Arithmetic: ints wrap at 64 bits, a float makes floats, times and durations add up."""

from collections.abc import Callable
from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression
from bridge.ottl.values import Duration, Time, a_type, wrap

_NS_MIN, _NS_MAX = -(2**63), 2**63 - 1


def calculate(operator: str, left: Expression, right: Expression) -> Expression:
    """
    ``left operator right``.

    The result fails for an item with an `OttlError` on types that do not go together, and on a
    division by zero.
    """
    read_left, read_right, apply = left.get, right.get, _OPERATORS[operator]

    def get(cursor: Cursor) -> Any:
        return apply(read_left(cursor), read_right(cursor))

    made = Expression(get)
    from_ns, to_ns = right.moment_ns, left.moment_ns
    if operator == "-" and from_ns is not None and to_ns is not None:
        begin, end = from_ns, to_ns
        made.duration_ns = lambda cursor: _clamped(end(cursor) - begin(cursor))
    return made


def negate(value: Expression) -> Expression:
    """``-value``; a literal stays one."""
    if value.literal and type(value.value) in (int, float):
        return Expression.constant(-value.value)
    read = value.get

    def get(cursor: Cursor) -> Any:
        number = read(cursor)
        if type(number) is int:
            return wrap(-number)
        if type(number) is float:
            return -number
        raise OttlError(f"{a_type(number)} has no negative")

    return Expression(get)


def _numeric(
    name: str,
    ints: Callable[[int, int], int],
    floats: Callable[[float, float], float],
    others: Callable[[Any, Any], Any],
) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        kind, other = type(left), type(right)
        if kind is int:
            if other is int:
                return wrap(ints(left, right))
            if other is float:
                return floats(float(left), right)
        elif kind is float:
            if other is float or other is int:
                return floats(left, float(right))
        elif kind is Time or kind is Duration:
            return others(left, right)
        raise OttlError(f"{name} does not take {a_type(left)} and {a_type(right)}")

    return apply


def _divide_ints(left: int, right: int) -> int:
    if right == 0:
        raise OttlError("attempted to divide by 0")
    # Go cuts toward zero where Python rounds down.
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _divide_floats(left: float, right: float) -> float:
    if right == 0:
        raise OttlError("attempted to divide by 0")
    return left / right


def _add_times(left: Any, right: Any) -> Any:
    if isinstance(right, Duration):
        if isinstance(left, Time):
            return Time(left.ns + right.ns, left.zone)
        return Duration(wrap(left.ns + right.ns))
    if isinstance(right, Time) and isinstance(left, Duration):
        return Time(left.ns + right.ns, right.zone)
    raise OttlError(f"{a_type(right)} cannot be added to {a_type(left)}")


def _subtract_times(left: Any, right: Any) -> Any:
    if isinstance(right, Duration):
        if isinstance(left, Time):
            return Time(left.ns - right.ns, left.zone)
        return Duration(wrap(left.ns - right.ns))
    if isinstance(right, Time) and isinstance(left, Time):
        return Duration(_clamped(left.ns - right.ns))
    raise OttlError(f"{a_type(right)} cannot be subtracted from {a_type(left)}")


def _clamped(ns: int) -> int:
    """Go keeps a difference that does not fit at the end of its range."""
    return ns if _NS_MIN <= ns <= _NS_MAX else max(_NS_MIN, min(_NS_MAX, ns))


def _no_times(left: Any, right: Any) -> Any:
    raise OttlError("times and durations can be added and subtracted only")


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": _numeric("+", int.__add__, float.__add__, _add_times),
    "-": _numeric("-", int.__sub__, float.__sub__, _subtract_times),
    "*": _numeric("*", int.__mul__, float.__mul__, _no_times),
    "/": _numeric("/", _divide_ints, _divide_floats, _no_times),
}
