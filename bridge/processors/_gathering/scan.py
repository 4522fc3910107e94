"""
Finding the spans in a request, as ranges of its bytes.

A trace that waits for its decision is kept as ranges of the bodies that it came in: those bodies
stay alive anyway until their records are finished, so a copy of each span would double the memory.
"""

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError

from bridge.core import Malformed, Signal
from bridge.processors._gathering.native import compiled
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

    Raises:
        Malformed: If the framing is broken down to the items, or in an item.
    """
    if compiled is not None:
        try:
            scopes: list[Scope] | None = compiled.scan(body)
        except ValueError as error:
            raise Malformed("the OTLP request is no valid protobuf") from error
        if scopes is not None:
            return scopes
    return scan_in_python(body)


def scan_in_python(body: bytes) -> list[Scope]:
    """
    The same without the compiled form.

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
    except IndexError:
        return _scan_exactly(body)  # There are more spans than ids, or the body is cut off.
    return walk.scopes if walk.exact else _scan_exactly(body)


def _scan_exactly(body: bytes) -> list[Scope]:
    """The same, with the ids read span by span."""
    try:
        frames = _Walk(body, _NoIds())
        frames.run()
        spans: list[bytes] = []
        for _, _, _, ranges in frames.scopes:
            for _, start, stop, _ in ranges:
                spans += _contents(body, start, stop)
        walk = _Walk(body, trace_ids(Signal.TRACES, spans))
        walk.run()
    except IndexError as error:
        raise Malformed("the OTLP request is cut off") from error
    return walk.scopes


class _NoIds(Sequence[bytes]):
    """The ids of spans that nobody knows yet."""

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: Any) -> Any:
        return b""


def count_spans(body: bytes, start: int, stop: int) -> int:
    """How many framed spans there are in ``body[start:stop]``."""
    if compiled is not None:
        found: int | None = compiled.count(body, start, stop)
        if found is not None:
            return found
    return count_spans_in_python(body, start, stop)


def count_spans_in_python(body: bytes, start: int, stop: int) -> int:
    """The same without the compiled form."""
    count = 0
    while start < stop:
        size, start = _varint(body, start + 1)
        start += size
        count += 1
    return count


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
        self._body = body
        self._ids = ids
        # What changes: the scopes, how many spans were seen, whether all begin with a trace id;
        # and if the first does not, where each one ends.
        self.scopes: list[Scope] = []
        self._seen = 0
        self._lead = True
        self._trail = False
        self._ends: list[int] = []

    @property
    def exact(self) -> bool:
        """Whether the ids are certainly those of the spans."""
        ids, body = self._ids, self._body
        if self._seen != len(ids):
            return False
        if not self._trail:
            return self._lead
        return [body[stop - _TRACE_ID_BYTES : stop] for stop in self._ends] == ids

    def run(self) -> None:
        """
        Find all scopes.

        Everything in an envelope but its children makes its head: what comes in pieces is merged by
        whoever decodes it, and fields that we do not know stay where they belong.

        Raises:
            IndexError: If the body ends within a field, or there are fewer ids than spans.
            Malformed: If something reaches beyond what holds it.
        """
        body, position, end = self._body, 0, len(self._body)
        while position < end:
            origin = position
            if body[position] != _RESOURCE_GROUP:
                position = _skip(body, position)  # It belongs to nobody.
                continue
            size, position = _varint(body, position + 1)
            stop = position + size
            if stop > end:
                raise Malformed("the OTLP request is cut off")
            head = b""
            children: list[int] = []
            while position < stop:
                start = position
                if body[start] == _CHILD:
                    size, position = _varint(body, start + 1)
                    children.append(position)
                    position += size
                else:
                    position = _skip(body, start)
                    head += body[start:position]
                    continue
                children.append(position)
            if position > stop:
                raise Malformed("a resource of the OTLP request is cut off")
            for index in range(0, len(children), 2):
                self._scope(origin, head, children[index], children[index + 1])
        if position > end:
            raise Malformed("the OTLP request is cut off")

    def _scope(self, origin: int, resource: bytes, position: int, stop: int) -> None:
        """Look at one scope. The loop runs once for each span."""
        body, ids, seen, trail = self._body, self._ids, self._seen, self._trail
        ranges: list[tuple[bytes, int, int, int]] = []
        head = current = b""
        first = begun = -1  # Where the range that is open begins, and with which span.
        while position < stop:
            frame = position
            if body[position] != _CHILD:
                if first >= 0:
                    ranges.append((current, first, frame, seen - begun))
                    first = -1
                position = _skip(body, position)
                head += body[frame:position]
                continue
            size = body[position + 1]
            position += 2
            if size > 0x7F:
                more = body[position]
                if more < 0x80:
                    size += (more << 7) - 0x80
                    position += 1
                else:
                    size, position = _varint(body, position - 1)
            trace_id = ids[seen]
            if trail:
                self._ends.append(position + size)
            elif not size or body[position] != _TRACE_ID_TAG:
                trail = self._lacks_lead(position + size)
            position += size
            if trace_id != current or first < 0:
                if first >= 0:
                    ranges.append((current, first, frame, seen - begun))
                current, first, begun = trace_id, frame, seen
            seen += 1
        if position > stop:
            raise Malformed("a scope of the OTLP request is cut off")
        if first >= 0:
            ranges.append((current, first, position, seen - begun))
        if ranges:
            self.scopes.append((origin, resource, head, ranges))
        self._seen = seen

    def _lacks_lead(self, stop: int) -> bool:
        """A span does not begin with its trace id; whether all may be expected to end with it."""
        if self._lead and not self._ends and not self.scopes and not self._seen:
            self._trail = True
            self._ends.append(stop)
        else:
            self._lead = False
        return self._trail


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
