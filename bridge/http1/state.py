"""
One HTTP/1 server connection as a pure state machine: bytes in, complete requests and bytes out.

The grammar is llhttp's, by way of `httptools`; bounds, order and the ways to end a connection are
ours. Nothing here waits, reads a clock or touches a socket; `protocol` does.
"""

from collections import deque
from typing import Final

import httptools

from bridge.http1.gate import Gate
from bridge.http1.known_heads import KnownHeads
from bridge.http1.limits import Http1Limits
from bridge.http1.message import CONTINUE, Head, Request, Response
from bridge.http1.whole_request import Connection, Lane
from bridge.http2 import PREFACE, ErrorCode, Field, goaway, settings

_HTTP2_ANSWER: Final = settings({}) + goaway(
    0, ErrorCode.HTTP_1_1_REQUIRED, "This port speaks HTTP/1.1. gRPC has a port of its own."
)
_TLS_HELLO: Final = b"\x16\x03"
_NO_HEAD: Final = Head(b"GET", b"", (), "1.1")
_LENGTH_NAME_BYTES: Final = len(b"content-length")
_CHUNK_OVERHEAD_PER_BYTE: Final = 8
"""A chunk of one byte takes five more; whoever sends worse wants to keep us busy."""
_LINE_FRAME_BYTES: Final = len(b"  HTTP/1.1\r\n\r\n")
_FIELD_FRAME_BYTES: Final = len(b": \r\n")


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
        self._known = KnownHeads(limits)
        self._head_at: tuple[bytes, int] | None = None
        self._repeated = False
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
        position = 0
        while position < len(data) and self._parsing():
            if self._raw_left_bytes:
                position = self._take_raw(data, position)
            elif self._request is None and not self._in_head:
                position = self._open_known(data, position) or self._parse(data, position)
            else:
                position = self._parse(data, position)

    def take_whole(self, data: bytes, lane: Lane, connection: Connection) -> bool:
        """Take *data* if it is one request, with nothing before it, that *lane* takes."""
        if self.queue or self._in_head or self.closing or self._broken or self.draining:
            return False
        found = self._known.find(data)
        if found is None:
            return False
        head, length, body_at = found
        if body_at + length != len(data):
            return False
        request = lane.take(head, data, body_at, self.now, connection)
        if request is None:
            return False
        self.queue.append(request)
        return True

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
        self._in_head = False
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
        """A request begins, unless the connection ends before it."""
        if not self._parsing():
            return
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
        if not self._parsing():
            return
        self._in_head = False
        # Only the first head of a portion is where the portion begins.
        head_at, self._head_at = self._head_at, None
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
        elif head_at is not None and self._repeated:
            self._known.learn(*head_at, head, length)
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
        self._repeated = head is not None
        if head is None:
            head = Head(method, self._url, self._fields, version)
            if len(self._heads) >= self._limits.cached_heads_max:
                self._heads.clear()
            self._heads[key] = head
        # The parser has checked that it is a number, and the only one.
        return head, int(lengths[0][1]) if lengths else 0

    def _open_known(self, data: bytes, position: int) -> int:
        """Where the body begins of a request whose head came before; 0 if none is at *position*."""
        found = self._known.find(data, position)
        if found is None or (self.queue and not self.queue[-1].keep_alive):
            # Nothing may follow the last request of a connection: the parser says so.
            return 0
        head, length, body_at = found
        request = Request(head, length, self.now)
        self._request = request
        self.queue.append(request)
        self._raw_left_bytes = length
        refusal = self._gate.admit(request)
        if refusal is not None:
            self._refuse(request, refusal)
        return body_at

    def _parse(self, data: bytes, position: int) -> int:
        """Give the parser what comes next of *data*; where it has stopped."""
        stop = len(data)
        if self._request is None:
            # A head is fed in portions, so that the parser never holds more than its limit.
            stop = min(stop, position + self._limits.head_bytes_max)
            if not self._in_head:
                self._head_at = (data, position)
        whole = position == 0 and stop == len(data)
        unread_bytes = self._feed(data if whole else memoryview(data)[position:stop])
        self._head_at = None
        return stop - unread_bytes

    def _parsing(self) -> bool:
        return not self._broken and (self.lingering or not self.closing)

    def _feed(self, portion: bytes | memoryview) -> int:
        """Give *portion* to the parser; how many bytes of it are not for the parser."""
        in_body, in_head = self._request is not None, self._in_head
        # A head that began and ended in a small portion is no larger than that.
        self._head_fits = not in_head and len(portion) <= self._limits.head_bytes_max
        try:
            self._parser.feed_data(portion)
        except httptools.HttpParserUpgrade as upgrade:
            self._parser = httptools.HttpRequestParser(self)
            unread_bytes: int = len(portion) - upgrade.args[0]
            return unread_bytes
        except httptools.HttpParserError as error:
            if self._parsing():
                self.fail(self._gate.bad_request, str(error))
            return 0
        if self._in_head:
            # What came before the head in the portion where it began belongs to other requests.
            self._head_bytes += len(portion) if in_head else 0
            if self._head_bytes > self._limits.head_bytes_max:
                self.fail(self._gate.head_too_large, "head too large")
        elif in_body and self._request is not None and self._request.head.chunked:
            self._check_chunk_overhead(self._request, len(portion))
        return 0

    def _check_chunk_overhead(self, request: Request, fed_bytes: int) -> None:
        self._body_fed_bytes += fed_bytes
        overhead_bytes = self._body_fed_bytes - request.received_bytes
        allowed_bytes = (
            self._limits.chunk_overhead_bytes_max
            + request.received_bytes * _CHUNK_OVERHEAD_PER_BYTE
        )
        if overhead_bytes > allowed_bytes:
            self.fail(self._gate.bad_request, "more chunk framing than data")

    def _take_raw(self, data: bytes, position: int) -> int:
        """Take what comes next of a body past the parser; where it has stopped."""
        piece = data[position : position + self._raw_left_bytes]
        self.on_body(piece)
        self._raw_left_bytes -= len(piece)
        if not self._raw_left_bytes:
            self._complete()
        return position + len(piece)

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
