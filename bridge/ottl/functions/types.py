"""Converters that ask for the type of a value."""

from collections.abc import Callable
from typing import Any

from bridge.ottl.expressions import Cursor, Expression, Get
from bridge.ottl.functions.registry import function, need
from bridge.ottl.signature import Kind
from bridge.ottl.values import Counts, Foreign, type_name


def _is(expression: Expression, wanted: type, name: str) -> Get:
    """
    Whether the value is of a type.

    A literal of another type is refused at start: the Collector cannot make a getter of it.
    """
    if expression.literal and type(expression.value) is not wanted:
        raise ValueError(f"expected {name} but got {type_name(expression.value)}")
    read = expression.get
    return lambda cursor: type(read(cursor)) is wanted


@function("IsString", need("target", Kind.VALUE))
def is_string(target: Expression) -> Get:
    """Whether the value is a string."""
    return _is(target, str, "string")


@function("IsInt", need("target", Kind.VALUE))
def is_int(target: Expression) -> Get:
    """Whether the value is an int."""
    return _is(target, int, "int64")


@function("IsDouble", need("target", Kind.VALUE))
def is_double(target: Expression) -> Get:
    """Whether the value is a float."""
    return _is(target, float, "float64")


@function("IsBool", need("target", Kind.VALUE))
def is_bool(target: Expression) -> Get:
    """Whether the value is a bool."""
    return _is(target, bool, "bool")


@function("IsMap", need("target", Kind.VALUE))
def is_map(target: Expression) -> Get:
    """Whether the value is a map."""
    return _is(target, dict, "map")


@function("IsList", need("target", Kind.VALUE))
def is_list(target: Expression) -> Get:
    """Whether the value is a list."""
    return _of_value(target, _is_list)


def _is_list(value: Any) -> bool:
    if type(value) is Counts:
        return False
    return isinstance(value, list) or (isinstance(value, Foreign) and value.is_list)


def _of_value(target: Expression, answer: Callable[[Any], Any]) -> Get:
    read = target.get

    def get(cursor: Cursor) -> Any:
        return answer(read(cursor))

    return get
