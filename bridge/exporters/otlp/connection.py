"""
One HTTP/2 connection to a gRPC server, for unary calls.

The protocol itself is `bridge.http2.ClientState`; here is what waits and touches the socket.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from bridge.core import Refused, Unavailable
from bridge.http2 import Answer, ClientState, ClientStream

HeaderList = list[tuple[bytes, bytes]]

WRITE_BYTES = 256 << 10
"""Bytes that are handed to the socket at once; it says after each whether it takes more."""

_PING = b"bridge\0\0"

__all__ = ["Answer", "Connection", "HeaderList", "Unprocessed"]


class Unprocessed(Unavailable):
    """The server never looked at the request: it may be sent again at once without a duplicate."""


class Connection(asyncio.Protocol):
    """
    An open connection.

    `on_change` is called whenever a call may find room that it did not find before, or the
    connection no longer takes calls.
    """

    def __init__(self, name: str, answer_bytes_max: int, on_change: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._name = name
        self._on_change = on_change
        self._state = ClientState(answer_bytes_max, loop.time())
        self._transport: asyncio.Transport | None = None
        # What changes: who waits for which call, whether the socket takes bytes, and how it ends.
        self._waiting: dict[ClientStream, asyncio.Future[Answer]] = {}
        self._writable = True
        self._draining = False
        self.ended = ""
        """Why it takes no more calls; empty while it does."""
        self._closed = loop.create_future()
        self._bytes_received = 0

    def __repr__(self) -> str:
        state = "draining" if self._draining else "closed" if self._closed.done() else "open"
        return f"Connection({self._name}, {state}, {self.calls} calls)"

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
        return self.usable and self._state.has_room

    @property
    def calls(self) -> int:
        """Calls that are under way."""
        return len(self._waiting)

    @property
    def bytes_received(self) -> int:
        """Bytes that ever came in; the same number twice means that the server is silent."""
        return self._bytes_received

    async def call(self, headers: HeaderList, message: bytes, prefix: bytes = b"") -> Answer:
        """
        Send *prefix* and *message*, and wait for the end of the stream. Needs `has_room`.

        Raises:
            Unprocessed: If the server says that it did not look at it.
            Unavailable: If the connection or the stream ends first: it may have been taken.
            Refused: If the answer exceeds `answer_bytes_max`.

        Cancellation:
            Resets the stream; the server may have taken the message.
        """
        stream = self._state.open(headers, message, prefix)
        done: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[stream] = done
        if self._state.peer.exhausted:
            self._stop_taking(f"{self._name}: all stream ids are used up")
        self._push()
        try:
            return await done
        finally:
            if self._waiting.pop(stream, None) is not None:
                self._state.cancel(stream)
                self._flush()
            self._on_change()
            self._close_if_drained()

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._state.ping(_PING)
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
        """The socket is open: say hello."""
        self._transport = cast("asyncio.Transport", transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        if not self._bytes_received and data.startswith(b"HTTP/1"):
            self.abort(f"{self._name} speaks HTTP/1.1 and not gRPC: is the port right?")
            return
        self._bytes_received += len(data)
        state = self._state
        state.now = self._loop.time()
        streams_max = state.peer.streams_max
        for stream in state.receive(data):
            self._settle(stream)
        if state.fault is not None:
            self._flush()
            self.abort(f"{self._name} broke the HTTP/2 protocol: {state.fault}")
            return
        if state.peer.leaving and not self._draining:
            self._stop_taking(f"{self._name} {state.peer.leaving}")
            self._on_change()
            self._close_if_drained()
        elif state.peer.streams_max != streams_max:
            self._on_change()
        self._push()

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        self._writable = False

    def resume_writing(self) -> None:
        """The socket takes bytes again."""
        self._writable = True
        self._push()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone, one way or the other."""
        self._end(f"connection to {self._name} was lost: {exc or 'closed by the other side'}")
        if not self._closed.done():
            self._closed.set_result(None)

    def _settle(self, stream: ClientStream) -> None:
        """Tell whoever waits how the call ended."""
        done = self._waiting.pop(stream, None)
        if done is None or done.done():
            return
        text = f"{self._name} {stream.reason}"
        match stream.outcome:
            case "answered":
                done.set_result(stream.answer)
            case "unprocessed":
                done.set_exception(Unprocessed(text))
            case "too_large":
                done.set_exception(Refused(f"{self._name}: {stream.reason}"))
            case _:
                done.set_exception(Unavailable(text))

    def _stop_taking(self, reason: str) -> None:
        self._draining = True
        self.ended = self.ended or reason

    def _end(self, reason: str) -> None:
        self._stop_taking(reason)
        waiting, self._waiting = self._waiting, {}
        for done in waiting.values():
            if not done.done():
                done.set_exception(Unavailable(reason))
        self._on_change()

    def _push(self) -> None:
        """Hand over as much of the messages as flow control and the socket allow."""
        while self._writable and self._state.pump(WRITE_BYTES):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        out, transport = self._state.out, self._transport
        if out and transport is not None:
            if not transport.is_closing():
                transport.writelines(out)
            out.clear()

    def _close_if_drained(self) -> None:
        if self._draining and not self._waiting and self._transport is not None:
            self._transport.close()
