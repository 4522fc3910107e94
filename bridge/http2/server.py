"""Listening sockets, the connections behind them, and the one timer that watches them all."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from bridge.core import Clock, Deadline, Join
from bridge.http2.acceptor import Acceptor
from bridge.http2.limits import Timeouts
from bridge.http2.quiet_log import QuietLog

_TICK_S: Final = 0.25
_BACKLOG: Final = 1_024
_CLOSE_S: Final = 1.0
"""What is left to aborted connections and cancelled requests to end, after the deadline."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def http_date(wall_s: float) -> str:
    """
    Seconds since 1970 as the ``Date`` of an answer, in English whatever the locale.

    `email.utils` writes the same, and brings 0.4 MiB of e-mail along.

    Source:
        RFC 9110, section 5.6.7.
    """
    now = time.gmtime(wall_s)
    return (
        f"{_DAYS[now.tm_wday]}, {now.tm_mday:02d} {_MONTHS[now.tm_mon - 1]} {now.tm_year:04d} "
        f"{now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d} GMT"
    )


class Connection(Protocol):
    """What the server asks of each of its connections. All of it synchronous."""

    tasks: set[asyncio.Task[None]]
    """The requests being answered."""

    def tick(self, now: float) -> None:
        """Look at every timeout."""
        ...

    def drain(self) -> None:
        """Take nothing new, finish what is in flight, then close."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Server:
    """
    Accepts connections on given sockets.

    Args:
        make_connection:
            Builds the asyncio protocol of a new connection; it calls `opened` and `closed`.
        connections_max:
            Beyond it, new connections are closed at once.
        count_closed:
            Called with a short reason for each connection that ended.

    `now` is the clock at the last tick: what is checked against timeouts need not be finer. `date`
    is the same moment in HTTP's spelling.
    """

    def __init__(
        self,
        make_connection: Callable[["Server"], asyncio.Protocol],
        clock: Clock,
        timeouts: Timeouts,
        *,
        connections_max: int,
        count_closed: Callable[[str], None],
        log: QuietLog,
    ) -> None:
        self.clock = clock
        self.timeouts = timeouts
        self.now = clock.monotonic()
        self.date = http_date(clock.wall())
        self.connections: set[Connection] = set()
        self.log = log
        self._make_connection = make_connection
        self._connections_max = connections_max
        self._count_closed = count_closed
        # What changes: the listeners, the watch, and whether we are ending.
        self._servers: list[asyncio.Server] = []
        self._acceptor: Acceptor | None = None
        self._watch: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._stopping = False

    async def start(
        self,
        sockets: Sequence[socket.socket],
        ssl_context: ssl.SSLContext | None,
        join: Join | None = None,
    ) -> None:
        """
        Listen on bound *sockets*, which belong to the server from now on.

        With *join* it shares the connections evenly with the listeners of other workers.
        """
        loop = asyncio.get_running_loop()
        self._empty.set()
        handshake_s = self.timeouts.handshake_s if ssl_context else None
        if join is not None:
            made = self._make_connection
            self._acceptor = Acceptor(
                *(sockets, lambda: made(self), ssl_context, handshake_s, join, self.log, _BACKLOG)
            )
        else:
            for bound in sockets:
                self._servers.append(
                    await loop.create_server(
                        lambda: self._make_connection(self),
                        sock=bound,
                        ssl=ssl_context,
                        backlog=_BACKLOG,
                        ssl_handshake_timeout=handshake_s,
                    )
                )
        self._watch = asyncio.create_task(self._watch_connections(), name="watch connections")

    async def stop(self, deadline: Deadline) -> None:
        """
        Accept nothing new, let requests in flight finish until *deadline*, then close everything.

        Safe before `start`, and safe twice.
        """
        self._stopping = True
        for server in self._servers:
            server.close()
        if self._acceptor is not None:
            self._acceptor.close()
        for connection in list(self.connections):
            connection.drain()
        try:
            async with asyncio.timeout(deadline.remaining_s):
                if self.connections:
                    await self._empty.wait()
        except TimeoutError:
            self.log.warning("connections_aborted", connections=len(self.connections))
        finally:
            await self._end()

    def opened(self, connection: Connection) -> bool:
        """Take a new connection into the books; `False` if it must be closed."""
        if self._stopping:
            return False
        if len(self.connections) >= self._connections_max:
            self.log.warning("connection_refused", connections=len(self.connections))
            self._count_closed("refused")
            return False
        self.connections.add(connection)
        self._empty.clear()
        if self._acceptor is not None:
            self._acceptor.count(connection, len(self.connections))
        return True

    def closed(self, connection: Connection, reason: str) -> None:
        """Strike a connection off."""
        if connection in self.connections:
            self.connections.discard(connection)
            self._count_closed(reason)
            if self._acceptor is not None:
                self._acceptor.count(connection, len(self.connections))
            if not self.connections:
                self._empty.set()

    def tick(self) -> None:
        """Look at the timeouts of all connections."""
        self.now = self.clock.monotonic()
        self.date = http_date(self.clock.wall())
        for connection in list(self.connections):
            try:
                connection.tick(self.now)
            except Exception:  # one connection must not end the watch
                self.log.exception("connection_failed")
                connection.abort()

    async def _watch_connections(self) -> None:
        while True:
            await self.clock.sleep(_TICK_S)
            self.tick()

    async def _end(self) -> None:
        tasks = {task for connection in self.connections for task in connection.tasks}
        for connection in list(self.connections):
            connection.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        servers: list[asyncio.Server | Acceptor] = [*self._servers]
        if self._acceptor is not None:
            servers.append(self._acceptor)
        self._servers, self._acceptor = [], None
        for server in servers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), _CLOSE_S)
