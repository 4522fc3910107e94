"""Trace requests put together from prepared pieces with fresh ids, in either field order."""

import gzip
import os
from collections.abc import Iterator

SPANS_PER_TRACE = 5


class Requests:
    """
    Serialized trace requests with fresh ids.

    Span ids count up from `first_id`, so that all spans of a run are known; trace ids are random.

    Args:
        order:
            ``sdk`` writes a span's fields ascending, ``collector`` descending with resource and
            scope after their spans, as a Go Collector does.
        traces:
            0 for new traces of five spans each. Otherwise each span takes the next of so many
            trace ids, over and over.
    """

    def __init__(
        self, spans: int, *, order: str = "sdk", gzipped: bool = False, traces: int = 0
    ) -> None:
        self.spans = spans
        self._ids = os.urandom(16 * traces)
        self.gzipped = gzipped
        self.first_id = int.from_bytes(os.urandom(4), "big") << 32
        self.made = 0
        self._pieces = list(_pieces(spans, order))
        # A Collector writes the span id before the trace id.
        self._trace_at, self._span_at = (1, 3) if order == "sdk" else (3, 1)

    def __call__(self) -> bytes:
        """The next request."""
        pieces = self._pieces.copy()
        next_id = self.first_id + self.made
        if self._ids:
            ids, first, a_trace = self._ids, self.made, 1
        else:
            made = -(-self.spans // SPANS_PER_TRACE)
            ids, first, a_trace = os.urandom(16 * made), 0, SPANS_PER_TRACE
        self.made += self.spans
        for index in range(self.spans):
            trace = (first + index) // a_trace * 16 % len(ids)
            pieces[4 * index + self._trace_at] = ids[trace : trace + 16]
            pieces[4 * index + self._span_at] = (next_id + index).to_bytes(8, "big")
        body = b"".join(pieces)
        return gzip.compress(body, 1) if self.gzipped else body


def _pieces(spans: int, order: str) -> Iterator[bytes]:
    """The request cut around each id: piece, id, piece, id, ..., piece."""
    template = _template(spans, order)
    position = 0
    for index in range(spans):
        marks = _mark(b"T", index, 16), _mark(b"S", index, 8)
        for mark in sorted(marks, key=lambda mark: template.index(mark, position)):
            found = template.index(mark, position)
            yield template[position:found]
            yield mark
            position = found + len(mark)
    yield template[position:]


def _mark(kind: bytes, index: int, length: int) -> bytes:
    return kind + index.to_bytes(3, "big") + b"\xfe" * (length - 4)


def _field(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(key: str, value: str) -> bytes:
    return _field(1, key.encode()) + _field(2, _field(1, value.encode()))


def _span(index: int, order: str) -> bytes:
    start = 1_718_000_000_000_000_000 + index * 1_000_000
    fields = [
        _field(1, _mark(b"T", index, 16)),
        _field(2, _mark(b"S", index, 8)),
        _field(5, f"GET /api/orders/{index % 7}".encode()),
        b"\x30\x02",
        b"\x39" + start.to_bytes(8, "little"),
        b"\x41" + (start + 7_000_000 * (1 + index % 90)).to_bytes(8, "little"),
        *(
            _field(9, _text(key, value))
            for key, value in (
                ("http.request.method", "GET"),
                ("url.path", f"/api/orders/{index % 97}"),
                ("http.response.status_code", "200"),
                ("server.address", "orders.internal.example"),
                ("network.protocol.version", "1.1"),
                ("user_agent.original", "okhttp/4.12.0 (load)"),
                ("enduser.id", f"customer-{index % 1013}"),
                ("thread.name", f"http-worker-{index % 16}"),
            )
        ),
        _field(15, b"\x18\x02" if index % 50 == 0 else b""),
    ]
    return b"".join(fields if order == "sdk" else reversed(fields))


def _template(spans: int, order: str) -> bytes:
    resource = _field(
        1, _field(1, _text("service.name", "orders")) + _field(1, _text("host.name", "h1"))
    )
    scope = _field(1, _field(1, b"load"))
    body = b"".join(_field(2, _span(index, order)) for index in range(spans))
    scoped = _field(2, scope + body if order == "sdk" else body + scope)
    return _field(1, resource + scoped if order == "sdk" else scoped + resource)
