"""
One request as a tree of nodes: resources, scopes, items (spans, log records, metrics) and parts.

A node holds its bytes and is parsed when somebody looks into it. Nothing is written back before
`Payload.dump`, and only where something changed.
"""

from collections.abc import Sequence
from operator import is_
from typing import Any, ClassVar

from google.protobuf.message import DecodeError

from bridge.core import Malformed, Signal
from bridge.ottl import native, schema
from bridge.ottl.attributes import Attributes

_compiled = native.compiled


class Node:
    """
    Something with a message and attributes.

    `message` is `None` until `parse` was called; whoever writes to it calls `writable`.
    """

    __slots__ = ("_parts", "held", "message", "raw", "touched")

    schema: ClassVar[Any]
    number: ClassVar[int]
    """The field that holds the attributes."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.message: Any = None
        self.touched = False
        self.held: Attributes | None = None
        self._parts: list[Any] | None = None

    def parse(self) -> Any:
        """The message behind the bytes; parsed once."""
        if self.message is None:
            try:
                self.message = self.schema.FromString(self.raw)
            except DecodeError as error:
                raise Malformed(f"a {type(self).__name__} cannot be decoded: {error}") from error
        return self.message

    def writable(self) -> Any:
        """The message, noted as changed."""
        self.touched = True
        return self.parse()

    @property
    def attributes(self) -> Attributes:
        """
        The attributes; changes are written back by `dump`.

        Raises:
            OttlError: If one of them is no valid protobuf.
            Malformed: If the node is none.
        """
        attributes = self.held
        if attributes is None:
            # The compiled form is for items that protobuf took: it does not look into the rest.
            message = self.parse()
            found = None
            if _compiled is not None and not self.touched:
                found = _compiled.split(self.raw, self.number)
            if found is None:
                attributes = Attributes(self._attributes_field(message)[:])
            else:
                keys, pairs = found
                attributes = Attributes(pairs, keys)
            self.held = attributes
        return attributes

    @property
    def changed(self) -> bool:
        """Whether `dump` would give other bytes than came."""
        if self.touched:
            return True
        attributes, parts = self.held, self._parts
        if attributes is not None and attributes.changed:
            return True
        return parts is not None and any(part.changed for part in parts)

    def dump(self) -> bytes:
        """The bytes of the node as it is now."""
        if not self.changed:
            return self.raw
        attributes = self.held
        if _compiled is not None and attributes is not None and attributes.changed:
            raw = self.raw
            if self.touched or self._parts is not None:
                self._flush_parts()
                raw = self._serialized()
            spliced: bytes | None = _compiled.splice(raw, self.number, attributes.pairs)
            if spliced is not None:
                return spliced
        self.flush()
        return self._serialized()

    def _serialized(self) -> bytes:
        raw: bytes = self.parse().SerializeToString()
        return raw

    def flush(self) -> None:
        """Write attributes and parts back into the message."""
        attributes = self.held
        if attributes is not None and attributes.changed:
            field = self._attributes_field(self.parse())
            del field[:]
            field.extend(attributes.pairs)
        self._flush_parts()

    def _attributes_field(self, message: Any) -> Any:
        return message.attributes

    def _flush_parts(self) -> None:
        """Write the parts back into the message."""


class ResourceNode(Node):
    """A resource, the scopes below it and its schema URL."""

    __slots__ = ("group", "index", "scopes")
    schema = schema.Resource
    number = 1

    def __init__(self, group: Any, index: int, make: type[Node]) -> None:
        super().__init__(group.resource)
        self.group = group
        self.index = index
        self.scopes = [ScopeNode(scope, place, make) for place, scope in enumerate(group.scopes)]


class ScopeNode(Node):
    """An instrumentation scope, the items below it and its schema URL."""

    __slots__ = ("_items", "_make", "group", "index", "pruned")
    schema = schema.Scope
    number = 3

    def __init__(self, group: Any, index: int, make: type[Node]) -> None:
        super().__init__(group.scope)
        self.group = group
        self.index = index
        self.pruned = False
        self._make = make
        self._items: list[Any] | None = None

    @property
    def items(self) -> list[Any]:
        """The items as nodes; append to add some."""
        if self._items is None:
            make = self._make
            self._items = [make(raw) for raw in self.group.items[:]]
        return self._items

    @property
    def raws(self) -> list[bytes]:
        """The items as bytes, for a look at them without nodes."""
        found: list[bytes] = self.group.items[:]
        return found

    def make(self, raw: bytes) -> Any:
        """A node for one of `raws`."""
        return self._make(raw)

    def keep(self, raws: list[bytes]) -> None:
        """Have these items instead."""
        del self.group.items[:]
        self.group.items.extend(raws)
        self._items = None
        self.pruned = True

    def store(self) -> bool:
        """Write the scope and its items back into the group; whether anything is different."""
        different = self.pruned
        if self.changed:
            self.group.scope = self.dump()
            different = True
        items = self._items
        if items is None:
            return different
        dumped = [item.dump() for item in items]
        same = all(map(is_, dumped, [item.raw for item in items]))
        if same and len(items) == len(self.group.items):
            return different
        del self.group.items[:]
        self.group.items.extend(dumped)
        return True


class SpanNode(Node):
    """A span and its events."""

    __slots__ = ()
    schema = schema.Span
    number = 9

    @property
    def events(self) -> "list[EventNode]":
        """The events; assign to change their number."""
        if self._parts is None:
            self._parts = [EventNode(raw) for raw in self.parse().events[:]]
        return self._parts

    @events.setter
    def events(self, events: "list[EventNode]") -> None:
        """Have these events instead."""
        self._parts = events
        self.touched = True

    def _flush_parts(self) -> None:
        if self._parts is not None:
            del self.message.events[:]
            self.message.events.extend([event.dump() for event in self._parts])


class EventNode(Node):
    """An event of a span."""

    __slots__ = ()
    schema = schema.Event
    number = 3


class LogNode(Node):
    """A log record."""

    __slots__ = ()
    schema = schema.LogRecord
    number = 6


class PointNode(Node):
    """A data point; its message lives inside its metric's."""

    __slots__ = ()

    def __init__(self, message: Any) -> None:
        super().__init__(b"")
        self.message = message

    @property
    def attributes(self) -> Attributes:
        """The attributes of the point."""
        if self.held is None:
            self.held = Attributes(self.message.attributes[:])
        return self.held


