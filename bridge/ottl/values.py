"""
The values of OTTL, their names in messages, and how they compare.

    nil None   bool bool   int int (64 bits, wraps)   float float   text str   bytes bytes
    list list   map dict   time Time   duration Duration   ids TraceId, SpanId, ProfileId

Text that is no UTF-8 is held with surrogate escapes, so that no byte is lost. Whatever else a path
gives (events, links, a status) is a `Foreign` wrapper that only such a path takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from bridge.ottl.errors import OttlTypeError

_SIGN, _SIGN_32 = 1 << 63, 1 << 31


def wrap(value: int) -> int:
    """*value* as 64 bits with a sign, as Go's int overflows."""
    return value if -_SIGN <= value < _SIGN else (value + _SIGN) % (2 * _SIGN) - _SIGN


def wrap32(value: int) -> int:
    """*value* as 32 bits with a sign."""
    return (value + _SIGN_32) % (2 * _SIGN_32) - _SIGN_32


class AnyList(list[Any]):
    """
    A list written in a statement, before it is stored anywhere.

    The Collector cannot make an attribute list of one that holds maps or lists of attributes,
    except where it sets a value.
    """

    __slots__ = ()


class TypedList(list[Any]):
    """A list that Go holds with a type (`[]string`, `[]uint64`); comparisons do not look inside."""

    __slots__ = ()


class Numbers(TypedList):
    """Bounds of a histogram; JSON shows none of them as null."""

    __slots__ = ()


class Counts(Numbers):
    """Bucket counts: a list that no attribute takes, as in the Collector."""

    __slots__ = ()


class _Id(bytes):
    """An id: equal only to ids of its own kind."""

    __slots__ = ()


class TraceId(_Id):
    """16 bytes."""

    __slots__ = ()


class SpanId(_Id):
    """8 bytes."""

    __slots__ = ()


class ProfileId(_Id):
    """16 bytes."""

    __slots__ = ()


# Not frozen: that would make each instance cost five times as much.
@dataclass(slots=True, unsafe_hash=True)
class Time:
    """A moment: nanoseconds since the Unix epoch and the zone that it is shown in."""

    ns: int
    zone: tzinfo = UTC


@dataclass(slots=True, unsafe_hash=True)
class Duration:
    """Nanoseconds; 64 bits."""

    ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """
    A protobuf piece that OTTL passes on but does not look into.

    `kind` names it in messages and decides which path takes it; `parts` are its serialized
    elements, one for a message that is not repeated.
    """

    kind: str
    parts: tuple[bytes, ...]
    is_list: bool = True


_NAMES: dict[type, str] = {
    type(None): "nil",
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    bytes: "bytes",
    list: "list",
    AnyList: "list",
    TypedList: "list",
    Numbers: "list",
    Counts: "list of counts",
    dict: "map",
    Time: "time",
    Duration: "duration",
    TraceId: "trace id",
    SpanId: "span id",
    ProfileId: "profile id",
}


def type_name(value: object) -> str:
    """The name of *value*'s type in OTTL's words."""
    if isinstance(value, Foreign):
        return value.kind
    return _NAMES.get(type(value), type(value).__name__)


def a_type(value: object) -> str:
    """The name with its article, as messages say it."""
    name = type_name(value)
    if value is None:
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


Comparison = Callable[[Any, Any], bool]


def _make(operator: Comparison, *, both_nil: bool, otherwise: bool, ordered: bool) -> Comparison:
    def compare(a: Any, b: Any) -> bool:
        kind = type(a)
        if kind is type(b):
            if kind in _PLAIN:
                return operator(a, b)
            if kind is Time or kind is Duration:
                return operator(a.ns, b.ns)
            if a is None:
                return both_nil
            if ordered or issubclass(kind, TypedList):
                return otherwise
            if kind is Foreign:
                return ((a.kind, a.parts) == (b.kind, b.parts)) is not otherwise
            if kind in _LISTS or kind is dict:
                return same(a, b) is not otherwise
            return operator(a, b)
        if kind in _LISTS and type(b) in _LISTS:
            return otherwise if ordered else same_lists(a, b) is not otherwise
        if (kind is int and type(b) is float) or (kind is float and type(b) is int):
            return operator(float(a), float(b))
        return otherwise

    return compare


_PLAIN = frozenset({str, int, float, bool, bytes})
_LISTS = frozenset({list, AnyList})

COMPARE: dict[str, Comparison] = {
    "==": _make(eq, both_nil=True, otherwise=False, ordered=False),
    "!=": _make(ne, both_nil=False, otherwise=True, ordered=False),
    "<": _make(lt, both_nil=False, otherwise=False, ordered=True),
    "<=": _make(le, both_nil=True, otherwise=False, ordered=True),
    ">": _make(gt, both_nil=False, otherwise=False, ordered=True),
    ">=": _make(ge, both_nil=True, otherwise=False, ordered=True),
}
"""The six comparisons with the rules for mixed types; none of them raises."""

COMPARE_SAME: dict[str, Comparison] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
"""The comparisons where both values are ints, or both texts."""

equal: Comparison = COMPARE["=="]
"""Whether two values are the same for ``==``."""


def same(a: Any, b: Any) -> bool:
    """Deep equality of lists and maps: types count (1 is not 1.0), the order of keys does not."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, Sequence) and not isinstance(a, str | bytes):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def same_lists(a: list[Any], b: list[Any]) -> bool:
    """Equality of a written list and one of an attribute: maps in them are never equal."""
    if len(a) != len(b):
        return False
    for one, other in zip(a, b, strict=True):
        if isinstance(one, list) and isinstance(other, list):
            if not same_lists(one, other):
                return False
        elif isinstance(one, dict) or not same(one, other):
            return False
    return True


def check_raw(value: Any) -> None:
    """
    Check that a list or map that is written in a statement can hold *value*.

    Raises:
        OttlTypeError: If it cannot.
    """
    if type(value) is AnyList:
        for inner in value:
            check_raw(inner)
    elif value is not None and type(value) not in _PLAIN:
        raise OttlTypeError(f"{a_type(value)} cannot stand inside of a list or map here")


def copied(value: Any) -> Any:
    """A copy that shares no list or map with *value*."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copied(inner) for inner in value]
    return value
