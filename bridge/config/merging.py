"""Several sources to one tree, as the Collector does: maps by key, everything else replaced."""

from collections.abc import Sequence

from bridge.config.nodes import Entry, MapNode, Node
from bridge.config.position import Position

DELIMITER = "::"
"""Between keys in the top level of a source and in --set, the Collector's."""


def merge(below: MapNode, above: MapNode) -> MapNode:
    """
    *above* laid over *below*. Where both have a map, they are merged; otherwise *above* wins,
    also with nothing (null), which takes a component back to its defaults.
    """
    entries = dict(below.entries)
    for key, entry in above.entries.items():
        known = entries.get(key)
        if known and isinstance(known.value, MapNode) and isinstance(entry.value, MapNode):
            entries[key] = Entry(entry.key, merge(known.value, entry.value))
        else:
            entries[key] = entry
    return MapNode(entries, above.position)


def unflatten(root: MapNode) -> MapNode:
    """Turn top-level keys such as ``processors::batch::timeout`` into maps in each other."""
    result = MapNode({}, root.position)
    for key, entry in root.entries.items():
        keys = [part for part in key.split(DELIMITER) if part] or [key]
        result = merge(result, nest(keys, entry.key, entry.value))
    return MapNode(result.entries, root.position)


def nest(keys: Sequence[str], position: Position, value: Node) -> MapNode:
    """One value below *keys*, all of them at *position*."""
    for key in reversed(keys):
        value = MapNode({key: Entry(position, value)}, position)
    if not isinstance(value, MapNode):
        raise TypeError("at least one key is needed")
    return value
