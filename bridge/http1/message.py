"""Requests and responses of HTTP/1."""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from bridge.core import Pending
from bridge.http2 import Body, Field

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Response:
    """An answer as the bytes that go out, made once and used for any number of requests."""

    __slots__ = ("_rendered", "body", "head", "status")

    def __init__(self, status: int, fields: Iterable[Field] = (), body: bytes = b"") -> None:
        self.status = status
        self.body = body
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode("ascii")]
        lines += [name + b": " + value for name, value in fields]
        if status != HTTPStatus.NO_CONTENT:
            lines.append(b"content-length: " + str(len(body)).encode("ascii"))
        self.head = b"\r\n".join(lines) + b"\r\n"
        self._rendered = ("", b"")

    def with_fields(self, fields: Iterable[Field]) -> "Response":
        """The same answer with more fields."""
        response = Response.__new__(Response)
        response.status = self.status
        response.body = self.body
        response._rendered = ("", b"")
        response.head = self.head + b"".join(
            name + b": " + value + b"\r\n" for name, value in fields
        )
        return response

    def render(self, request: "Request", date: str, *, close: bool) -> bytes:
        """The bytes of this answer to *request*."""
        parts = [self.head, b"date: ", date.encode("ascii")]
        if close:
            parts.append(b"\r\nconnection: close\r\n\r\n")
        elif request.head.http_1_0:
            parts.append(b"\r\nconnection: keep-alive\r\n\r\n")
        else:
            parts.append(b"\r\n\r\n")
        if request.head.method != b"HEAD":
            parts.append(self.body)
        return b"".join(parts)

    def render_plainly(self, date: str) -> bytes:
        """As `render` for a POST of HTTP/1.1 that keeps its connection; made once for each date."""
        of_date, rendered = self._rendered
        if of_date != date:
            day = date.encode("ascii")
            rendered = b"".join((self.head, b"date: ", day, b"\r\n\r\n", self.body))
            self._rendered = (date, rendered)
        return rendered


class Head:
    """
    The head of a request. Shared by all requests of a connection that sent the same one.

    `fields` have lower-case names and lack ``content-length``. `note` belongs to the handler: what
    it worked out of this head once. `plain` is the handler's as well: whether it has nothing to say
    to a request of this head but how long its body may be.
    """

    __slots__ = (
        "_values",
        "chunked",
        "fields",
        "http_1_0",
        "keep_alive",
        "method",
        "note",
        "plain",
        "target",
    )

    def __init__(self, method: bytes, target: bytes, fields: Iterable[Field], version: str) -> None:
        self.method = method
        self.target = target
        self.fields = tuple((name.lower(), value) for name, value in fields)
        self.http_1_0 = version != "1.1"
        # The first of each name counts.
        self._values = dict(reversed(self.fields))
        tokens = (self.get(b"connection") or b"").lower().replace(b" ", b"").split(b",")
        self.keep_alive = b"keep-alive" in tokens if self.http_1_0 else b"close" not in tokens
        self.chunked = b"chunked" in (self.get(b"transfer-encoding") or b"").lower()
        self.note: object = None
        self.plain = False

    def get(self, name: bytes) -> bytes | None:
        """The first value of the field *name*, or `None`."""
        return self._values.get(name)

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]


class Request(Body):
    """
    A request as it arrives, and what is known of it until it is answered.

    The handler owns `charge_bytes`, `deadline_at` and `context`; everything else is the
    connection's. `content_length` is `None` for chunked bodies.
    """

    # Most requests never change most of these: defaults on the class make requests cheap.
    complete = False
    refused = False
    response: Response | None = None
    task: asyncio.Task[None] | None = None
    pending: Pending | None = None
    progress_bytes = 0
    charge_bytes = 0
    deadline_at: float | None = None
    context: object = None

    def __init__(self, head: Head, content_length: int | None, now: float) -> None:
        self.parts = []
        self.head = head
        self.content_length = content_length
        self.keep_alive = head.keep_alive
        self.began_at = self.progress_at = now

    @property
    def begun(self) -> bool:
        """Whether somebody is answering it."""
        return self.task is not None or self.pending is not None

    def __repr__(self) -> str:
        state = "complete" if self.complete else "arriving"
        head = self.head
        return f"<Request {head.method!r} {head.target!r} {state}, {self.received_bytes} bytes>"
