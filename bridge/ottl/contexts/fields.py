"""
The kinds of fields that paths lead to, each as a function that builds a `Place`.

`slot` is where the `Cursor` keeps the node: ``resource``, ``scope``, ``item`` or ``part``.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from bridge.ottl.errors import OttlError, OttlSyntaxError
from bridge.ottl.expressions import Cursor, Expression, Holder, Place
from bridge.ottl.glance import scalar
from bridge.ottl.keys import Keys, as_map, attribute_place, bury, dig, map_key, storable
from bridge.ottl.values import Foreign, SpanId, Time, TraceId, copied, type_name, wrap

_UINT64 = 0xFFFFFFFFFFFFFFFF


class Segment:
    """One name of a path with its compiled keys, and where it stands in the text."""

    __slots__ = ("at", "keys", "name")

    def __init__(self, name: str, keys: Keys, at: int) -> None:
        self.name = name
        self.keys = keys
        self.at = at


Segments = tuple[Segment, ...]
Field = Callable[[Segments], Place]
"""Builds the place for a path whose first segment chose the field."""

Fields = dict[str, Field]


def look_up(fields: Fields, segments: Segments, context: str) -> Place:
    """
    The place that *segments* lead to.

    Raises:
        OttlSyntaxError: If the context has no such path.
    """
    first = segments[0]
    field = fields.get(first.name)
    if field is None:
        from difflib import get_close_matches

        known = ", ".join(sorted(fields))
        near = get_close_matches(first.name, fields, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}? " if near else ""
        message = f"{context} has no path {first.name!r}; {hint}it has {known}"
        raise OttlSyntaxError(message, offset=first.at)
    return field(segments)


def expect(value: Any, kind: type, name: str) -> Any:
    """
    *value*, which must be a *kind*.

    Raises:
        OttlError: If it is not.
    """
    if type(value) is not kind:
        raise OttlError(f"expects {name} but got {type_name(value)}")
    return value


def to_text(data: bytes) -> str:
    """The text of *data*, with surrogate escapes where it is no UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def end(segments: Segments) -> None:
    """
    Check that nothing follows the first segment.

    Raises:
        OttlSyntaxError: At a further segment, or at keys.
    """
    if segments[0].keys:
        message = f"{segments[0].name!r} cannot be indexed"
        raise OttlSyntaxError(message, offset=segments[0].at)
    if len(segments) > 1:
        message = f"{segments[0].name!r} has no part {segments[1].name!r}"
        raise OttlSyntaxError(message, offset=segments[1].at)


def sub_fields(slot_fields: Fields, whole: Field | None = None) -> Field:
    """A field with parts, such as ``status.code``; *whole* is the field itself."""

    def field(segments: Segments) -> Place:
        if len(segments) == 1 or segments[0].keys:
            if whole is None:
                message = f"{segments[0].name!r} needs one of {', '.join(sorted(slot_fields))}"
                raise OttlSyntaxError(message, offset=segments[0].at)
            return whole(segments)
        return look_up(slot_fields, segments[1:], segments[0].name)

    return field


OUTER = ("resource", "scope")
"""The slots that all items of a scope share."""


def text(slot: str, name: str, narrow: Any = None) -> Field:
    """A text field. *narrow* is a message class to read it from an item's bytes."""
    fetch, node = attrgetter(f"{slot}.message.{name}"), attrgetter(slot)
    glance = narrow and scalar(narrow, name, to_text)
    assign = _assigner(name)

    def get(cursor: Cursor) -> str:
        return to_text(fetch(cursor))

    def put(cursor: Cursor, value: Any) -> None:
        data = expect(value, str, "string").encode("utf-8", "surrogateescape")
        if data != fetch(cursor):
            assign(node(cursor).writable(), data)

    def field(segments: Segments) -> Place:
        end(segments)
        return Place(
            get,
            put,
            text_field=slot in ("item", "part"),
            glance=glance,
            outer=slot in OUTER,
            safe=True,
        )

    return field


def integer(slot: str, name: str, bits: int, *, signed: bool = False, narrow: Any = None) -> Field:
    """An int field of *bits*; what is written is cut to them."""
    fetch, node = attrgetter(f"{slot}.message.{name}"), attrgetter(slot)
    glance = narrow and scalar(narrow, name, wrap)
    assign = _assigner(name)
    mask, half = (1 << bits) - 1, 1 << (bits - 1)

    def get_wide(cursor: Cursor) -> int:
        return wrap(fetch(cursor))

    def put(cursor: Cursor, value: Any) -> None:
        cut = expect(value, int, "int64") & mask
        if signed and cut >= half:
            cut -= 1 << bits
        if cut != fetch(cursor):
            assign(node(cursor).writable(), cut)

    def field(segments: Segments) -> Place:
        end(segments)
        return Place(
            get_wide if bits == 64 else fetch, put, glance=glance, outer=slot in OUTER, safe=True
        )

    return field


def moment(slot: str, name: str) -> Field:
    """A timestamp as a time."""
    fetch, node = attrgetter(f"{slot}.message.{name}"), attrgetter(slot)

    def get(cursor: Cursor) -> Time:
        return Time(wrap(fetch(cursor)))

    def put(cursor: Cursor, value: Any) -> None:
        ns = expect(value, Time, "time").ns & _UINT64
        if ns != fetch(cursor):
            setattr(node(cursor).writable(), name, ns)

    def field(segments: Segments) -> Place:
        end(segments)
        place = Place(get, put)
        place.moment_ns = lambda cursor: wrap(fetch(cursor))
        return place

    return field


