"""The asyncio side of an HTTP/1 connection: socket, tasks and timeouts around its state."""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol, cast

from bridge.core import Pending
from bridge.http1.gate import Gate
from bridge.http1.limits import Http1Limits
from bridge.http1.message import Request, Response
from bridge.http1.state import ConnectionState
from bridge.http1.whole_request import Lane, WholeRequest
from bridge.http2 import Server


class Handler(Gate, Protocol):
    """What answers the requests of a server."""

    def failure(self, request: Request) -> Response:
        """The answer when `handle` raises what it should not."""
        ...

    def expired(self, request: Request) -> Response:
        """The answer when `request.deadline_at` passes."""
        ...

    @property
    def timed_out(self) -> Response:
        """The answer to a request that does not arrive."""
        ...

    def begin(
        self, request: Request, answer: Callable[[Request, Response], None]
    ) -> Pending | None:
        """
        Answer one complete request by calling *answer*, now or later, if that takes no task.

        Returns:
            `None` if it takes one: `handle` is called then. *answer* is not called after `cancel`.
        """
        ...

    async def handle(self, request: Request) -> Response:
        """Answer one complete request; `request.take_body` gives its body."""
        ...

    def release(self, request: Request) -> None:
        """Give back what was charged for *request*; called again, do nothing."""
        ...


