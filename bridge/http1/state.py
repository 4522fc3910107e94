"""
One HTTP/1 server connection as a pure state machine: bytes in, complete requests and bytes out.

The grammar is llhttp's, by way of `httptools`; bounds, order and the ways to end a connection are
ours. Nothing here waits, reads a clock or touches a socket; `protocol` does.
"""

from collections import deque
from typing import Final, Protocol

import httptools

from bridge.http1.limits import Http1Limits
from bridge.http1.message import CONTINUE, Head, Request, Response
from bridge.http2 import PREFACE, ErrorCode, Field, goaway, settings

_HTTP2_ANSWER: Final = settings({}) + goaway(
    0, ErrorCode.HTTP_1_1_REQUIRED, "This port speaks HTTP/1.1. gRPC has a port of its own."
)
_TLS_HELLO: Final = b"\x16\x03"
_NO_HEAD: Final = Head(b"GET", b"", (), "1.1")
_LENGTH_NAME_BYTES: Final = len(b"content-length")
_CHUNK_OVERHEAD_PER_BYTE: Final = 8
_LINE_FRAME_BYTES: Final = len(b"  HTTP/1.1\r\n\r\n")
_FIELD_FRAME_BYTES: Final = len(b": \r\n")
"""A chunk of one byte takes five more; whoever sends worse wants to keep us busy."""


class Gate(Protocol):
    """The handler's say before bodies are buffered. Synchronous: it decides, it does not wait."""

    @property
    def bad_request(self) -> Response:
        """The answer to what is no HTTP/1 request."""
        ...

    @property
    def head_too_large(self) -> Response:
        """The answer to a head over its limits."""
        ...

    def admit(self, request: Request) -> Response | None:
        """Judge a request by its head and charge its `content_length`, or refuse it."""
        ...

    def admit_more(self, request: Request, more_bytes: int) -> Response | None:
        """Charge the next bytes of a body that did not declare its length, or refuse it."""
        ...