class MetricNode(Node):
    """A metric and its points. What would be attributes of the metric is its metadata."""

    __slots__ = ()
    schema = schema.Metric
    number = 12

    @property
    def kind(self) -> str:
        """``gauge``, ``sum``, ``histogram``, ``exponential_histogram``, ``summary`` or empty."""
        return self.parse().WhichOneof("value") or ""

    @property
    def data(self) -> Any:
        """The message of the kind, or `None`."""
        return getattr(self.message, self.kind) if self.kind else None

    @property
    def point_count(self) -> int:
        """How many points there are."""
        return len(self.data.data_points) if self.kind else 0

    @property
    def points(self) -> list[PointNode]:
        """The points; call `remove` to drop some."""
        if self._parts is None:
            data = self.data
            self._parts = [] if data is None else [PointNode(one) for one in data.data_points]
        return self._parts

    def remove(self, dropped: set[int]) -> None:
        """Drop the points with these indexes."""
        for index in sorted(dropped, reverse=True):
            del self.data.data_points[index]
            del self.points[index]
        self.touched = True

    def reset(self) -> None:
        """Write back what is pending and forget the points: the message is about to be rebuilt."""
        self.flush()
        self._parts = None
        self.held = None
        self.touched = True

    def _attributes_field(self, message: Any) -> Any:
        return message.metadata

    def _flush_parts(self) -> None:
        for point in self._parts or ():
            point.flush()


NODES: dict[Signal, type[Node]] = {
    Signal.TRACES: SpanNode,
    Signal.LOGS: LogNode,
    Signal.METRICS: MetricNode,
}
"""What an item of each signal is."""


class Payload:
    """
    A whole request. Take resources, scopes or items out of their lists to drop them.

    Raises:
        Malformed: If the body is no request.
    """

    __slots__ = ("body", "request", "resources", "signal")

    def __init__(self, body: bytes, signal: Signal) -> None:
        self.body = body
        self.signal = signal
        try:
            self.request = schema.Request.FromString(body)
        except DecodeError as error:
            raise Malformed(f"the {signal.value} request cannot be decoded: {error}") from error
        make = NODES[signal]
        groups = self.request.resources
        self.resources = [ResourceNode(group, index, make) for index, group in enumerate(groups)]

    @property
    def has_hollow(self) -> bool:
        """Whether a resource has no scopes, or a scope no items."""
        return any(
            not resource.scopes or any(not len(scope.group.items) for scope in resource.scopes)
            for resource in self.resources
        )

    def count(self) -> int:
        """Spans, log records or data points, before or after `dump`."""
        total = 0
        for resource in self.resources:
            for scope in resource.scopes:
                if self.signal is Signal.METRICS:
                    total += sum(item.point_count for item in scope.items)
                else:
                    total += len(scope.group.items)
        return total

    def dump(self) -> bytes:
        """The request as it is now; the very same bytes object if nothing changed."""
        changed = _prune(self.request.resources, self.resources)
        for resource in self.resources:
            if resource.changed:
                resource.group.resource = resource.dump()
                changed = True
            changed |= _prune(resource.group.scopes, resource.scopes)
            for scope in resource.scopes:
                changed |= scope.store()
        if not changed:
            return self.body
        body: bytes = self.request.SerializeToString()
        return body


def _prune(groups: Any, nodes: Sequence[ResourceNode | ScopeNode]) -> bool:
    """Delete the groups of which no node is left; whether there were any."""
    if len(groups) == len(nodes):
        return False
    kept = {node.index for node in nodes}
    for index in range(len(groups) - 1, -1, -1):
        if index not in kept:
            del groups[index]
    return True
