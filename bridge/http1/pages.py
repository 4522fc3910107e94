"""
A few pages for machines: GET, an answer, and nothing else.

For figures and health, which every process serves: a web framework would be an eighth of a
sidecar's memory and a fifth of its start.
"""

import asyncio
import errno
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import Final

from bridge.core import Clock, Deadline, Pending
from bridge.http1.limits import Http1Limits
from bridge.http1.message import Request, Response
from bridge.http1.protocol import Http1Protocol
from bridge.http2 import QuietLog, Server, Timeouts

Page = Callable[[], Awaitable[Response]]
"""Makes what a path shows now."""

CONNECTIONS_MAX: Final = 100
"""Whoever scrapes or probes needs one."""

PAGE_TIMEOUT_S: Final = 30.0
"""Seconds that a page may take, as when figures of other processes are fetched for it."""


def text_response(
    status: int, text: str, content_type: str = "text/plain; charset=utf-8"
) -> Response:
    """An answer of text."""
    return Response(status, ((b"content-type", content_type.encode()),), text.encode())


def json_response(status: int, value: object) -> Response:
    """An answer of JSON."""
    return text_response(status, json.dumps(value), "application/json; charset=utf-8")


class PageServer:
    """
    Serves *pages* by their path.

    Args:
        name: For logs.
    """

    def __init__(self, pages: Mapping[str, Page], clock: Clock, name: str) -> None:
        self._handler = PageHandler(pages, clock)
        self._clock = clock
        self._name = name
        # What changes: what listens.
        self._server: Server | None = None

    async def start(self, host: str, port: int) -> int:
        """
        Listen on every address of *host*; all addresses if it is empty. Port 0 takes a free one.

        Returns:
            The port.

        Raises:
            OSError: If *host* is unknown or its first address cannot be bound.
        """
        sockets = await _bind(host, port)
        handler, limits = self._handler, Http1Limits()
        self._server = Server(
            lambda server: Http1Protocol(server, handler, limits),
            self._clock,
            Timeouts(),
            connections_max=CONNECTIONS_MAX,
            count_closed=lambda reason: None,
            log=QuietLog(self._clock, server=self._name),
        )
        await self._server.start(sockets, None)
        found: int = sockets[0].getsockname()[1]
        return found

    async def stop(self, deadline: Deadline) -> None:
        """Stop listening; answers under way are finished until *deadline*. Safe twice."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(deadline)


class PageHandler:
    """Answers the requests of a `PageServer`; a `bridge.http1.Handler`."""

    bad_request: Final = text_response(400, "not a request of HTTP/1\n")
    head_too_large: Final = text_response(431, "the head of the request is too large\n")
    timed_out: Final = text_response(408, "the request did not arrive in time\n")

    def __init__(self, pages: Mapping[str, Page], clock: Clock) -> None:
        self._pages = {path.encode(): page for path, page in pages.items()}
        self._clock = clock

    def admit(self, request: Request) -> Response | None:
        """Refuse all but bodiless questions for pages that there are."""
        head = request.head
        if head.path not in self._pages:
            return text_response(404, "no such page\n")
        if head.method not in (b"GET", b"HEAD"):
            return text_response(405, "only GET\n").with_fields(((b"allow", b"GET, HEAD"),))
        if request.content_length:
            return self.admit_more(request, request.content_length)
        request.deadline_at = self._clock.monotonic() + PAGE_TIMEOUT_S
        return None

    def admit_more(self, request: Request, more_bytes: int) -> Response | None:
        """Nobody reads a body."""
        del request
        return text_response(413, "pages take no body\n") if more_bytes else None

    def failure(self, request: Request) -> Response:
        """A page that stumbled; what happened is in the log."""
        del request
        return text_response(500, "see the log\n")

    def expired(self, request: Request) -> Response:
        """A page that took too long."""
        del request
        return text_response(503, f"no answer within {PAGE_TIMEOUT_S:g} s\n")

    def begin(
        self, request: Request, answer: Callable[[Request, Response], None]
    ) -> Pending | None:
        """Pages may wait for something: each takes a task."""
        del request, answer
        return None

    async def handle(self, request: Request) -> Response:
        """The page as it is now."""
        return await self._pages[request.head.path]()

    def release(self, request: Request) -> None:
        """Nothing was charged."""


async def _bind(host: str, port: int) -> list[socket.socket]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    # IPv4 first; each address once.
    places = sorted(dict.fromkeys((f, str(a[0])) for f, _, _, _, a in found), key=_rank)
    with ExitStack() as undo:
        bound: list[socket.socket] = []
        for family, address in places:
            listener = socket.socket(family, socket.SOCK_STREAM)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.setblocking(False)
                listener.bind((address, port))
            except OSError as error:
                listener.close()
                if bound and error.errno in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
                    continue  # The second address of a name is a courtesy.
                raise
            undo.callback(listener.close)
            bound.append(listener)
            port = listener.getsockname()[1]
        undo.pop_all()
        return bound


def _rank(place: tuple[int, str]) -> bool:
    return place[0] != socket.AF_INET
