"""
One HTTP/2 connection to a gRPC server, for unary calls.

The protocol itself is the `h2` library's; here is what gRPC needs of it: a message out, a message
and trailers back, flow control in both directions, a limit on answers, and a GOAWAY that lets the
calls under way finish.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import H2Error
from hyperframe.frame import Frame, GoAwayFrame

from bridge.core import Refused, Unavailable

HeaderList = list[tuple[bytes, bytes]]


class Unprocessed(Unavailable):
    """The server never looked at the request: it may be sent again at once without a duplicate."""


@dataclass(slots=True)
class Answer:
    """What came back on one stream; `headers` and `trailers` by lower-case name."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    trailers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class _Call:
    done: asyncio.Future[Answer]
    unsent: memoryview
    answer: Answer = field(default_factory=Answer)


class _DrainingH2(H2Connection):
    """
    Lets streams finish after a GOAWAY, as RFC 9113 section 6.8 has it.

    The library treats the connection as closed from then on, and answers that are under way would
    be lost: they would be sent again although the server had accepted them.
    """

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        event = ConnectionTerminated()
        event.error_code = frame.error_code
        event.last_stream_id = frame.last_stream_id
        event.additional_data = frame.additional_data or None
        return [], [event]


class Connection(asyncio.Protocol):
    """
    An open connection.

    `on_change` is called whenever a call may find room that it did not find before, or the
    connection no longer takes calls.
    """

    def __init__(self, name: str, answer_bytes_max: int, on_change: Callable[[], None]) -> None:
        self._name = name
        self._answer_bytes_max = answer_bytes_max
        self._on_change = on_change
        # Our own headers are lower case and valid already; checking them is a third of a call.
        self._h2 = _DrainingH2(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._transport: asyncio.Transport | None = None
        # What changes: the calls by stream, whether the socket takes bytes, and how it ends.
        self._calls: dict[int, _Call] = {}
        self._writable = True
        self._draining = False
        self.ended = ""
        """Why it takes no more calls; empty while it does."""
        self._closed = asyncio.get_running_loop().create_future()
        self._bytes_received = 0

    def __repr__(self) -> str:
        state = "draining" if self._draining else "closed" if self._closed.done() else "open"
        return f"Connection({self._name}, {state}, {len(self._calls)} calls)"

    @property
    def usable(self) -> bool:
        """Whether new calls may be made at all."""
        return not self._draining and not self._closed.done()

    @property
    def closed(self) -> bool:
        """Whether the socket is gone."""
        return self._closed.done()

    @property
    def has_room(self) -> bool:
        """Whether one more call may be made now."""
        return self.usable and len(self._calls) < self._h2.remote_settings.max_concurrent_streams

    @property
    def calls(self) -> int:
        """Calls that are under way."""
        return len(self._calls)

    @property
    def bytes_received(self) -> int:
        """Bytes that ever came in; the same number twice means that the server is silent."""
        return self._bytes_received

    async def call(self, headers: HeaderList, message: bytes) -> Answer:
        """
        Send one message and wait for the end of the stream. Needs `has_room`.

        Raises:
            Unprocessed: If the server says that it did not look at it.
            Unavailable: If the connection or the stream ends first: it may have been taken.
            Refused: If the answer exceeds `answer_bytes_max`.

        Cancellation:
            Resets the stream; the server may have taken the message.
        """
        call = _Call(asyncio.get_running_loop().create_future(), memoryview(message))
        try:
            stream_id = self._h2.get_next_available_stream_id()
            self._h2.send_headers(stream_id, headers)
        except H2Error as error:  # Also when the 2^30 stream ids are used up.
            self._stop_taking(f"{self._name}: {error}")
            raise Unprocessed(f"{self._name}: {error}") from error
        self._calls[stream_id] = call
        self._push(stream_id, call)
        self._flush()
        try:
            return await call.done
        finally:
            if self._calls.pop(stream_id, None) is not None:
                self._reset(stream_id)
            self._on_change()
            self._close_if_drained()

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._h2.ping(b"bridge\0\0")
        self._flush()

    def abort(self, reason: str) -> None:
        """Close at once; calls under way fail as `Unavailable`."""
        self._end(reason)
        if self._transport is not None:
            self._transport.abort()

    def drain(self) -> None:
        """Take no more calls and close when the last one has ended."""
        self._stop_taking("stopping")
        self._close_if_drained()

    async def wait_closed(self) -> None:
        """Wait until the socket is gone."""
        await asyncio.shield(self._closed)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open: say hello with windows that do not slow answers down."""
        self._transport = cast("asyncio.Transport", transport)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(self._answer_bytes_max)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if not self._bytes_received and data.startswith(b"HTTP/1"):
            self.abort(f"{self._name} speaks HTTP/1.1 and not gRPC: is the port right?")
        self._bytes_received += len(data)
        try:
            events = self._h2.receive_data(data)
            for event in events:
                self._handle(event)
            self._flush()
        except H2Error as error:
            self._flush()
            self.abort(f"{self._name} broke the HTTP/2 protocol: {error}")

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        self._writable = False

    def resume_writing(self) -> None:
        """The socket takes bytes again."""
        self._writable = True
        self._push_all()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, one way or the other."""
        self._end(f"connection to {self._name} was lost: {exc or 'closed by the other side'}")
        if not self._closed.done():
            self._closed.set_result(None)

    def _stop_taking(self, reason: str) -> None:
        self._draining = True
        self.ended = self.ended or reason

    def _end(self, reason: str) -> None:
        self._stop_taking(reason)
        calls, self._calls = self._calls, {}
        for call in calls.values():
            if not call.done.done():
                call.done.set_exception(Unavailable(reason))
        self._on_change()

    def _handle(self, event: Event) -> None:
        match event:
            case ResponseReceived(stream_id=int() as stream_id, headers=headers):
                if call := self._calls.get(stream_id):
                    call.answer.headers.update(headers)
            case DataReceived(stream_id=int() as stream_id):
                self._take_data(event, stream_id)
            case TrailersReceived(stream_id=int() as stream_id, headers=headers):
                if call := self._calls.get(stream_id):
                    call.answer.trailers.update(headers)
            case StreamEnded(stream_id=int() as stream_id):
                self._finish(stream_id)
            case StreamReset(stream_id=int() as stream_id):
                self._fail_reset(event, stream_id)
            case WindowUpdated() | RemoteSettingsChanged():
                self._push_all()
                self._on_change()
            case ConnectionTerminated():
                self._go_away(event)

    def _take_data(self, event: DataReceived, stream_id: int) -> None:
        size = event.flow_controlled_length or 0
        if size:
            self._h2.acknowledge_received_data(size, stream_id)
        call = self._calls.get(stream_id)
        if call is None:
            return
        call.answer.body += event.data or b""
        if len(call.answer.body) > self._answer_bytes_max:
            self._fail(
                stream_id,
                Refused(f"{self._name}: the answer exceeds {self._answer_bytes_max} bytes"),
            )
            self._reset(stream_id)

    def _finish(self, stream_id: int) -> None:
        call = self._calls.pop(stream_id, None)
        if call is None:
            return
        if call.unsent:
            self._reset(stream_id)  # The server has answered without reading all of it.
        if not call.done.done():
            call.done.set_result(call.answer)

    def _fail_reset(self, event: StreamReset, stream_id: int) -> None:
        code = event.error_code
        name = code.name if isinstance(code, ErrorCodes) else str(code)
        if code == ErrorCodes.REFUSED_STREAM:
            self._fail(stream_id, Unprocessed(f"{self._name} refused the stream"))
        else:
            self._fail(stream_id, Unavailable(f"{self._name} reset the stream: {name}"))

    def _go_away(self, event: ConnectionTerminated) -> None:
        self._stop_taking(f"{self._name} is going away")
        last = event.last_stream_id or 0
        for stream_id in [number for number in self._calls if number > last]:
            self._fail(stream_id, Unprocessed(f"{self._name} is going away"))
        self._on_change()
        self._close_if_drained()

    def _fail(self, stream_id: int, error: Exception) -> None:
        call = self._calls.pop(stream_id, None)
        if call is not None and not call.done.done():
            call.done.set_exception(error)

    def _reset(self, stream_id: int) -> None:
        try:
            self._h2.reset_stream(stream_id, ErrorCodes.CANCEL)
            self._flush()
        except H2Error:
            return  # The stream is closed already, which is what was wanted.

    def _push_all(self) -> None:
        for stream_id, call in list(self._calls.items()):
            if call.unsent:
                self._push(stream_id, call)
        self._flush()

    def _push(self, stream_id: int, call: _Call) -> None:
        """Hand over as much of the message as flow control and the socket allow."""
        while call.unsent and self._writable:
            room = min(
                self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size
            )
            if room <= 0:
                return
            chunk, call.unsent = call.unsent[:room], call.unsent[room:]
            self._h2.send_data(stream_id, bytes(chunk), end_stream=not call.unsent)
            self._flush()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _close_if_drained(self) -> None:
        if self._draining and not self._calls and self._transport is not None:
            self._transport.close()
