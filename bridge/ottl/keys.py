"""Indexing: ``["key"]`` and ``[0]`` behind a path or a converter, for reading and for writing."""

from typing import Any

from bridge.ottl import native
from bridge.ottl.attributes import Attributes, Key
from bridge.ottl.codec import decode, encode
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Get, Holder, Place, Set
from bridge.ottl.glance import attribute
from bridge.ottl.values import Counts, a_type, copied

Keys = tuple[Expression, ...]

PADDING_MAX = 10_000
"""The largest index that writing to an empty place may fill a list up to."""


def map_key(key: Expression, cursor: Cursor) -> str:
    """
    The text that *key* gives.

    Raises:
        OttlError: If it gives anything else.
    """
    value = key.get(cursor)
    if type(value) is not str:
        raise OttlError(f"a map is indexed by a string, not by {a_type(value)}")
    return value


def list_index(key: Expression, cursor: Cursor, length: int) -> int:
    """
    The index that *key* gives.

    Raises:
        OttlError: If it gives no int, or one outside of the list.
    """
    value = key.get(cursor)
    if type(value) is not int:
        raise OttlError(f"a list is indexed by an int, not by {a_type(value)}")
    if not 0 <= value < length:
        raise OttlError(f"index {value} out of bounds")
    return value


def dig(value: Any, keys: Keys, cursor: Cursor) -> Any:
    """
    What *keys* lead to inside an attribute's *value*; a missing key of a map gives nil.

    Raises:
        OttlError: For a wrong index, or an index into something that has none.
    """
    for key in keys:
        if isinstance(value, dict):
            name = map_key(key, cursor)
            if name not in value:
                return None
            value = value[name]
        elif isinstance(value, list):
            value = value[list_index(key, cursor, len(value))]
        else:
            raise OttlError(f"{a_type(value)} cannot be indexed")
    return value


def pick(value: Any, keys: Keys, cursor: Cursor) -> Any:
    """
    What *keys* lead to inside what a converter gave: here a missing key is an error.

    Raises:
        OttlError: For a missing key, a wrong index, or an index into something that has none.
    """
    for key in keys:
        index = key.get(cursor)
        if type(index) is str and isinstance(value, dict):
            if index not in value:
                raise OttlError(f"key {index!r} not found in map")
            value = value[index]
        elif type(index) is int and (isinstance(value, list) or type(value) is bytes):
            if not 0 <= index < len(value):
                raise OttlError(f"index {index} out of bounds")
            value = value[index]
        else:
            raise OttlError(f"{a_type(value)} cannot be indexed by {a_type(index)}")
    return value


_AS_IT_IS = object()
"""Put by `bury` where only the way to a place is to be made."""


def bury(value: Any, keys: Keys, cursor: Cursor, new: Any) -> Any:
    """
    *value* with *new* where *keys* lead to; empty places become maps and lists on the way.

    Raises:
        OttlError: For a wrong index, or an index into something that has none.
    """
    if not keys:
        return value if new is _AS_IT_IS else copied(new)
    key, rest = keys[0], keys[1:]
    if isinstance(value, dict):
        name = map_key(key, cursor)
        value[name] = bury(value.get(name), rest, cursor, new)
        return value
    if isinstance(value, list):
        index = list_index(key, cursor, len(value))
        value[index] = bury(value[index], rest, cursor, new)
        return value
    if value is None:
        return _grow(key, rest, cursor, new)
    raise OttlError(f"{a_type(value)} cannot be indexed")


def _grow(key: Expression, rest: Keys, cursor: Cursor, new: Any) -> Any:
    index = key.get(cursor)
    if type(index) is str:
        return {index: bury(None, rest, cursor, new)}
    if type(index) is not int:
        raise OttlError("an index must be a string or an int")
    if index > PADDING_MAX:
        raise OttlError(f"a list is filled up to index {PADDING_MAX} at most")
    return [None] * max(index, 0) + [bury(None, rest, cursor, new)]


def storable(value: Any) -> Any:
    """
    *value* as an attribute can hold it.

    In a list only the last element's fault counts, as in the Collector; others become nil.

    Raises:
        OttlError: If it has no place in an attribute.
    """
    if not isinstance(value, list) or type(value) is Counts:
        encode(value)
        return value
    stored = []
    for index, inner in enumerate(value):
        try:
            stored.append(storable(inner))
        except OttlError:
            if index == len(value) - 1:
                raise
            stored.append(None)
    return stored