class Http1Protocol(asyncio.Protocol):
    """
    One connection. An exception in it ends it and nothing else.

    Args:
        lane: Takes what arrives whole, together with what arrives on other connections.
    """

    def __init__(
        self, server: Server, handler: Handler, limits: Http1Limits, lane: Lane | None = None
    ) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._server = server
        self._handler = handler
        self._limits = limits
        self._lane = lane
        self._loop = asyncio.get_running_loop()
        self._state = ConnectionState(handler, limits, server.now)
        self._transport: asyncio.Transport | None = None
        self._idle_since = server.now
        spread = 1 + random.uniform(-0.1, 0.1)  # noqa: S311 - spreads load, protects nothing
        self._drain_at = server.now + server.timeouts.age_s * spread
        # What changes: pending writes, back pressure, and the way to the end.
        self._flush_scheduled = False
        self._beginning = False
        self._reading_paused = False
        self._write_blocked_at: float | None = None
        self._head_since: float | None = server.now
        self._closing_since: float | None = None
        self._close_reason = "peer"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the server's books."""
        # uvloop's transports have the methods but not the base class.
        self._transport = cast(asyncio.Transport, transport)
        if not self._server.opened(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes; begin to answer the request that they complete."""
        try:
            state = self._state
            state.now = self._server.now
            if self._lane is not None and state.take_whole(data, self._lane, self):
                return
            state.date = self._server.date
            state.receive(data)
            self._proceed()
        except Exception as fault:  # noqa: BLE001 - it must end this connection only
            self._end_failed(fault)

    def pause_writing(self) -> None:
        """The peer does not read: take nothing more from it."""
        self._write_blocked_at = self._server.clock.monotonic()
        self._adjust_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._write_blocked_at = None
        self._adjust_reading()

    def eof_received(self) -> bool:
        """Keep a half-closed connection while an answer is due; TLS has no such thing."""
        state = self._state
        due = bool(state.queue) and state.queue[0].complete and not state.closing
        secure = self._transport is not None and self._transport.get_extra_info("sslcontext")
        if not due or secure:
            return False
        state.draining = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what nobody waits for any more."""
        self._state.drop_all()
        self._settle_dropped()
        self._server.closed(self, self._close_reason)

    def tick(self, now: float) -> None:
        """Look at every timeout of this connection."""
        state, timeouts = self._state, self._server.timeouts
        if self._lane is not None:
            # What has ended is answered as it ended, whatever the clock says.
            self._lane.answer()
        state.now, state.date = now, self._server.date
        if self._write_blocked_at is not None and now - self._write_blocked_at >= timeouts.write_s:
            self._close("write_timeout")
            return
        if state.closing:
            self._end_lingering(now)
            return
        if state.receiving_head:
            if self._head_since is None:
                self._head_since = now
            elif now - self._head_since >= timeouts.head_s:
                self._close_reason = "head_timeout"
                state.fail(self._handler.timed_out, "the head does not arrive")
                self._head_since = None
        else:
            self._head_since = None
        self._check_requests(now)
        if not state.idle:
            self._idle_since = now
        elif now - self._idle_since >= timeouts.idle_s:
            self._close("idle")
            return
        if now >= self._drain_at and not state.draining:
            self._begin_drain("age")
        self._proceed()

    def drain(self) -> None:
        """Answer what is in flight with ``Connection: close``; close now if there is nothing."""
        self._begin_drain("stop")

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def begin(self, request: WholeRequest) -> None:
        """Begin *request* by itself."""
        try:
            self._begin(request)
        except Exception as fault:  # noqa: BLE001 - it must end this connection only
            self._end_failed(fault)

    def answer(self, request: WholeRequest, response: Response) -> None:
        """Write *response* now, if *request* is the only one and still waits."""
        state, transport = self._state, self._transport
        queue = state.queue
        if not queue or queue[0] is not request or transport is None or transport.is_closing():
            return  # It was given up, or answered by its deadline.
        if len(queue) > 1 or state.draining or state.closing or state.out:
            self._answer(request, response)
            return
        queue.popleft()
        server = self._server
        self._idle_since = server.now
        try:
            transport.write(response.render_plainly(server.date))
        except Exception as fault:  # noqa: BLE001 - it must end this connection only
            self._end_failed(fault)

    def log_fault(self, fault: Exception) -> None:
        """Say what went wrong with a request."""
        self._server.log.exception("request_failed", exc_info=fault)

    def _end_failed(self, fault: Exception) -> None:
        self._server.log.exception("connection_failed", exc_info=fault)
        self._close_reason = "failure"
        self.abort()

    def _proceed(self) -> None:
        state = self._state
        # An answer that is there at once comes back here, and the next request with it.
        while not self._beginning and (request := state.next_request()) is not None:
            self._begin(request)
        if state.dropped:
            self._settle_dropped()
        if state.fault:
            self._server.log.warning("http1_protocol_error", reason=state.fault)
            state.fault = ""
            if self._close_reason == "peer":
                self._close_reason = "protocol_error"
        if (state.out or state.closing) and not self._flush_scheduled:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)
        if len(state.queue) > 1 or self._reading_paused:
            self._adjust_reading()

    def _begin(self, request: Request) -> None:
        self._beginning = True
        try:
            pending = self._handler.begin(request, self._answer)
        except Exception:  # the peer gets an answer whatever happens
            self._server.log.exception("request_failed")
            self._answer(request, self._handler.failure(request))
            return
        finally:
            self._beginning = False
        if pending is not None:
            request.pending = pending
            return
        task = self._loop.create_task(self._serve(request))
        request.task = task
        self.tasks.add(task)

    def _answer(self, request: Request, response: Response) -> None:
        """Take an answer from whoever has it; a fault here ends this connection only."""
        try:
            self._handler.release(request)
            self._idle_since = self._server.now
            self._state.respond(request, response)
            self._proceed()
        except Exception as fault:  # noqa: BLE001 - it must end this connection only
            self._end_failed(fault)

    async def _serve(self, request: Request) -> None:
        handler = self._handler
        try:
            response = await handler.handle(request)
        except asyncio.CancelledError:
            handler.release(request)
            raise
        except Exception:  # the peer gets an answer whatever happens
            self._server.log.exception("request_failed")
            response = handler.failure(request)
        finally:
            if request.task is not None:
                self.tasks.discard(request.task)
        self._answer(request, response)

    def _flush(self) -> None:
        self._flush_scheduled = False
        out, transport = self._state.out, self._transport
        if transport is None or transport.is_closing():
            return
        if out:
            transport.write(b"".join(out))
            out.clear()
        if self._state.closing and not self._state.lingering:
            transport.close()

    def _settle_dropped(self) -> None:
        dropped, self._state.dropped = self._state.dropped, []
        for request in dropped:
            self._cancel(request)

    def _cancel(self, request: Request) -> None:
        task, pending = request.task, request.pending
        if pending is not None:
            pending.cancel()
        if task is not None and not task.done():
            # A task that never ran skips its own clean-up, so both are done here.
            task.add_done_callback(self.tasks.discard)
            task.cancel()
        self._handler.release(request)

    def _check_requests(self, now: float) -> None:
        timeouts = self._server.timeouts
        first = self._state.queue[0] if self._state.queue else None
        if first is not None and first.deadline_at is not None and now >= first.deadline_at:
            self._state.respond(first, self._handler.expired(first))
            self._cancel(first)
        request = self._state.receiving
        if request is None:
            return
        stalled = False
        if now - request.progress_at >= timeouts.body_s:
            progress_bytes = request.received_bytes - request.progress_bytes
            stalled = progress_bytes < timeouts.body_progress_bytes_min
            request.progress_at, request.progress_bytes = now, request.received_bytes
        if stalled or 0 < timeouts.request_s <= now - request.began_at:
            self._close_reason = "body_timeout"
            self._state.fail(self._handler.timed_out, "the body does not arrive")

    def _begin_drain(self, reason: str) -> None:
        state = self._state
        state.draining = True
        self._close_reason = reason
        # A head that is on its way is waited for: its request is answered with close.
        if state.idle:
            self._close(reason)

    def _end_lingering(self, now: float) -> None:
        if self._closing_since is None:
            self._closing_since = now
        over = now - self._closing_since >= self._limits.linger_s
        if over or self._state.lingered_bytes > self._limits.linger_bytes_max:
            self.abort()

    def _adjust_reading(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        # One request is served at a time; what a peer sends ahead of it can wait in its socket.
        pause = self._write_blocked_at is not None or len(self._state.queue) > 1
        if pause and not self._reading_paused:
            transport.pause_reading()
        elif not pause and self._reading_paused:
            transport.resume_reading()
        self._reading_paused = pause

    def _close(self, reason: str) -> None:
        self._close_reason = reason
        if self._transport is None:
            return
        if self._write_blocked_at is not None:
            self._transport.abort()
        else:
            self._flush()
            self._transport.close()
