"""Converters of lists and maps."""

from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get
from bridge.ottl.functions.registry import function, maybe, need, several
from bridge.ottl.gotext import attribute_text
from bridge.ottl.regex import to_bytes
from bridge.ottl.signature import Kind
from bridge.ottl.values import AnyList, Foreign, a_type, check_raw, equal, type_name


@function("Len", need("target", Kind.VALUE))
def length(target: Expression) -> Get:
    """The bytes of a string, or the elements of a list or map."""
    read = target.get

    def get(cursor: Cursor) -> int:
        value = read(cursor)
        if type(value) is str:
            return len(to_bytes(value))
        if isinstance(value, list | dict) or type(value) is bytes:
            return len(value)
        if isinstance(value, Foreign) and value.is_list:
            return len(value.parts)
        raise OttlError(f"{a_type(value)} has no length")

    return get


@function("ContainsValue", need("target", Kind.LIST), need("item", Kind.VALUE))
def contains_value(target: Expression, item: Expression) -> Get:
    """Whether a list has an element equal to a value."""

    def get(cursor: Cursor) -> bool:
        values = target.get(cursor)
        wanted = item.get(cursor)
        return any(equal(value, wanted) for value in values)

    return get


@function("Index", need("target", Kind.VALUE), need("value", Kind.VALUE))
def index(target: Expression, value: Expression) -> Get:
    """Where a text begins in another (in bytes), or an element in a list; -1 if nowhere."""

    def get(cursor: Cursor) -> int:
        values, wanted = target.get(cursor), value.get(cursor)
        if type(values) is str:
            if type(wanted) is not str:
                raise OttlError("only a string can be found in a string")
            return to_bytes(values).find(to_bytes(wanted))
        if type(values) is AnyList:
            check_raw(values)
        if not isinstance(values, list):
            raise OttlError(f"expected string or list but got {type_name(values)}")
        return next((place for place, one in enumerate(values) if equal(one, wanted)), -1)

    return get


@function("Keys", need("target", Kind.MAP))
def keys(target: Expression) -> Get:
    """The keys of a map."""
    return lambda cursor: list(target.get(cursor))


@function("Values", need("target", Kind.MAP))
def values(target: Expression) -> Get:
    """The values of a map."""
    return lambda cursor: list(target.get(cursor).values())


@function("Sort", need("target", Kind.VALUE), maybe("order", Kind.TEXT))
def sort(target: Expression, order: str = "asc") -> Get:
    """The list in ascending or descending order; mixed types sort as text."""
    if order not in ("asc", "desc"):
        raise ValueError(f"order {order!r} is neither asc nor desc")
    descending = order == "desc"

    def get(cursor: Cursor) -> list[Any]:
        found = target.get(cursor)
        if not isinstance(found, list):
            raise OttlError(f"{a_type(found)} cannot be sorted")
        if type(found) is AnyList:
            check_raw(found)
        return _sorted(found, descending=descending)

    return get


def _sorted(values: list[Any], *, descending: bool) -> list[Any]:
    kinds = {type(value) for value in values}
    if not kinds <= {int, float, str, bool, type(None)}:
        # Lists of lists or maps stay as they are, unless there is but one kind of them.
        return values
    if kinds <= {int}:
        return sorted(values, reverse=descending)
    if kinds <= {int, float}:
        return sorted(values, key=float, reverse=descending)
    return sorted(values, key=lambda one: to_bytes(attribute_text(one)), reverse=descending)


@function(
    "SliceToMap",
    need("target", Kind.LIST),
    several("key_path", Kind.TEXT, optional=True),
    several("value_path", Kind.TEXT, optional=True),
)
def slice_to_map(
    target: Expression, key_path: list[str] | None = None, value_path: list[str] | None = None
) -> Get:
    """A map of a list's elements, by index or by what a path in each leads to."""

    def get(cursor: Cursor) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for place, element in enumerate(target.get(cursor)):
            if (key_path is not None or value_path is not None) and not isinstance(element, dict):
                raise OttlError(f"element {place} must be a map but is {a_type(element)}")
            key: Any = str(place) if key_path is None else _follow(element, key_path)
            if type(key) is not str:
                raise OttlError(f"the key of element {place} is no string")
            result[key] = element if value_path is None else _follow(element, value_path)
        return result

    return get


def _follow(value: Any, path: list[str]) -> Any:
    if not path:
        raise OttlError("a path needs at least one name")
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise OttlError(f"an element has no {'.'.join(path)}")
        value = value[name]
    return value


@function(
    "ToKeyValueString",
    need("target", Kind.MAP),
    maybe("delimiter", Kind.TEXT),
    maybe("pair_delimiter", Kind.TEXT),
    maybe("sort_output", Kind.FLAG),
)
def to_key_value_string(
    target: Expression,
    delimiter: str = "=",
    pair_delimiter: str = " ",
    sort_output: bool = False,
) -> Get:
    """A map written as key=value pairs."""
    check_delimiters(delimiter, pair_delimiter)

    def quote(text: str) -> str:
        escaped = text.replace('"', '\\"')
        if pair_delimiter in escaped or delimiter in escaped:
            return f'"{escaped}"'
        return escaped

    def get(cursor: Cursor) -> str:
        pairs = target.get(cursor).items()
        if sort_output:
            pairs = sorted(pairs, key=lambda pair: to_bytes(pair[0]))
        return pair_delimiter.join(
            quote(key) + delimiter + quote(attribute_text(value)) for key, value in pairs
        )

    return get


def check_delimiters(delimiter: str, pair_delimiter: str) -> None:
    """
    Check what separates keys, values and pairs.

    Raises:
        ValueError: If one is empty, or both are the same.
    """
    if not delimiter or not pair_delimiter:
        raise ValueError("a delimiter may not be empty")
    if delimiter == pair_delimiter:
        raise ValueError(f"both delimiters are {delimiter!r}")