class ConnectionState:
    """
    The state of one connection.

    Attributes:
        out:
            What the protocol writes and clears.
        queue:
            Requests not yet answered, in order; the last may be incomplete. They are served singly.
        dropped:
            Requests that ended without being served since the protocol last looked: their charges
            are given back.
        closing:
            Nothing more is answered; the connection is closed once `lingering` is over.
        fault:
            What was wrong with the peer's bytes, or empty.
    """

    def __init__(self, gate: Gate, limits: Http1Limits, now: float) -> None:
        self.now = now
        self.date = ""
        self.out: list[bytes] = []
        self.queue: deque[Request] = deque()
        self.dropped: list[Request] = []
        self.closing = False
        self.lingering = False
        self.lingered_bytes = 0
        self.fault = ""
        self.draining = False
        self._gate = gate
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        # What changes with every message.
        self._url = b""
        self._fields: list[Field] = []
        self._in_head = False
        self._head_bytes = 0
        self._head_fits = True
        self._body_fed_bytes = 0
        self._raw_left_bytes = 0
        self._request: Request | None = None
        self._heads: dict[tuple[object, ...], Head] = {}
        self._first = True
        self._broken = False

    @property
    def receiving_head(self) -> bool:
        """Whether a request's head is incomplete, as the first is when the connection opens."""
        return self._in_head or self._first

    @property
    def idle(self) -> bool:
        """Whether nothing is due to the peer and nothing has begun to arrive."""
        return not self.queue and not self._in_head

    @property
    def receiving(self) -> Request | None:
        """The request whose body is incomplete, if any."""
        return self._request

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer: requests appear in `queue`, refusals in `out`."""
        if self.closing or self._broken:
            self.lingered_bytes += len(data)
            if self._broken or not self.lingering:
                return
        if self._first:
            self._first = False
            if self._is_foreign(data):
                return
        if self._request is None and len(data) <= self._limits.head_bytes_max:
            rest = self._feed(data)
            if rest is None:
                return
            data = rest
        view = memoryview(data)
        while view and self._parsing():
            if self._raw_left_bytes:
                view = self._take_raw(view)
                continue
            # A head is fed in portions, so that the parser never holds more than its limit.
            portion = view[: self._limits.head_bytes_max] if self._request is None else view
            view = view[len(portion) :]
            unread = self._feed(portion)
            if unread is not None:
                view = memoryview(unread + bytes(view))

    def respond(self, request: Request, response: Response) -> None:
        """Answer *request*; without effect if it has an answer."""
        if request.response is None:
            request.response = response
            self._write_ready()

    def next_request(self) -> Request | None:
        """The request to serve now: the first of the queue, if complete and not begun."""
        if self.queue and not self.closing:
            first = self.queue[0]
            if first.complete and first.response is None and not first.begun:
                return first
        return None

    def fail(self, response: Response, fault: str) -> None:
        """Answer with *response* once what came before is answered, and close."""
        self.fault = fault
        self._broken = True
        request = self._request
        if request is None:
            request = Request(_NO_HEAD, None, self.now)
            self.queue.append(request)
        self._request = None
        request.keep_alive = False
        request.complete = True
        self._refuse(request, response)
        self._write_ready()

    def drop_all(self) -> None:
        """Give up everything, as when the connection is lost."""
        self.closing = True
        self.lingering = False
        self._request = None
        self.dropped += self.queue
        self.queue.clear()

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._fields = []
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        """Part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of the head; trailers are ignored."""
        if self._in_head:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is complete: ask the gate."""
        if self._broken:
            return
        self._in_head = False
        self._head_bytes = self._body_fed_bytes = 0
        too_large = not self._head_fits and self._head_size() > self._limits.head_bytes_max
        head, length = self._read_head()
        request = Request(head, None if head.chunked else length, self.now)
        self._request = request
        self.queue.append(request)
        if too_large or len(self._fields) > self._limits.head_fields_max:
            request.keep_alive = False
            self._refuse(request, self._gate.head_too_large)
            return
        if self._parser.should_upgrade():
            # The parser would skip the body of a request that offers an upgrade. We decline the
            # offer, which is a server's right, and read the body ourselves.
            if head.chunked:
                request.keep_alive = False
                self._refuse(request, self._gate.bad_request)
                return
            self._raw_left_bytes = length
        refusal = self._gate.admit(request)
        if refusal is not None:
            self._refuse(request, refusal)
        elif head.get(b"expect") is not None and len(self.queue) == 1:
            self.out.append(CONTINUE)

    def on_body(self, data: bytes) -> None:
        """The next bytes of a body."""
        request = self._request
        if request is None:
            return
        if request.refused:
            request.received_bytes += len(data)
            return
        if request.head.chunked:
            refusal = self._gate.admit_more(request, len(data))
            if refusal is not None:
                self._refuse(request, refusal)
                return
        request.add(data)

    def on_message_complete(self) -> None:
        """The request is complete, unless its body is read past the parser."""
        if not self._raw_left_bytes:
            self._complete()

    def _head_size(self) -> int:
        """Bytes of the head as it was sent, but for optional spaces."""
        fields = sum(len(name) + len(value) + _FIELD_FRAME_BYTES for name, value in self._fields)
        return len(self._parser.get_method()) + len(self._url) + _LINE_FRAME_BYTES + fields

    def _read_head(self) -> tuple[Head, int]:
        # What differs from request to request is left out of the key: clients send the rest alike.
        lengths = [
            field
            for field in self._fields
            if len(field[0]) == _LENGTH_NAME_BYTES and field[0].lower() == b"content-length"
        ]
        for field in lengths:
            self._fields.remove(field)
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        key = (method, version, self._url, *self._fields)
        head = self._heads.get(key)
        if head is None:
            head = Head(method, self._url, self._fields, version)
            if len(self._heads) >= self._limits.cached_heads_max:
                self._heads.clear()
            self._heads[key] = head
        # The parser has checked that it is a number, and the only one.
        return head, int(lengths[0][1]) if lengths else 0

    def _parsing(self) -> bool:
        return not self._broken and (self.lingering or not self.closing)

    def _feed(self, portion: bytes | memoryview) -> bytes | None:
        in_body, in_head = self._request is not None, self._in_head
        # A head that began and ended in a small portion is no larger than that.
        self._head_fits = not in_head and len(portion) <= self._limits.head_bytes_max
        try:
            self._parser.feed_data(portion)
        except httptools.HttpParserUpgrade as upgrade:
            self._parser = httptools.HttpRequestParser(self)
            return bytes(portion[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self.fail(self._gate.bad_request, str(error))
            return None
        if self._in_head:
            # What came before the head in the portion where it began belongs to other requests.
            self._head_bytes += len(portion) if in_head else 0
            if self._head_bytes > self._limits.head_bytes_max:
                self.fail(self._gate.head_too_large, "head too large")
        elif in_body and self._request is not None and self._request.head.chunked:
            self._check_chunk_overhead(self._request, len(portion))
        return None

    def _check_chunk_overhead(self, request: Request, fed_bytes: int) -> None:
        self._body_fed_bytes += fed_bytes
        overhead_bytes = self._body_fed_bytes - request.received_bytes
        allowed_bytes = (
            self._limits.chunk_overhead_bytes_max
            + request.received_bytes * _CHUNK_OVERHEAD_PER_BYTE
        )
        if overhead_bytes > allowed_bytes:
            self.fail(self._gate.bad_request, "more chunk framing than data")

    def _take_raw(self, view: memoryview) -> memoryview:
        piece = view[: self._raw_left_bytes]
        self.on_body(bytes(piece))
        self._raw_left_bytes -= len(piece)
        if not self._raw_left_bytes:
            self._complete()
        return view[len(piece) :]

    def _complete(self) -> None:
        request, self._request = self._request, None
        if request is None:
            return
        request.complete = True
        if self.closing:
            self.lingering = False
        elif len(self.queue) > self._limits.pipelined_max:
            self.fail(self._gate.bad_request, "too many pipelined requests")
        else:
            self._write_ready()

    def _refuse(self, request: Request, refusal: Response) -> None:
        request.refused = True
        request.parts.clear()
        length = request.content_length
        long = length is None or length > self._limits.kept_alive_bytes_max
        if not request.complete and (long or request.head.get(b"expect") is not None):
            request.keep_alive = False
        self.dropped.append(request)
        self.respond(request, refusal)

    def _write_ready(self) -> None:
        while self.queue and not self.closing:
            request = self.queue[0]
            if request.response is None:
                return
            if request.keep_alive and not request.complete:
                # A short body of a refused request is still on its way: answer when it is here.
                return
            self.queue.popleft()
            close = self.draining or not request.keep_alive
            self.out.append(request.response.render(request, self.date, close=close))
            if close:
                self.closing = True
                self.lingering = not request.complete
                if self._request is not request:
                    self._request = None
                self.dropped += self.queue
                self.queue.clear()

    def _is_foreign(self, data: bytes) -> bool:
        if data.startswith(PREFACE[:16]):
            self.out.append(_HTTP2_ANSWER)
            self.fault = "HTTP/2 on the HTTP/1.1 port"
        elif data.startswith(_TLS_HELLO):
            self.fault = "TLS on a plain text port"
        else:
            return False
        self.closing = True
        return True
