"""The asyncio side of an HTTP/2 connection: socket, tasks and timeouts around its state."""

import asyncio
import random
from typing import Final, cast

from bridge.http2.frames import ConnectionFault, ErrorCode
from bridge.http2.gate import Handler
from bridge.http2.limits import Http2Limits
from bridge.http2.server import Server
from bridge.http2.state import ConnectionState
from bridge.http2.stream import Response, Stream
from bridge.http2.whole_call import CallHandler, SettledCalls, WholeCall

_DRAIN_PING: Final = b"drain\0\0\0"
_KEEPALIVE_PING: Final = b"alive\0\0\0"
_DRAIN_ROUND_TRIP_S: Final = 1.0
"""How long streams that the peer opened before it read our GOAWAY are waited for at most."""

_PLAIN_HTTP1_ANSWER: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This port speaks gRPC (HTTP/2). Send OTLP over HTTP to the http endpoint, "
    b"which is port 4318 by default.\n"
)


class Http2Protocol(asyncio.Protocol):
    """
    One connection. An exception in it ends it and nothing else.

    Args:
        calls: Begins and answers together what has arrived whole.
    """

    def __init__(
        self,
        server: Server,
        handler: Handler,
        limits: Http2Limits,
        calls: CallHandler | None = None,
    ) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._server = server
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._calls = calls
        self._settled = SettledCalls(self._wake)
        taking = None if calls is None else (calls, self._settled)
        self._state = ConnectionState(handler, limits, server.now, taking)
        self._transport: asyncio.Transport | None = None
        self._opened_at = self._busy_at = self._received_at = server.now
        spread = 1 + random.uniform(-0.1, 0.1)  # noqa: S311 - spreads load, protects nothing
        self._drain_at = server.now + server.timeouts.age_s * spread
        # What changes: pending writes, back pressure, and the way to the end.
        self._flush_scheduled = False
        self._write_blocked_at: float | None = None
        self._head_since: float | None = None
        self._pinged_at: float | None = None
        self._draining_since: float | None = None
        self._close_reason = "peer"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Enter the server's books.

        Our settings go out with the first answer: clients speak first, and to those that speak
        something else we can then say so in a language that they understand.
        """
        # uvloop's transports have the methods but not the base class.
        self._transport = cast(asyncio.Transport, transport)
        if not self._server.opened(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes; begin to answer each request that they complete."""
        try:
            self._receive(data)
        except Exception:  # a fault here must end this connection only
            self._server.log.exception("connection_failed")
            self._close_reason = "failure"
            self.abort()

    def pause_writing(self) -> None:
        """The peer does not read: take nothing more from it."""
        self._write_blocked_at = self._server.clock.monotonic()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._write_blocked_at = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what nobody waits for any more."""
        self._answer_settled()
        self._state.drop_all()
        self._settle_dropped()
        self._answer_settled()
        self._server.closed(self, self._close_reason)

    def tick(self, now: float) -> None:
        """Look at every timeout of this connection."""
        state = self._state
        state.now = now
        self._answer_settled()
        reason = self._find_stall(now)
        if reason:
            self._end(reason)
            return
        self._check_streams(now)
        open_streams = state.registry.open
        timeouts = self._server.timeouts
        if open_streams:
            self._busy_at = now
        if self._draining_since is None:
            if now >= self._drain_at:
                self._begin_drain("age")
            elif not open_streams and now - self._busy_at >= timeouts.idle_s:
                self._begin_drain("idle")
            else:
                self._keep_alive(now)
        else:
            self._proceed_draining(now)
        self._schedule_flush()

    def drain(self) -> None:
        """Send GOAWAY, finish what is in flight, then close."""
        if self._draining_since is None:
            self._begin_drain("stop")
            self._schedule_flush()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _receive(self, data: bytes) -> None:
        state, server = self._state, self._server
        state.now = self._received_at = server.now
        if self._settled.calls:
            self._answer_settled()
        complete = state.receive(data)
        if complete:
            self._busy_at = server.now
            if self._calls is not None and state.fault is None:
                complete = self._begin_calls(self._calls, complete)
            for stream in complete:
                if not stream.closed:
                    self._begin(stream)
        if state.dropped:
            self._settle_dropped()
        if state.fault is not None:
            self._end_after_fault(state.fault)
        elif self._draining_since is not None:
            self._proceed_draining(server.now)
        if state.sender.out and not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _begin_calls(self, handler: CallHandler, complete: list[Stream]) -> list[Stream]:
        """Begin those that are whole calls; gives those that go the way of other requests."""
        calls = [each for each in complete if isinstance(each, WholeCall)]
        if not calls:
            return complete
        others = [each for each in complete if not each.whole] if len(calls) < len(complete) else []
        try:
            return [*others, *handler.begin(calls)]
        except Exception:  # the peers get their answers whatever happens
            self._server.log.exception("request_failed")
            for call in calls:
                if call.pending is None and call.outcome is None:
                    self._answer(call, self._handler.failure)
            return others

    def _answer_settled(self) -> None:
        """Answer the calls that settled since the last look; a fault ends this connection only."""
        settled = self._settled
        calls, faults = settled.calls, settled.faults
        if not calls or self._calls is None:
            return
        settled.calls, settled.faults = [], []
        try:
            for fault in faults:
                self._server.log.exception("request_failed", exc_info=fault)
            self._calls.answer(calls)
            written = self._state.sender.respond_to_calls(calls)
            self._state.registry.close_all(written)
            if self._draining_since is not None:
                self._proceed_draining(self._server.now)
        except Exception:
            self._server.log.exception("connection_failed")
            self._close_reason = "failure"
            self.abort()

    def _wake(self) -> None:
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _begin(self, stream: Stream) -> None:
        try:
            pending = self._handler.begin(stream, self._answer)
        except Exception:  # the peer gets an answer whatever happens
            self._server.log.exception("request_failed")
            self._answer(stream, self._handler.failure)
            return
        if pending is not None:
            stream.pending = pending
            return
        task = self._loop.create_task(self._serve(stream))
        stream.task = task
        self.tasks.add(task)

    def _answer(self, stream: Stream, response: Response) -> None:
        """Take an answer from whoever has it; a fault here ends this connection only."""
        try:
            self._handler.release(stream)
            if response.ends and not stream.opened:
                self._state.respond(stream, response)
            else:
                self._state.respond_in_parts(stream, response)
            if not self._flush_scheduled:
                self._flush_scheduled = True
                self._loop.call_soon(self._flush)
            if self._draining_since is not None:
                self._proceed_draining(self._server.now)
        except Exception:
            self._server.log.exception("connection_failed")
            self._close_reason = "failure"
            self.abort()

    async def _serve(self, stream: Stream) -> None:
        handler = self._handler
        try:
            response = await handler.handle(stream)
        except asyncio.CancelledError:
            handler.release(stream)
            raise
        except Exception:  # the peer gets an answer whatever happens
            self._server.log.exception("request_failed")
            response = handler.failure
        finally:
            if stream.task is not None:
                self.tasks.discard(stream.task)
        self._answer(stream, response)

    def _schedule_flush(self) -> None:
        if self._state.sender.out and not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._settled.calls:
            self._answer_settled()
        out = self._state.sender.out
        transport = self._transport
        if out and transport is not None:
            data = b"".join(out)
            out.clear()
            if not transport.is_closing():
                transport.write(data)

    def _settle_dropped(self) -> None:
        dropped, self._state.dropped = self._state.dropped, []
        for stream in dropped:
            self._cancel(stream)

    def _cancel(self, stream: Stream) -> None:
        task, pending = stream.task, stream.pending
        if pending is not None:
            pending.cancel()
        if task is not None and not task.done():
            # A task that never ran skips its own clean-up, so both are done here.
            task.add_done_callback(self.tasks.discard)
            task.cancel()
        self._handler.release(stream)

    def _check_streams(self, now: float) -> None:
        timeouts = self._server.timeouts
        for stream in list(self._state.registry.open.values()):
            if stream.task is not None or stream.pending is not None:
                if stream.answered:
                    if now - stream.progress_at >= timeouts.write_s:
                        self._state.reset(stream, ErrorCode.CANCEL)
                elif stream.deadline_at is not None and now >= stream.deadline_at:
                    self._expire(stream, now)
                else:
                    stream.progress_at = now
            elif now - stream.progress_at >= timeouts.body_s:
                progress_bytes = stream.received_bytes - stream.progress_bytes
                if progress_bytes < timeouts.body_progress_bytes_min:
                    self._state.reset(stream, ErrorCode.CANCEL)
                stream.progress_at, stream.progress_bytes = now, stream.received_bytes
        if self._state.dropped:
            self._settle_dropped()

    def _expire(self, stream: Stream, now: float) -> None:
        stream.progress_at = now
        if stream.opened:
            # Its status has been said: a second head would be none.
            self._state.reset(stream, ErrorCode.CANCEL)
            self._settle_dropped()
            return
        self._state.respond(stream, self._handler.expired)
        self._cancel(stream)

    def _find_stall(self, now: float) -> str:
        timeouts = self._server.timeouts
        if not self._state.receiving_head:
            self._head_since = None
        elif self._head_since is None:
            self._head_since = now
        elif now - self._head_since >= timeouts.head_s:
            return "head_timeout"
        if self._write_blocked_at is not None and now - self._write_blocked_at >= timeouts.write_s:
            return "write_timeout"
        if self._pinged_at is not None:
            if self._state.ping_acknowledged:
                self._pinged_at = None
            elif now - self._pinged_at >= timeouts.ping_ack_s:
                return "keepalive_timeout"
        return ""

    def _keep_alive(self, now: float) -> None:
        ping_s = self._server.timeouts.ping_s
        if self._pinged_at is None and now - self._received_at >= ping_s:
            self._pinged_at = now
            self._state.ping(_KEEPALIVE_PING)

    def _begin_drain(self, reason: str) -> None:
        self._draining_since = self._server.now
        self._pinged_at = None
        self._close_reason = reason
        self._state.announce_end()
        self._state.ping(_DRAIN_PING)

    def _proceed_draining(self, now: float) -> None:
        state, since = self._state, self._draining_since
        if since is None:
            return
        if state.ping_acknowledged or now - since >= _DRAIN_ROUND_TRIP_S:
            state.refuse_new()
            if not state.registry.open:
                self._end(self._close_reason)
                return
        if now - since >= self._server.timeouts.age_grace_s and self._close_reason != "stop":
            for stream in list(state.registry.open.values()):
                self._expire(stream, now)
            self._end(self._close_reason)

    def _end_after_fault(self, fault: ConnectionFault) -> None:
        foreign = fault.foreign
        self._server.log.warning("http2_protocol_error", code=fault.code.name, reason=str(fault))
        if foreign:
            # Our own frames mean nothing to this peer; a sentence may.
            self._state.sender.out.clear()
            if foreign == "HTTP/1":
                self._state.sender.out.append(_PLAIN_HTTP1_ANSWER)
        self._end("calm" if fault.code is ErrorCode.ENHANCE_YOUR_CALM else "protocol_error")

    def _end(self, reason: str) -> None:
        self._close_reason = reason
        self._flush()
        transport = self._transport
        if transport is None:
            return
        if self._write_blocked_at is not None:
            transport.abort()
        else:
            transport.close()
