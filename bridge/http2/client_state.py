"""
One HTTP/2 client connection as a pure state machine, for unary calls: bytes in, answers out.

The counterpart of `state`: nothing here waits, reads a clock or touches a socket. Rules are
RFC 9113's, and gRPC's where they say more: a server that goes away finishes the calls that it took.
"""

from typing import Final

from bridge.http2.budget import ActivityBudget
from bridge.http2.client_head import encode_request, status_of, take_fields
from bridge.http2.client_peer import ClientPeer
from bridge.http2.client_stream import ClientStream, Outcome
from bridge.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MAX,
    FRAME_HEAD,
    FRAME_HEAD_BYTES,
    HEADERS,
    PADDED,
    PREFACE,
    PUSH_PROMISE,
    SETTING_ENABLE_PUSH,
    SETTING_MAX_HEADER_LIST_SIZE,
    SETTINGS,
    STREAM_ID_MAX,
    WINDOW_BYTES_INITIAL,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    frame,
    goaway,
    rst_stream,
    settings,
    window_update,
)
from bridge.http2.head_reader import BlockAssembler, unpad
from bridge.http2.header_decoder import ENTRY_OVERHEAD_BYTES, Field, HeaderDecoder
from bridge.http2.limits import Http2Limits

CLIENT_LIMITS: Final = Http2Limits(
    header_list_bytes_max=64 << 10,
    header_block_bytes_max=128 << 10,
    connection_window_bytes=1 << 20,
)
"""gRPC puts details of errors into trailers, up to 8 KiB by default; windows suit small answers."""


