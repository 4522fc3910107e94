"""A listener of one of several workers, which accepts by itself to pass connections on."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from bridge.core import ConnectionShare, Join
from bridge.http2.quiet_log import QuietLog

_AT_ONCE_MAX: Final = 64
"""Connections accepted before others of the loop have their turn."""

_PAUSE_S: Final = 1.0
"""After an error of the system that accepting again at once would meet again."""

_EXHAUSTED: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Acceptor:
    """
    Accepts at *sockets*; serves what is its turn, passes on what is another's.

    Args:
        sockets: Bound; they belong to it from now on.
        make_connection: Builds the asyncio protocol of a connection that it serves.
        join: Where the listeners of the other workers are.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        make_connection: Callable[[], asyncio.Protocol],
        ssl_context: ssl.SSLContext | None,
        handshake_s: float | None,
        join: Join,
        log: QuietLog,
        backlog: int,
    ) -> None:
        self._sockets = list(sockets)
        self._make_connection = make_connection
        self._ssl_context = ssl_context
        self._handshake_s = handshake_s if ssl_context is not None else None
        self._log = log
        self._loop = asyncio.get_running_loop()
        # What changes: connections taken and not yet opened, the tasks that open them, and how many
        # are served.
        self._unopened: set[object] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._serving = 0
        self._pause: asyncio.TimerHandle | None = None
        self._share: ConnectionShare = join(self._take)
        self._share.count(0)
        for each in self._sockets:
            each.setblocking(False)
            each.listen(backlog)
        self._listen()

    def count(self, connection: object, serving: int) -> None:
        """*connection* was opened or closed: so many are served now."""
        self._unopened.discard(connection)
        self._serving = serving
        self._show()

    def close(self) -> None:
        """Accept nothing new. Connections go on."""
        if self._pause is not None:
            self._pause.cancel()
        self._share.close()
        for each in self._sockets:
            self._loop.remove_reader(each)
            each.close()
        self._sockets.clear()

    async def wait_closed(self) -> None:
        """Break off the handshakes that are under way."""
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        if opening:
            await asyncio.wait(opening)

    def _listen(self) -> None:
        self._pause = None
        for each in self._sockets:
            self._loop.add_reader(each, self._accept, each)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE_MAX):
            try:
                accepted, _ = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue  # Whoever it was has gone.
            except OSError as error:
                self._log.warning("accept_failed", reason=str(error))
                if error.errno in _EXHAUSTED:
                    self._wait()
                return
            if not self._share.pass_on(accepted):
                self._take(accepted)

    def _wait(self) -> None:
        for each in self._sockets:
            self._loop.remove_reader(each)
        self._pause = self._loop.call_later(_PAUSE_S, self._listen)

    def _take(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        with contextlib.suppress(OSError):  # As of a listener of asyncio.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._make_connection()
        self._unopened.add(connection)
        task = self._loop.create_task(self._open(connection, accepted))
        self._opening.add(task)
        task.add_done_callback(self._opened)
        self._show()

    async def _open(self, connection: asyncio.Protocol, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._ssl_context,
                ssl_handshake_timeout=self._handshake_s,
            )
        except OSError:
            accepted.close()  # A handshake that failed, or a sender that has gone.
        except BaseException:
            accepted.close()
            raise
        finally:
            self._unopened.discard(connection)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.warning("connection_failed", reason=repr(error))
        self._show()

    def _show(self) -> None:
        self._share.count(self._serving + len(self._unopened))
