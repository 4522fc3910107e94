"""Editors that set, remove and rearrange keys."""

from collections.abc import Callable
from typing import Any

from bridge.ottl import native
from bridge.ottl.attributes import Key
from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Expression, Place, Run
from bridge.ottl.functions.registry import function, maybe, need, several
from bridge.ottl.regex import Pattern
from bridge.ottl.signature import Kind
from bridge.ottl.texts import truncate
from bridge.ottl.values import Counts, check_raw, copied, type_name

APPENDED_MAX = 100_000
"""Elements that `append` lets a list have."""


def map_of(place: Place, cursor: Cursor) -> dict[str, Any]:
    """
    The map at *place*.

    Raises:
        OttlError: If it holds none.
    """
    value = place.get(cursor)
    if type(value) is not dict:
        raise OttlError(f"expected map but got {type_name(value)}")
    return value


@function("set", need("target", Kind.PLACE), need("value", Kind.VALUE))
def set_value(target: Place, value: Expression) -> Run:
    """Set the path to the value; nil leaves it as it is."""
    put = target.set
    if value.literal:
        return _set_literal(target, value.value)
    read = value.get
    inside = isinstance(value, Place) and value.encloses(target)

    def run(cursor: Cursor) -> None:
        found = read(cursor)
        if inside and isinstance(found, dict | list):
            # The Collector empties the place before it copies what the place is a part of.
            put(cursor, type(found)())
            found = read(cursor)
        if found is not None:
            put(cursor, found)

    return run


def _set_literal(target: Place, value: Any) -> Run:
    put = target.set
    if value is None:
        return lambda cursor: None
    key, holder = target.key, target.holder
    if key is None or holder is None:
        return lambda cursor: put(cursor, value)
    try:
        pair = key.pair(value)
    except OttlError:
        return lambda cursor: put(cursor, value)
    ready, find = holder.ready, holder.find
    if native.compiled is None:
        return lambda cursor: (ready(cursor) or find(cursor)).put(key, pair)
    store, name = native.compiled.put, key.name

    def run(cursor: Cursor) -> None:
        attributes = ready(cursor) or find(cursor)
        if store(attributes.keys, attributes.pairs, name, pair):
            attributes.changed = True

    return run


@function("delete_key", need("target", Kind.MAP_PLACE), need("key", Kind.STRING))
def delete_key(target: Place, key: Expression) -> Run:
    """Remove one key from a map."""
    holder = target.attributes
    if holder is not None and key.literal:
        known, ready, find = Key(key.value), holder.ready, holder.find
        return lambda cursor: (ready(cursor) or find(cursor)).remove(known)

    def run(cursor: Cursor) -> None:
        found = map_of(target, cursor)
        found.pop(key.get(cursor), None)
        target.set(cursor, found)

    return run


def _keep(
    target: Place, wanted: Callable[[Cursor], Callable[[str], bool]], *, constant: bool
) -> Run:
    """
    Keep the keys for which what *wanted* gives for an item answers true.

    Args:
        constant:
            Whether it gives the same for all items.
    """
    holder = target.attributes
    if holder is not None:
        ready, find = holder.ready, holder.find
        if constant:
            decided, answers = wanted(Cursor()), dict[bytes, bool]()
            return lambda cursor: (ready(cursor) or find(cursor)).keep(decided, answers)
        return lambda cursor: find(cursor).keep(wanted(cursor), {})

    def run(cursor: Cursor) -> None:
        decide = wanted(cursor)
        found = map_of(target, cursor)
        for name in [name for name in found if not decide(name)]:
            del found[name]
        target.set(cursor, found)

    return run


@function("delete_matching_keys", need("target", Kind.MAP_PLACE), need("pattern", Kind.STRING))
def delete_matching_keys(target: Place, pattern: Expression) -> Run:
    """Remove the keys that match a regular expression."""
    compiled = Pattern(pattern)

    def wanted(cursor: Cursor) -> Callable[[str], bool]:
        matches = compiled.matcher(cursor)
        return lambda name: not matches(name)

    return _keep(target, wanted, constant=pattern.literal)


@function("keep_matching_keys", need("target", Kind.MAP_PLACE), need("pattern", Kind.STRING))
def keep_matching_keys(target: Place, pattern: Expression) -> Run:
    """Remove the keys that do not match a regular expression."""
    compiled = Pattern(pattern)
    return _keep(target, compiled.matcher, constant=pattern.literal)


@function("keep_keys", need("target", Kind.MAP_PLACE), several("keys", Kind.STRING))
def keep_keys(target: Place, keys: list[Expression]) -> Run:
    """Remove all keys but the given ones."""
    if all(key.literal for key in keys):
        fixed = frozenset(key.value for key in keys)
        return _keep(target, lambda cursor: fixed.__contains__, constant=True)
    return _keep(
        target, lambda cursor: {key.get(cursor) for key in keys}.__contains__, constant=False
    )