class ClientState:
    """
    The state of one connection.

    Attributes:
        out:
            What the protocol writes and clears. Pieces of messages are views, not copies.
        fault:
            Why the connection is over, or `None`. GOAWAY is already among the bytes to write.
    """

    def __init__(
        self, answer_bytes_max: int, now: float, limits: Http2Limits = CLIENT_LIMITS
    ) -> None:
        self.now = now
        self.fault: ConnectionFault | None = None
        self.budget = ActivityBudget(limits, now)
        self.streams: dict[int, ClientStream] = {}
        self.peer = ClientPeer(self.streams, self.budget)
        self.out = self.peer.out
        self._answer_bytes_max = answer_bytes_max
        self._limits = limits
        self._decoder = HeaderDecoder()
        self._assembler = BlockAssembler(limits)
        self._window_bytes = limits.connection_window_bytes
        self._ended: list[ClientStream] = []
        self._tail = b""
        self._started = False
        self._block_ends_stream = False
        hello = {SETTING_ENABLE_PUSH: 0, SETTING_MAX_HEADER_LIST_SIZE: limits.header_list_bytes_max}
        self.out += (PREFACE, settings(hello))
        self.out.append(window_update(0, self._window_bytes - WINDOW_BYTES_INITIAL))

    @property
    def has_room(self) -> bool:
        """Whether the server takes one more call now."""
        peer = self.peer
        return len(self.streams) < peer.streams_max and not (peer.leaving or peer.exhausted)

    def open(self, fields: list[Field], message: bytes, prefix: bytes = b"") -> ClientStream:
        """
        Begin a call; `pump` sends the message. Needs `has_room`.

        Args:
            fields: The request's, pseudo-headers first. Names are lower-case.
            message: Kept by reference until it was written.
            prefix: Goes out ahead of *message*, without a copy of it.
        """
        peer = self.peer
        stream = ClientStream(
            peer.take_stream_id(), prefix, memoryview(message), peer.initial_window_bytes
        )
        self.streams[stream.id] = stream
        block = peer.take_block_prefix() + encode_request(fields)
        self._write_block(stream.id, block, 0 if stream.unsent_bytes else END_STREAM)
        return stream

    def pump(self, bytes_max: int) -> bool:
        """
        Write messages as far as the server's windows allow, in the order of the calls.

        Returns:
            Whether *bytes_max* ended it, so that more can be written at once.
        """
        return self.peer.pump(bytes_max)

    def cancel(self, stream: ClientStream) -> None:
        """Nobody waits for *stream* any more: tell the server; harmless if it is over."""
        if self.streams.pop(stream.id, None) is not None:
            self.out.append(rst_stream(stream.id, ErrorCode.CANCEL))

    def ping(self, payload: bytes) -> None:
        """Ask for a sign of life with these eight bytes."""
        self.peer.ping(payload)

    def receive(self, data: bytes) -> list[ClientStream]:
        """
        Take bytes from the server.

        Returns:
            The calls that ended, in order; each says how.
        """
        if self.fault is None:
            try:
                self._consume(data)
            except ConnectionFault as fault:
                self.fault = fault
                self.out.append(goaway(0, fault.code, str(fault)))
        ended, self._ended = self._ended, []
        return ended

    def _consume(self, data: bytes) -> None:
        if self._tail:
            data = self._tail + data
        position, size = 0, len(data)
        while size - position >= FRAME_HEAD_BYTES:
            high, low, kind, flags, stream_id = FRAME_HEAD.unpack_from(data, position)
            length = high << 8 | low
            if not self._started and (kind != SETTINGS or length > FRAME_BYTES_MAX):
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS must come first")
            if length > FRAME_BYTES_MAX:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"frame of {length} bytes")
            start = position + FRAME_HEAD_BYTES
            end = start + length
            if end > size:
                break
            position = end
            self._started = True
            try:
                self._on_frame(kind, flags, stream_id & STREAM_ID_MAX, data, start, end)
            except StreamFault as fault:
                self._end_broken(fault)
        self._tail = data[position:] if position < size else b""

    def _on_frame(
        self, kind: int, flags: int, stream_id: int, data: bytes, start: int, end: int
    ) -> None:
        assembler = self._assembler
        block: bytes | None = None
        if kind == CONTINUATION:
            block = assembler.proceed(stream_id, flags, data[start:end])
        elif assembler.open:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "frame inside a header block")
        elif kind == DATA:
            self._on_data(stream_id, flags, data, start, end)
        elif kind == HEADERS:
            self.peer.check_known(stream_id)
            self._block_ends_stream = bool(flags & END_STREAM)
            block = assembler.begin(stream_id, flags, data[start:end])
        elif kind == PUSH_PROMISE:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "pushing was switched off")
        else:
            self._ended += self.peer.on_frame(kind, flags, stream_id, data[start:end], self.now)
        if block is not None:
            self._on_block(stream_id, block)

    def _on_data(self, stream_id: int, flags: int, data: bytes, start: int, end: int) -> None:
        self.peer.check_known(stream_id)
        # Padding and data of calls that are over count as well: the server charged them.
        length = end - start
        self._window_bytes -= length
        if self._window_bytes < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window exceeded")
        if self._window_bytes < self._limits.connection_window_bytes >> 1:
            self.out.append(
                window_update(0, self._limits.connection_window_bytes - self._window_bytes)
            )
            self._window_bytes = self._limits.connection_window_bytes
        if flags & PADDED:
            start, end = unpad(data, start, end)
        stream = self.streams.get(stream_id)
        if start == end and not (stream is not None and flags & END_STREAM):
            self.budget.control(self.now)
        if stream is None:
            return
        stream.window_bytes -= length
        if stream.window_bytes < 0:
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "stream window exceeded")
        if not stream.answer.headers:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "DATA before HEADERS")
        self._take_body(stream, data[start:end], ended=bool(flags & END_STREAM))

    def _take_body(self, stream: ClientStream, data: bytes, *, ended: bool) -> None:
        body = stream.answer.body
        body += data
        if len(body) > self._answer_bytes_max:
            self.cancel(stream)
            self._end(stream, "too_large", f"the answer exceeds {self._answer_bytes_max} bytes")
        elif ended:
            self._finish(stream)
        elif stream.window_bytes < WINDOW_BYTES_INITIAL >> 1:
            self.out.append(window_update(stream.id, WINDOW_BYTES_INITIAL - stream.window_bytes))
            stream.window_bytes = WINDOW_BYTES_INITIAL

    def _on_block(self, stream_id: int, block: bytes) -> None:
        # Decoded even if nobody wants it: later blocks depend on it.
        fields = self._decoder.decode(block)
        stream = self.streams.get(stream_id)
        if stream is None:
            self.budget.control(self.now)
            return
        if sum(len(n) + len(v) + ENTRY_OVERHEAD_BYTES for n, v in fields) > (
            self._limits.header_list_bytes_max
        ):
            raise StreamFault(stream_id, ErrorCode.ENHANCE_YOUR_CALM, "headers are too large")
        answer = stream.answer
        if answer.headers:
            if not self._block_ends_stream:
                raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "trailers must come last")
            take_fields(stream_id, fields, answer.trailers)
        elif 100 <= status_of(stream_id, fields) < 200:
            self.budget.control(self.now)  # An interim answer; the real one follows.
        else:
            take_fields(stream_id, fields, answer.headers)
        if self._block_ends_stream:
            if not answer.headers:
                raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "an interim answer ended it")
            self._finish(stream)

    def _finish(self, stream: ClientStream) -> None:
        if stream.unsent_bytes:
            self.cancel(stream)  # The server has answered without reading all of it.
        self._end(stream, "answered", "")

    def _end_broken(self, fault: StreamFault) -> None:
        self.budget.reset(self.now)
        stream = self.streams.get(fault.stream_id)
        self.out.append(rst_stream(fault.stream_id, fault.code))
        if stream is not None:
            self._end(stream, "failed", f"broke the HTTP/2 protocol: {fault}")

    def _end(self, stream: ClientStream, outcome: Outcome, reason: str) -> None:
        self.streams.pop(stream.id, None)
        stream.outcome, stream.reason = outcome, reason
        self._ended.append(stream)

    def _write_block(self, stream_id: int, block: bytes, flags: int) -> None:
        first, rest = block[:FRAME_BYTES_MAX], block[FRAME_BYTES_MAX:]
        self.out.append(frame(HEADERS, flags | (0 if rest else END_HEADERS), stream_id, first))
        while rest:
            piece, rest = rest[:FRAME_BYTES_MAX], rest[FRAME_BYTES_MAX:]
            self.out.append(frame(CONTINUATION, 0 if rest else END_HEADERS, stream_id, piece))
