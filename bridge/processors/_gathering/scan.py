"""
Finding the spans in a request, as ranges of its bytes.

A trace that waits for its decision is kept as ranges of the bodies that it came in: those bodies
stay alive anyway until their records are finished, so a copy of each span would double the memory.
"""

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from bridge.core import Malformed, Signal
from bridge.processors._gathering.schema import TRACE_IDS
from bridge.wire import trace_ids

Scope = tuple[int, bytes, bytes, list[tuple[bytes, int, int, int]]]
"""
The spans of one scope: where the resource that holds it begins in the body, the encoded resource
and scope (each with its schema URL, without children), and the ranges of framed spans of one trace:
trace id, start, stop and number of spans.
"""

_RESOURCE_GROUP, _CHILD = 0x0A, 0x12
_LENGTH = 2
_TRACE_ID_TAG = 0x0A
_TRACE_ID_BYTES = 16


def scan(body: bytes) -> list[Scope]:
    """
    Find all spans of *body*, in order, with their trace ids as they stand there.

    One parse gives all occurrences of the trace id in the whole body. They are the ids of the
    spans, one each, if there are as many as spans and every span has one: either because each
    begins with it, as SDKs write, or because each ends with just the one that is its turn, as the
    Collector writes. Otherwise the ids are read span by span.

    Raises:
        Malformed: If the framing is broken down to the items, or in an item.
    """
    try:
        ids: list[bytes] = TRACE_IDS(body).resource.scope.span.trace_id[:]
    except DecodeError as error:
        raise Malformed("a span is no valid protobuf") from error
    walk = _Walk(body, ids)
    try:
        walk.run()
        if walk.exact:
            return walk.scopes
        walk = _Walk(body, trace_ids(Signal.TRACES, walk.contents()))
        walk.run()
    except IndexError as error:
        raise Malformed("the OTLP request is cut off") from error
    return walk.scopes


def count_spans(body: bytes, start: int, stop: int) -> int:
    """How many framed spans there are in ``body[start:stop]``."""
    return len(_contents(body, start, stop))


def _contents(body: bytes, start: int, stop: int) -> list[bytes]:
    """The spans framed in ``body[start:stop]``, without their frames."""
    found = []
    while start < stop:
        size, start = _varint(body, start + 1)
        found.append(body[start : start + size])
        start += size
    return found