def identifier(slot: str, name: str, kind: type[TraceId] | type[SpanId]) -> Field:
    """A trace or span id, with its ``string``. A missing id reads as zeros."""
    fetch, node = attrgetter(f"{slot}.message.{name}"), attrgetter(slot)
    size = 16 if kind is TraceId else 8
    zeros = kind(size)

    def get(cursor: Cursor) -> Any:
        data = fetch(cursor)
        return kind(data) if len(data) == size else zeros

    def store(cursor: Cursor, data: bytes) -> None:
        # An id of zeros is written as a missing one.
        kept = b"" if data == zeros else bytes(data)
        if kept != fetch(cursor):
            setattr(node(cursor).writable(), name, kept)

    def put(cursor: Cursor, value: Any) -> None:
        store(cursor, expect(value, kind, "a trace id" if size == 16 else "a span id"))

    def get_text(cursor: Cursor) -> str:
        return bytes(get(cursor)).hex()

    def put_text(cursor: Cursor, value: Any) -> None:
        digits = expect(value, str, "string")
        try:
            data = bytes.fromhex(digits) if len(digits) == 2 * size else None
        except ValueError:
            data = None
        if data is None or len(data) != size:
            raise OttlError(f"an id of {size} bytes has {2 * size} hex digits")
        store(cursor, data)

    def whole(segments: Segments) -> Place:
        end(segments)
        return Place(get, put)

    def string(segments: Segments) -> Place:
        end(segments)
        return Place(get_text, put_text)

    return sub_fields({"string": string}, whole)


def attributes(slot: str, number: int = 0) -> Field:
    """A map of attributes and its keys. *number* is its field if it is the item's own."""
    holder = Holder(slot)
    find = holder.find

    def get(cursor: Cursor) -> Any:
        return find(cursor).to_map()

    def put(cursor: Cursor, value: Any) -> None:
        if value is not None:
            find(cursor).replace(as_map(value))

    def field(segments: Segments) -> Place:
        first = segments[0]
        if len(segments) > 1:
            end((Segment(first.name, (), first.at), *segments[1:]))
        if first.keys:
            return attribute_place(holder, first.keys, number=number, outer=slot in OUTER)
        return Place(get, put, attributes=holder)

    return field


def foreign_list(slot: str, name: str, kind: str) -> Field:
    """A repeated field that is only counted or copied from a path of its kind."""
    fetch, node = attrgetter(f"{slot}.message.{name}"), attrgetter(slot)

    def get(cursor: Cursor) -> Foreign:
        node(cursor).flush()
        return Foreign(kind, tuple(_bytes_of(one) for one in fetch(cursor)))

    def put(cursor: Cursor, value: Any) -> None:
        check_foreign(value, kind)
        message = node(cursor).writable()
        repeated = getattr(message, name)
        del repeated[:]
        for part in value.parts:
            if hasattr(repeated, "add"):
                repeated.add().ParseFromString(part)
            else:
                repeated.append(part)

    def field(segments: Segments) -> Place:
        end(segments)
        return Place(get, put)

    return field


def check_foreign(value: Any, kind: str) -> None:
    """
    Check that *value* came from a path of *kind*.

    Raises:
        OttlError: If it did not.
    """
    if not isinstance(value, Foreign) or value.kind != kind:
        raise OttlError(f"expects {kind} but got {type_name(value)}")


def schema_url(slot: str) -> Field:
    """The schema URL, which stands beside the resource or scope."""

    node, fetch = attrgetter(slot), attrgetter(f"{slot}.group.schema_url")

    def get(cursor: Cursor) -> str:
        found: str = fetch(cursor).decode("utf-8", "surrogateescape")
        return found

    def put(cursor: Cursor, value: Any) -> None:
        data = expect(value, str, "string").encode("utf-8", "surrogateescape")
        if data != fetch(cursor):
            node(cursor).writable()
            node(cursor).group.schema_url = data

    def field(segments: Segments) -> Place:
        end(segments)
        return Place(get, put)

    return field


def cache(segments: Segments) -> Place:
    """The scratch map of one item in one group of statements."""
    first = segments[0]
    if len(segments) > 1:
        end((Segment(first.name, (), first.at), *segments[1:]))
    keys = first.keys
    if not keys:
        return Place(lambda cursor: cursor.cache, _put_cache)

    def get(cursor: Cursor) -> Any:
        return dig(cursor.cache, keys, cursor)

    def put(cursor: Cursor, value: Any) -> None:
        name = map_key(keys[0], cursor)
        cursor.cache[name] = bury(cursor.cache.get(name), keys[1:], cursor, storable(value))

    return Place(get, put)


def _put_cache(cursor: Cursor, value: Any) -> None:
    if value is not None:
        cursor.cache = copied(as_map(value))


def literal_key(keys: Keys) -> str | None:
    """The text of a single literal key."""
    key: Expression = keys[0]
    return key.value if len(keys) == 1 and key.literal and type(key.value) is str else None


def _assigner(name: str) -> Callable[[Any, Any], None]:
    """Sets a field that may lie one message deeper, as ``status.code`` does."""
    path, _, last = name.rpartition(".")
    if not path:
        return lambda message, value: setattr(message, last, value)
    owner = attrgetter(path)
    return lambda message, value: setattr(owner(message), last, value)


def _bytes_of(one: Any) -> bytes:
    return one if isinstance(one, bytes) else one.SerializeToString()
