"""The connections to one backend: opened when needed, replaced when they end or fall silent."""

import asyncio
import copy
import ssl

from bridge.core import Clock, Deadline, Denied, Unavailable
from bridge.exporters.otlp.connection import Answer, Connection, HeaderList, Unprocessed
from bridge.options import Endpoint

UNPROCESSED_ATTEMPTS_MAX = 3
"""Attempts in a row that servers may turn away unprocessed before it is an ordinary failure."""

CONNECT_TIMEOUT_S = 10.0
"""
Seconds for opening one connection, TLS included. Longer than a call usually waits: the next call
then finds it open.
"""


class Channel:
    """
    Makes calls over up to *connections_max* connections.

    A server that is going away finishes the calls it has, while new ones use a new connection. A
    connection on which a call timed out without a single byte coming back is given up: the other
    side may be gone without a word, and TCP would take a quarter of an hour to notice.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        tls: ssl.SSLContext | None,
        connections_max: int,
        answer_bytes_max: int,
        clock: Clock,
        keepalive: tuple[float, float, bool] | None = None,
    ) -> None:
        """
        Args:
            keepalive:
                Seconds of silence after which a sign of life is asked for, seconds in which it
                must come, and whether that is done without calls; `None` for never.
        """
        self._endpoint = endpoint
        self._tls = tls
        self._connections_max = connections_max
        self._answer_bytes_max = answer_bytes_max
        self._clock = clock
        self._keepalive = keepalive
        # What changes: the connections, one attempt to open another, and who waits for room.
        self._connections: list[Connection] = []
        self._opening: asyncio.Task[Connection] | None = None
        self._changed = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Channel({self._endpoint}, {self._connections})"

    async def call(
        self, headers: HeaderList, message: bytes, timeout_s: float, prefix: bytes = b""
    ) -> Answer:
        """
        Make one unary call with *prefix* and *message* as its body.

        Raises:
            Unavailable: If no connection can be opened, none has room, or no answer comes within
                *timeout_s*.
            Denied: If the backend's certificate is not trusted.
            Refused: If the answer is too large.

        Cancellation:
            The backend may or may not have taken the message.
        """
        connection: Connection | None = None
        seen = 0
        try:
            async with asyncio.timeout(timeout_s):
                for attempt in range(1, UNPROCESSED_ATTEMPTS_MAX + 1):
                    connection = await self._with_room()
                    seen = connection.bytes_received
                    try:
                        return await connection.call(headers, message, prefix)
                    except Unprocessed:
                        if attempt == UNPROCESSED_ATTEMPTS_MAX:
                            raise
                        connection = None
        except TimeoutError as error:
            if connection is not None and connection.bytes_received == seen:
                connection.abort(f"{self._endpoint} was silent for {timeout_s:g} s")
            raise Unavailable(f"no answer from {self._endpoint} within {timeout_s:g} s") from error
        raise AssertionError("the loop returns or raises")

    async def stop(self, deadline: Deadline) -> None:
        """Let calls finish until *deadline*, then close everything."""
        for task in (self._opening, self._watch):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._watch = None
        for connection in self._connections:
            connection.drain()
        await self._wait_closed(deadline.remaining_s)
        for connection in self._connections:
            connection.abort("stopping")
        # An aborted socket is gone in the next turn of the loop.
        await self._wait_closed(1.0)
        self._connections = []

    async def _wait_closed(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                for connection in self._connections:
                    await connection.wait_closed()
        except TimeoutError:
            return

    async def _with_room(self) -> Connection:
        """The least busy connection with room; opens one while there are fewer than allowed."""
        while True:
            self._connections = [c for c in self._connections if not c.closed]
            usable = sum(c.usable for c in self._connections)
            ready = [c for c in self._connections if c.has_room]
            least = min(ready, key=lambda c: c.calls, default=None)
            complete = usable >= self._connections_max
            if least is not None and (not least.calls or complete):
                return least
            if complete:
                self._changed.clear()
                await self._changed.wait()
                continue
            if self._opening is None:
                self._opening = asyncio.get_running_loop().create_task(self._open())
                self._opening.add_done_callback(self._opened)
            if least is not None:
                return least  # Another one is on its way; this one works meanwhile.
            await _outcome(self._opening)

    def _opened(self, task: asyncio.Task[Connection]) -> None:
        self._opening = None
        if task.cancelled():
            return
        if task.exception() is None:  # Retrieved here, since nobody else may be waiting for it.
            self._connections.append(task.result())
            if self._keepalive is not None and self._watch is None:
                loop = asyncio.get_running_loop()
                self._watch = loop.create_task(self._watch_silence(*self._keepalive))

    async def _open(self) -> Connection:
        endpoint, loop = self._endpoint, asyncio.get_running_loop()

        def make() -> Connection:
            return Connection(str(endpoint), self._answer_bytes_max, self._changed.set)

        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                if endpoint.path:
                    _, connection = await loop.create_unix_connection(make, endpoint.path)
                else:
                    _, connection = await loop.create_connection(
                        make, endpoint.host, endpoint.port, ssl=self._tls
                    )
        except ssl.SSLCertVerificationError as error:
            raise Denied(
                f"the certificate of {endpoint} is not trusted: {error.verify_message}",
                hint="set tls.ca_file to its authority, or tls.server_name_override to its name",
            ) from error
        except ssl.SSLError as error:
            raise Unavailable(
                f"no TLS with {endpoint}: {error.reason or error}. "
                "If it speaks plain text, set tls.insecure: true"
            ) from error
        except TimeoutError as error:
            raise Unavailable(
                f"cannot connect to {endpoint} within {CONNECT_TIMEOUT_S:g} s"
            ) from error
        except OSError as error:
            raise Unavailable(f"cannot connect to {endpoint}: {error.strerror or error}") from error
        return connection

    async def _watch_silence(self, time_s: float, timeout_s: float, always: bool) -> None:
        """Ask each connection for a sign of life, and give up those that gave none."""
        while True:
            await self._clock.sleep(time_s)
            asked = [c for c in self._connections if c.usable and (c.calls or always)]
            before = {id(c): c.bytes_received for c in asked}
            for connection in asked:
                connection.ping()
            await self._clock.sleep(timeout_s)
            for connection in asked:
                if connection.usable and connection.bytes_received == before[id(connection)]:
                    connection.abort(f"{self._endpoint} gave no sign of life in {timeout_s:g} s")


async def _outcome(opening: asyncio.Task[Connection]) -> None:
    """Wait for an attempt that several calls share: none of them may cancel it for the others."""
    await asyncio.wait([opening])
    if opening.cancelled():
        raise Unavailable("stopping")
    if error := opening.exception():
        # A shared exception object would grow a traceback for each of them.
        raise copy.copy(error) from error
    if reason := opening.result().ended:
        # Opening another one at once would be a storm of connections.
        raise Unavailable(reason)