@function(
    "limit",
    need("target", Kind.MAP_PLACE),
    need("limit", Kind.NUMBER),
    several("priority_keys", Kind.TEXT),
)
def limit(target: Place, limit: int, priority_keys: list[str]) -> Run:
    """Remove keys until at most so many are left; the priority keys stay."""
    if limit < len(priority_keys):
        raise ValueError(f"limit {limit} is below the number of priority keys")
    priority = frozenset(priority_keys)

    def run(cursor: Cursor) -> None:
        found = map_of(target, cursor)
        if len(found) <= limit:
            return
        count = sum(name in found for name in priority_keys)
        kept = {}
        for name, value in found.items():
            if name not in priority:
                if count >= limit:
                    continue
                count += 1
            kept[name] = value
        target.set(cursor, kept)

    return run


@function(
    "truncate_all",
    need("target", Kind.MAP_PLACE),
    need("limit", Kind.NUMBER),
    maybe("utf8_safe", Kind.FLAG),
)
def truncate_all(target: Place, limit: int, utf8_safe: bool = True) -> Run:
    """Cut every text of a map to so many bytes."""

    def shorten(text: str) -> str | None:
        return truncate(text, limit, whole=utf8_safe) if len(text) * 4 > limit else None

    return _rewrite(target, shorten, above=limit)


def _rewrite(target: Place, change: Callable[[str], str | None], *, above: int = 0) -> Run:
    """
    Give the texts of a map to *change*; what it returns replaces them, None leaves them.

    Args:
        above:
            Texts of so many bytes or less need not be given.
    """
    holder = target.attributes
    if holder is not None:
        ready, find = holder.ready, holder.find
        return lambda cursor: (ready(cursor) or find(cursor)).rewrite_texts(change, above)

    def run(cursor: Cursor) -> None:
        found = map_of(target, cursor)
        for name, value in found.items():
            changed = change(value) if type(value) is str else None
            if changed is not None:
                found[name] = changed
        target.set(cursor, found)

    return run


@function("stringify_all", need("target", Kind.MAP_PLACE))
def stringify_all(target: Place) -> Run:
    """Make a text of every value of a map."""
    from bridge.ottl.gotext import attribute_text

    def run(cursor: Cursor) -> None:
        found = map_of(target, cursor)
        target.set(
            cursor,
            {
                name: value if type(value) is str else attribute_text(value)
                for name, value in found.items()
            },
        )

    return run


@function(
    "merge_maps",
    need("target", Kind.MAP_PLACE),
    need("source", Kind.MAP),
    need("strategy", Kind.TEXT),
)
def merge_maps(target: Place, source: Expression, strategy: str) -> Run:
    """Put the keys of one map into another: insert new ones, update known ones, or upsert all."""
    if strategy not in ("insert", "update", "upsert"):
        raise ValueError(f"strategy {strategy!r} is none of insert, update, upsert")

    def wanted(known: bool) -> bool:
        return strategy == "upsert" or known is (strategy == "update")

    holder = target.attributes
    if holder is not None:
        find = holder.find

        def merge(cursor: Cursor) -> None:
            into = find(cursor)
            for name, value in source.get(cursor).items():
                key = Key(name)
                if wanted(into.find(key) >= 0):
                    into.set(key, value)

        return merge

    def run(cursor: Cursor) -> None:
        into = map_of(target, cursor)
        for name, value in source.get(cursor).items():
            if wanted(name in into):
                into[name] = copied(value)
        target.set(cursor, into)

    return run


@function(
    "append",
    need("target", Kind.PLACE),
    maybe("value", Kind.VALUE),
    several("values", Kind.VALUE, optional=True),
)
def append(
    target: Place, value: Expression | None = None, values: list[Expression] | None = None
) -> Run:
    """Add values to a list; a single value becomes a list first."""
    if value is None and values is None:
        raise ValueError("give value or values")
    added = ([] if value is None else [value]) + (values or [])

    def run(cursor: Cursor) -> None:
        found = target.get(cursor)
        if type(found) is Counts:
            raise OttlError("counts are set as a whole")
        result = list(found) if isinstance(found, list) else []
        if found is not None and not isinstance(found, list):
            check_raw(found)
            result = [found]
        for one in added:
            new = one.get(cursor)
            check_raw(new)
            result.append(new)
        if len(result) > APPENDED_MAX:
            raise OttlError(f"a list may grow to {APPENDED_MAX} elements")
        target.set(cursor, result)

    return run


@function(
    "delete_index",
    need("target", Kind.LIST_PLACE),
    need("start_index", Kind.INT),
    maybe("end_index", Kind.INT),
)
def delete_index(
    target: Place, start_index: Expression, end_index: Expression | None = None
) -> Run:
    """Remove one element of a list, or those from a start up to an end."""

    def run(cursor: Cursor) -> None:
        found = target.get(cursor)
        if not isinstance(found, list):
            raise OttlError(f"expected list but got {type_name(found)}")
        start = start_index.get(cursor)
        stop = start + 1 if end_index is None else end_index.get(cursor)
        size = len(found)
        if (start, stop) != (0, size):
            if not 0 <= start < size:
                raise OttlError(f"start {start} is out of bounds for {size} elements")
            if not start <= stop <= size:
                raise OttlError(f"end {stop} is out of bounds for {size} elements")
        target.set(cursor, found[:start] + found[stop:])

    return run
