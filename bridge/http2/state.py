"""
One HTTP/2 server connection as a pure state machine: bytes in, complete requests and bytes out.

It knows unary requests only: a head, a body, one answer. Nothing here waits, reads a clock or
touches a socket; `protocol` does. Rules are RFC 9113's.
"""

from bridge.http2.budget import ActivityBudget
from bridge.http2.call_taker import CallTaker
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
    SETTINGS,
    STREAM_ID_MAX,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    goaway,
    rst_stream,
    window_update,
)
from bridge.http2.gate import Gate
from bridge.http2.head import Head, check_trailers
from bridge.http2.head_reader import BlockAssembler, HeadReader, unpad
from bridge.http2.header_decoder import Field
from bridge.http2.limits import Http2Limits
from bridge.http2.peer import Peer
from bridge.http2.preface import has_preface
from bridge.http2.registry import StreamRegistry
from bridge.http2.sender import Sender
from bridge.http2.stream import Response, Stream
from bridge.http2.whole_call import CallHandler, SettledCalls


class ConnectionState:
    """
    The state of one connection.

    Args:
        taking:
            Who takes what arrives whole, past *gate*, and where such calls note that they ended.

    Attributes:
        sender:
            The outgoing side; `sender.out` is what the protocol writes and clears.
        dropped:
            Streams that ended without our answer since the protocol last looked: their tasks are
            cancelled and their charges given back.
        fault:
            Why the connection is over, or `None`. GOAWAY is already among the bytes to write.
    """

    def __init__(
        self,
        gate: Gate,
        limits: Http2Limits,
        now: float,
        taking: tuple[CallHandler, SettledCalls] | None = None,
    ) -> None:
        self.now = now
        self.registry = StreamRegistry()
        self.sender = Sender(limits, self.registry)
        self.budget = ActivityBudget(limits, now)
        self.dropped: list[Stream] = []
        self.fault: ConnectionFault | None = None
        self._gate = gate
        self._prefix_bytes = gate.prefix_bytes
        self._limits = limits
        self._heads = HeadReader(limits, gate.volatile_fields)
        self._peer = Peer(self.sender, self.registry, self.budget)
        self._window_bytes = limits.connection_window_bytes
        self._tail = b""
        self._preface_seen = False
        self._started = False
        self._assembler = BlockAssembler(limits)
        self._block_ends_stream = False
        self._refusing = False
        self._taker: CallTaker | None = None
        if taking is not None:
            self._taker = CallTaker(*taking, limits, self.registry, self._heads, self.sender)

    def receive(self, data: bytes) -> list[Stream]:
        """
        Take bytes from the peer.

        Returns:
            The requests that became complete, in order; the caller answers each with `respond`.
        """
        complete: list[Stream] = []
        if self.fault is None:
            try:
                self._consume(data, complete)
            except ConnectionFault as fault:
                self.fail(fault)
        return complete

    def respond(self, stream: Stream, response: Response) -> None:
        """Answer *stream*; without effect if it is over already."""
        if not stream.closed and not stream.answered:
            stream.answered = True
            if self.sender.respond(stream, response):
                self._finish(stream)

    def respond_in_parts(self, stream: Stream, part: Response) -> None:
        """
        Answer *stream* with a part of several; the last one ends it.

        A peer that has left no room for the part before is not waited for: the stream is reset.
        """
        if stream.closed or stream.answered:
            return
        if stream.id in self.sender.blocked:
            self.reset(stream, ErrorCode.FLOW_CONTROL_ERROR)
            return
        stream.opened = True
        stream.answered = part.ends
        if self.sender.respond_in_parts(stream, part) and part.ends:
            self._finish(stream)

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """End *stream* without an answer."""
        if not stream.closed:
            self.sender.out.append(rst_stream(stream.id, code))
            self._drop(stream, by_us=True)

    def fail(self, fault: ConnectionFault) -> None:
        """End the connection: GOAWAY, and every open stream is dropped."""
        self.fault = fault
        self.sender.out.append(goaway(self.registry.last_id, fault.code, str(fault)))
        self.drop_all()

    def drop_all(self) -> None:
        """Give up every open stream, as when the connection is lost."""
        for stream in list(self.registry.open.values()):
            self._drop(stream, by_us=True)

    def announce_end(self) -> None:
        """Tell the peer to open nothing more here; what is on its way is still taken."""
        self.sender.out.append(goaway(STREAM_ID_MAX, ErrorCode.NO_ERROR))

    def refuse_new(self) -> None:
        """Name the last stream taken; later ones are refused, which peers retry elsewhere."""
        if not self._refusing:
            self._refusing = True
            self.sender.out.append(goaway(self.registry.last_id, ErrorCode.NO_ERROR))

    @property
    def ping_acknowledged(self) -> bool:
        """Whether our last PING was answered."""
        return self._peer.ping_acknowledged

    @property
    def receiving_head(self) -> bool:
        """Whether the preface or a header block is incomplete."""
        return not self._preface_seen or self._assembler.open

    def ping(self, payload: bytes) -> None:
        """Send a PING with these eight bytes."""
        self._peer.ping(payload)

    def _consume(self, data: bytes, complete: list[Stream]) -> None:
        if self._tail:
            data = self._tail + data
        position = 0
        if not self._preface_seen:
            if not has_preface(data):
                self._tail = data
                return
            self._preface_seen = True
            position = len(PREFACE)
        size = len(data)
        read_head, assembler = FRAME_HEAD.unpack_from, self._assembler
        taker = self._taker if self._started else None
        while size - position >= FRAME_HEAD_BYTES:
            high, low, kind, flags, stream_id = read_head(data, position)
            if taker and kind == HEADERS and not assembler.open and not self._refusing:
                start = position
                position = self._take_calls(taker, data, start, complete)
                # What is odd is judged frame by frame, and so is what comes after it.
                taker = None if taker.odd else taker
                if position != start:
                    continue
            length = high << 8 | low
            if length > FRAME_BYTES_MAX:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"frame of {length} bytes")
            start = position + FRAME_HEAD_BYTES
            end = start + length
            if end > size:
                break
            position = end
            stream_id &= STREAM_ID_MAX
            try:
                if kind == DATA and not assembler.open:
                    self._on_data(stream_id, flags, data, start, end, complete)
                elif kind == HEADERS and not assembler.open:
                    self._on_headers(stream_id, flags, data[start:end], complete)
                else:
                    self._on_other(kind, flags, stream_id, data[start:end], complete)
            except StreamFault as fault:
                self._on_stream_fault(fault)
        self._tail = data[position:] if position < size else b""

    def _take_calls(
        self, taker: CallTaker, data: bytes, position: int, complete: list[Stream]
    ) -> int:
        try:
            position = taker.take(data, position, self._window_bytes, self.now, complete)
        finally:
            self.budget.useful += taker.useful_frames
            self._window_bytes -= taker.charged_bytes
        if self._window_bytes < self._limits.connection_window_bytes >> 1:
            self._replenish()
        if isinstance(taker.odd, StreamFault):
            self._on_stream_fault(taker.odd)
        elif taker.odd is not None:
            self._open(*taker.odd)
        return position

    def _on_data(
        self, stream_id: int, flags: int, data: bytes, start: int, end: int, complete: list[Stream]
    ) -> None:
        length = end - start
        # Padding and data of streams that are gone count as well: the peer charged them.
        self._window_bytes -= length
        if self._window_bytes < 0:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window exceeded")
        if self._window_bytes < self._limits.connection_window_bytes >> 1:
            self._replenish()
        stream = self.registry.open.get(stream_id)
        if stream is None or stream.ended:
            self.budget.control(self.now)
            self.registry.check_stray(stream_id, stream)
            return
        stream.window_bytes -= length
        if stream.window_bytes < 0:
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "stream window exceeded")
        if flags & PADDED:
            start, end = unpad(data, start, end)
        if start < end:
            self.budget.useful += 1
            if stream.refusal is not None:
                self._discard(stream, stream.refusal, end - start)
            else:
                stream.add(data[start:end])
                if stream.admitted:
                    if stream.received_bytes > stream.body_bytes_max:
                        self._refuse(stream, self._gate.overrun)
                elif stream.received_bytes >= self._prefix_bytes:
                    self._admit_body(stream)
        elif not flags & END_STREAM:
            self.budget.control(self.now)
        if flags & END_STREAM:
            if not stream.closed:
                self._end(stream, complete)
        elif stream.window_bytes < self._limits.stream_window_bytes >> 1 and not stream.closed:
            increment = self._limits.stream_window_bytes - stream.window_bytes
            stream.window_bytes += increment
            self.sender.out.append(window_update(stream_id, increment))

    def _replenish(self) -> None:
        increment = self._limits.connection_window_bytes - self._window_bytes
        self._window_bytes += increment
        self.sender.out.append(window_update(0, increment))

    def _discard(self, stream: Stream, refusal: Response, count_bytes: int) -> None:
        stream.received_bytes += count_bytes
        if stream.received_bytes > self._limits.discarded_bytes_max:
            self.respond(stream, refusal)

    def _admit_body(self, stream: Stream) -> None:
        gate = self._gate
        refusal = gate.admit_body(stream, stream.prefix(gate.prefix_bytes))
        if refusal is not None:
            self._refuse(stream, refusal)
            return
        stream.admitted = True
        if stream.received_bytes > stream.body_bytes_max:
            self._refuse(stream, gate.overrun)

    def _refuse(self, stream: Stream, refusal: Response) -> None:
        stream.parts.clear()
        self.sender.respond(stream, refusal)
        self._drop(stream, by_us=True)
        self.sender.out.append(rst_stream(stream.id, ErrorCode.NO_ERROR))

    def _end(self, stream: Stream, complete: list[Stream]) -> None:
        stream.ended = True
        expected = stream.head.content_length
        if expected is not None and expected != stream.received_bytes:
            raise StreamFault(stream.id, ErrorCode.PROTOCOL_ERROR, "content-length is not true")
        if stream.refusal is not None:
            self.respond(stream, stream.refusal)
        else:
            complete.append(stream)

    def _on_headers(
        self, stream_id: int, flags: int, payload: bytes, complete: list[Stream]
    ) -> None:
        if not stream_id & 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "stream id is not a client's")
        if not self._started:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS must come first")
        self._block_ends_stream = bool(flags & END_STREAM)
        block: bytes | None = payload
        if flags & ~END_STREAM != END_HEADERS:
            block = self._assembler.begin(stream_id, flags, payload)
        if block is not None:
            self._on_block(stream_id, block, complete)

    def _on_block(self, stream_id: int, block: bytes, complete: list[Stream]) -> None:
        registry = self.registry
        if stream_id <= registry.last_id:
            self._on_trailers(stream_id, block, complete)
            return
        registry.last_id = stream_id
        self.budget.useful += 1
        head, volatile = self._heads.read(stream_id, block)
        if self._refusing or len(registry.open) >= self._limits.concurrent_streams_max:
            raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, "no more streams")
        stream = self._open(stream_id, head, volatile)
        if self._block_ends_stream:
            self._end(stream, complete)

    def _open(self, stream_id: int, head: Head, volatile: tuple[Field, ...]) -> Stream:
        stream = Stream(
            stream_id,
            head,
            volatile,
            self._limits.stream_window_bytes,
            self.sender.initial_window_bytes,
            self.now,
        )
        self.registry.open[stream_id] = stream
        refusal = self._gate.admit(stream)
        if refusal is not None:
            stream.refusal = refusal
        return stream

    def _on_trailers(self, stream_id: int, block: bytes, complete: list[Stream]) -> None:
        # Decoded even if nobody wants them: later blocks depend on it.
        fields = self._heads.read_trailers(stream_id, block)
        stream = self.registry.open.get(stream_id)
        if stream is None or stream.ended:
            self.budget.control(self.now)
            self.registry.check_stray(stream_id, stream)
            return
        if not self._block_ends_stream:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "second HEADERS must be last")
        check_trailers(stream_id, fields)
        self._end(stream, complete)

    def _on_other(
        self, kind: int, flags: int, stream_id: int, payload: bytes, complete: list[Stream]
    ) -> None:
        if kind == CONTINUATION:
            block = self._assembler.proceed(stream_id, flags, payload)
            if block is not None:
                self._on_block(stream_id, block, complete)
            return
        if self._assembler.open:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "frame inside a header block")
        if not self._started and kind != SETTINGS:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS must come first")
        self._started = True
        gone = self._peer.on_frame(kind, flags, stream_id, payload, self.now)
        for stream in gone.reset:
            self._drop(stream, by_us=False)
        for stream in gone.answered:
            self._finish(stream)

    def _on_stream_fault(self, fault: StreamFault) -> None:
        self.budget.reset(self.now, fault.weight)
        stream = self.registry.open.get(fault.stream_id)
        self.sender.out.append(rst_stream(fault.stream_id, fault.code))
        if stream is not None:
            self._drop(stream, by_us=True)
        else:
            self.registry.remember(fault.stream_id, by_us=True)

    def _finish(self, stream: Stream) -> None:
        if not stream.ended:
            # The rest of the request is of no use: ask the peer to stop sending it.
            self.sender.out.append(rst_stream(stream.id, ErrorCode.NO_ERROR))
        stream.closed = True
        self.registry.close(stream, by_us=not stream.ended)

    def _drop(self, stream: Stream, *, by_us: bool) -> None:
        stream.closed = True
        stream.parts.clear()
        self.sender.forget(stream)
        self.registry.close(stream, by_us=by_us)
        self.dropped.append(stream)