def attribute_place(holder: Holder, keys: Keys, *, number: int = 0, outer: bool = False) -> Place:
    """
    ``attributes["a"]...``: one key of a map of attributes, or something deeper below it.

    Args:
        holder:
            Finds the `Attributes` for a cursor.
        number:
            The field that holds the attributes if they are part of the item's own bytes, so that a
            key that does not occur in them is known to be missing.
        outer:
            Whether they are those of the resource or scope.
    """
    first, rest = keys[0], keys[1:]
    if first.literal and type(first.value) is str:
        key = Key(first.value)
        if not rest:
            return Place(
                _reader(holder, key),
                _writer(holder, key),
                holder=holder,
                key=key,
                needle=key.name if number and key.name else None,
                glance=attribute(key, number) if number else None,
                outer=outer,
            )
        return Place(_deep_reader(holder.find, key, rest), _deep_writer(holder.find, key, rest))
    return _dynamic_place(holder.find, first, rest)


def _reader(holder: Holder, key: Key) -> Get:
    ready, find = holder.ready, holder.find
    if native.compiled is None:
        return lambda cursor: (ready(cursor) or find(cursor)).get(key)
    read, name = native.compiled.get, key.name

    def get(cursor: Cursor) -> Any:
        attributes = ready(cursor) or find(cursor)
        value = read(attributes.keys, attributes.pairs, name)
        return attributes.get(key) if value is NotImplemented else value

    return get


def _writer(holder: Holder, key: Key) -> Set:
    ready, find = holder.ready, holder.find

    def put(cursor: Cursor, value: Any) -> None:
        attributes = ready(cursor) or find(cursor)
        try:
            pair = key.pair(value)
        except OttlError:
            pair = _pair_after_fault(attributes, key, value)
        attributes.put(key, pair)

    if native.compiled is None:
        return put
    write, name, prefix = native.compiled.set, key.name, key.prefix

    def put_scalar(cursor: Cursor, value: Any) -> None:
        attributes = ready(cursor) or find(cursor)
        changed = write(attributes.keys, attributes.pairs, name, prefix, value)
        if changed is NotImplemented:
            put(cursor, value)
        elif changed:
            attributes.changed = True

    return put_scalar


def _pair_after_fault(attributes: Attributes, key: Key, value: Any) -> bytes:
    """The Collector makes room for the key before it looks at the value: an empty one stays."""
    try:
        return key.pair(storable(value))
    except OttlError:
        if attributes.find(key) < 0:
            attributes.put(key, key.pair(None))
        raise


def _deep_reader(holder: Any, key: Key, rest: Keys) -> Get:
    def get(cursor: Cursor) -> Any:
        attributes: Attributes = holder(cursor)
        data = attributes.get_raw(key)
        if data is None:
            return None
        return dig(decode(data), rest, cursor)

    return get


def _deep_writer(holder: Any, key: Key, rest: Keys) -> Set:
    def put(cursor: Cursor, value: Any) -> None:
        _put_deep(holder(cursor), key, rest, cursor, value)

    return put


def _put_deep(attributes: Attributes, key: Key, rest: Keys, cursor: Cursor, value: Any) -> None:
    held = attributes.get(key)
    try:
        stored = storable(value)
    except OttlError:
        # The Collector makes the place before it looks at the value: an empty one stays.
        attributes.set(key, bury(held, rest, cursor, _AS_IT_IS))
        raise
    attributes.set(key, bury(held, rest, cursor, stored))


def _dynamic_place(holder: Any, first: Expression, rest: Keys) -> Place:
    def get(cursor: Cursor) -> Any:
        attributes: Attributes = holder(cursor)
        data = attributes.get_raw(Key(map_key(first, cursor)))
        return None if data is None else dig(decode(data), rest, cursor)

    def put(cursor: Cursor, value: Any) -> None:
        _put_deep(holder(cursor), Key(map_key(first, cursor)), rest, cursor, value)

    return Place(get, put)


def as_map(value: Any) -> dict[str, Any]:
    """
    *value* for a whole map.

    Raises:
        OttlError: If it is none.
    """
    if type(value) is not dict:
        raise OttlError(f"a map is set to a map, not to {a_type(value)}")
    return value
