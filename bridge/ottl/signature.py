"""
What a function takes: parameters with kinds, and how a value becomes one of a kind.

A getter kind (`STRING`, `MAP`, ...) takes any expression and checks what it gives for each item, or
at start if it is a literal. A raw kind (`TEXT`, `NUMBER`, ...) takes a literal, a place a path.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bridge.ottl import native
from bridge.ottl.errors import OttlError, OttlSyntaxError, OttlTypeError
from bridge.ottl.expressions import Expression, Get
from bridge.ottl.gotext import parse_bool, parse_float, parse_int, to_text
from bridge.ottl.values import AnyList, Duration, Time, a_type, check_raw, type_name


class Kind(Enum):
    """How a parameter takes its argument; the value is what messages and the reference call it."""

    VALUE = "any value"
    STRING = "string"
    STRING_LIKE = "anything with a text"
    INT = "int"
    INT_LIKE = "int, float, bool or text of an int"
    FLOAT = "float"
    FLOAT_LIKE = "number, bool or text of a number"
    BOOL_LIKE = "bool, number or text of a bool"
    BYTES_LIKE = "bytes, string, number or bool"
    MAP = "map"
    LIST = "list"
    TIME = "time"
    DURATION = "duration"
    PLACE = "path"
    MAP_PLACE = "path of a map"
    LIST_PLACE = "path of a list"
    TEXT = "literal string"
    NUMBER = "literal int"
    DECIMAL = "literal float"
    FLAG = "true or false"
    FUNCTION = "name of a converter"


RAW_TYPES: dict[Kind, type] = {
    Kind.TEXT: str,
    Kind.NUMBER: int,
    Kind.DECIMAL: float,
    Kind.FLAG: bool,
}
"""Kinds that take a literal of just this type."""

PLACES = frozenset({Kind.PLACE, Kind.MAP_PLACE, Kind.LIST_PLACE})
"""Kinds that take a path."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `many` takes a bracketed list of the kind."""

    name: str
    kind: Kind
    many: bool = False
    optional: bool = False

    def __str__(self) -> str:
        shown = f"[{self.kind.value}, ...]" if self.many else self.kind.value
        return f"{self.name}: {shown}{' (optional)' if self.optional else ''}"

    @property
    def spelling(self) -> str:
        """The name without the differences that people may write: `to_case` is `toCase`."""
        return self.name.replace("_", "").lower()


@dataclass(frozen=True, slots=True)
class Function:
    """
    An editor or converter.

    Args:
        build:
            Called once for each use with the compiled arguments by name; gives what runs for an
            item. A `ValueError` says what is wrong with the arguments.
        contexts:
            The contexts that have it; empty for all.
        in_statements, in_conditions:
            Whether transform statements, or the conditions of filters and groups, have it.
    """

    name: str
    parameters: tuple[Parameter, ...]
    build: Callable[..., Get]
    summary: str
    contexts: frozenset[str] = frozenset()
    in_statements: bool = True
    in_conditions: bool = True

    @property
    def is_editor(self) -> bool:
        """Whether it changes data rather than giving a value."""
        return self.name[:1].islower()


def _exact(kind: type, name: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise OttlTypeError(f"expected {name} but got {type_name(value)}")

    return convert


def _to_int(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is int:
        return value
    if kind is str:
        try:
            return parse_int(value)
        except OttlError:
            return None
    if kind is bool:
        return int(value)
    if kind is float:
        return truncated(value)
    raise OttlTypeError(f"{a_type(value)} cannot become an int")


def truncated(value: float) -> int:
    """*value* without its fraction; out of range it is the smallest int, as Go has it."""
    if not math.isfinite(value) or not -(2.0**63) <= value < 2.0**63:
        return -(2**63)
    return int(value)


def _to_float(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is float:
        return value
    if kind is int or kind is bool:
        return float(value)
    if kind is str:
        return parse_float(value)
    raise OttlTypeError(f"{a_type(value)} cannot become a float")


def _to_bool(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int or kind is float:
        return value != 0
    if kind is str:
        return parse_bool(value)
    raise OttlTypeError(f"{a_type(value)} cannot become a bool")


def _to_bytes(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is bytes:
        return value
    if kind is str:
        return value.encode("utf-8", "surrogateescape")
    if kind is bool:
        return b"\x01" if value else b"\x00"
    if kind is int:
        return struct.pack(">q", value)
    if kind is float:
        return struct.pack(">d", value)
    raise OttlTypeError(f"{a_type(value)} cannot become bytes")


def _to_list(value: Any) -> list[Any]:
    if isinstance(value, list):
        if type(value) is AnyList:
            check_raw(value)
        return value
    raise OttlTypeError(f"expected list but got {type_name(value)}")


_CONVERTERS: dict[Kind, tuple[type | None, Callable[[Any], Any]]] = {
    # The type that needs no conversion, and the function for all others.
    Kind.STRING: (str, _exact(str, "string")),
    Kind.STRING_LIKE: (str, to_text),
    Kind.INT: (int, _exact(int, "int64")),
    Kind.INT_LIKE: (int, _to_int),
    Kind.FLOAT: (float, _exact(float, "float64")),
    Kind.FLOAT_LIKE: (float, _to_float),
    Kind.BOOL_LIKE: (bool, _to_bool),
    Kind.BYTES_LIKE: (bytes, _to_bytes),
    Kind.MAP: (dict, _exact(dict, "map")),
    Kind.LIST: (list, _to_list),
    Kind.TIME: (Time, _exact(Time, "time")),
    Kind.DURATION: (Duration, _exact(Duration, "duration")),
}


class Typed(Expression):
    """An expression behind a type check; `source` is the unchecked one."""

    __slots__ = ("source",)

    def __init__(self, get: Get, source: Expression) -> None:
        super().__init__(get)
        self.source = source


def typed(expression: Expression, kind: Kind) -> Expression:
    """
    *expression* as a value of *kind*.

    Raises:
        OttlSyntaxError: If it is a literal that is none.
    """
    if kind is Kind.VALUE:
        return expression
    exact, convert = _CONVERTERS[kind]
    if expression.literal:
        try:
            return Expression.constant(convert(expression.value))
        except OttlError as error:
            raise OttlSyntaxError(str(error)) from None
    return Typed(_of_type(expression, exact, convert), expression)


def _of_type(expression: Expression, exact: type | None, convert: Callable[[Any], Any]) -> Get:
    read = expression.get
    holder = getattr(expression, "holder", None)
    if holder is not None and native.compiled is not None:
        # One attribute, which is what most arguments are: without a call between.
        ready, find, name = holder.ready, holder.find, expression.key.name  # type: ignore[attr-defined]  # a place
        look_up = native.compiled.get

        def get_attribute(cursor: Any) -> Any:
            attributes = ready(cursor) or find(cursor)
            value = look_up(attributes.keys, attributes.pairs, name)
            if type(value) is exact:
                return value
            return convert(read(cursor) if value is NotImplemented else value)

        return get_attribute

    def get(cursor: Any) -> Any:
        value = read(cursor)
        return value if type(value) is exact else convert(value)

    return get