class _Walk:
    """One pass over a body, splitting its spans by *ids*."""

    def __init__(self, body: bytes, ids: Sequence[bytes]) -> None:
        # A sentinel keeps the loop from running out where there are more spans than ids.
        self._ids = [*ids, b""]
        self._body = body
        # What changes: the scopes, how many spans were seen, whether all begin with a trace id;
        # and if the first does not, where each one ends.
        self.scopes: list[Scope] = []
        self._seen = 0
        self._lead = True
        self._trail = False
        self._ends: list[int] = []

    def run(self) -> None:
        """
        Find all scopes.

        Raises:
            IndexError: If the body ends within a field.
            Malformed: If something reaches beyond what holds it.
        """
        body, position, end = self._body, 0, len(self._body)
        while position < end:
            start = position
            if body[position] != _RESOURCE_GROUP:
                position = _skip(body, position)  # It belongs to nobody.
                continue
            size = body[position + 1]
            if size < 0x80:
                position += 2
            else:
                size, position = _varint(body, position + 1)
            position += size
            if position > end:
                raise Malformed("the OTLP request is cut off")
            self._resource(start, position - size, position)
        if position > end:
            raise Malformed("the OTLP request is cut off")

    @property
    def exact(self) -> bool:
        """Whether the ids are certainly those of the spans."""
        seen, ids, body = self._seen, self._ids, self._body
        if seen != len(ids) - 1:
            return False
        if not self._trail:
            return self._lead
        tails = [body[stop - _TRACE_ID_BYTES : stop] for stop in self._ends]
        return tails == ids[:-1]

    def contents(self) -> list[bytes]:
        """Every span."""
        found: list[bytes] = []
        for _, _, _, ranges in self.scopes:
            for _, start, stop, _ in ranges:
                found += _contents(self._body, start, stop)
        return found

    def _resource(self, origin: int, position: int, stop: int) -> None:
        """
        Look at one resource; *origin* is where its frame begins.

        Everything but its scopes makes its head. What comes in pieces is merged by whoever decodes
        it, and fields that we do not know stay where they belong.
        """
        body = self._body
        head = b""
        children: list[int] = []
        while position < stop:
            tag, start = body[position], position
            if tag == _CHILD:
                size = body[position + 1]
                if size < 0x80:
                    position += 2
                else:
                    size, position = _varint(body, position + 1)
                children.append(position)
                position += size
                children.append(position)
            else:
                position = _skip(body, position)
                head += body[start:position]
        if position > stop:
            raise Malformed("a resource of the OTLP request is cut off")
        for index in range(0, len(children), 2):
            self._scope(origin, head, children[index], children[index + 1])

    def _scope(self, origin: int, resource: bytes, position: int, stop: int) -> None:
        """Look at one scope; everything but its spans makes its head."""
        body = self._body
        head = b""
        ranges: list[tuple[bytes, int, int, int]] = []
        while position < stop:
            if body[position] == _CHILD:
                position = self._spans(position, stop, ranges)
            else:
                start, position = position, _skip(body, position)
                head += body[start:position]
        if position > stop:
            raise Malformed("a scope of the OTLP request is cut off")
        if ranges:
            self.scopes.append((origin, resource, head, ranges))

    def _spans(self, position: int, stop: int, ranges: list[tuple[bytes, int, int, int]]) -> int:
        """Split consecutive spans by trace. The loop runs once for each span."""
        body, ids, add_end = self._body, self._ids, self._ends.append
        seen, last = self._seen, len(self._ids) - 1
        trail, lead = self._trail, self._lead
        current, first, begun = ids[min(seen, last)], position, seen
        while position < stop and body[position] == _CHILD:
            frame, size = position, body[position + 1]
            if size < 0x80:
                position += 2
            else:
                more = body[position + 2]
                if more < 0x80:
                    size = size & 0x7F | more << 7
                    position += 3
                else:
                    size, position = _varint(body, position + 1)
            if trail:
                add_end(position + size)
            elif not size or body[position] != _TRACE_ID_TAG:
                if seen:
                    lead = False
                else:
                    trail = True
                    add_end(position + size)
            position += size
            trace_id = ids[seen] if seen < last else b""
            if trace_id != current:
                ranges.append((current, first, frame, seen - begun))
                current, first, begun = trace_id, frame, seen
            seen += 1
        ranges.append((current, first, position, seen - begun))
        self._seen, self._trail, self._lead = seen, trail, lead
        return position


def _skip(body: bytes, position: int) -> int:
    """
    Where the field at *position* ends.

    Raises:
        IndexError: If the body ends before.
        Malformed: If it is a group or no field.
    """
    tag = body[position]
    if tag & 7 == _LENGTH and tag < 0x80:
        size = body[position + 1]
        if size < 0x80:
            return position + 2 + size
        size, position = _varint(body, position + 1)
        return position + size
    tag, position = _varint(body, position)
    match tag & 7:
        case 0:
            return _varint(body, position)[1]
        case 1:
            return position + 8
        case 2:
            size, position = _varint(body, position)
            return position + size
        case 5:
            return position + 4
    raise Malformed("the OTLP request holds a group, or what is no protobuf field")


def _varint(body: bytes, position: int) -> tuple[int, int]:
    """
    The varint at *position* and where it ends.

    Raises:
        IndexError: If the body ends before.
        Malformed: If it is longer than 64 bits.
    """
    byte = body[position]
    if byte < 0x80:
        return byte, position + 1
    value, shift = byte & 0x7F, 7
    while shift < 64:
        position += 1
        byte = body[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
    raise Malformed("a length in the OTLP request is no varint")
