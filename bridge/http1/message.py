"""Requests and responses of HTTP/1."""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from bridge.http2 import Body, Field

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Response:
    """An answer as the bytes that go out, made once and used for any number of requests."""

    __slots__ = ("body", "head", "status")

    def __init__(self, status: int, fields: Iterable[Field] = (), body: bytes = b"") -> None:
        self.status = status
        self.body = body
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode("ascii")]
        lines += [name + b": " + value for name, value in fields]
        if status != HTTPStatus.NO_CONTENT:
            lines.append(b"content-length: " + str(len(body)).encode("ascii"))
        self.head = b"\r\n".join(lines) + b"\r\n"

    def with_fields(self, fields: Iterable[Field]) -> "Response":
        """The same answer with more fields."""
        response = Response.__new__(Response)
        response.status = self.status
        response.body = self.body
        response.head = self.head + b"".join(
            name + b": " + value + b"\r\n" for name, value in fields
        )
        return response

    def render(self, request: "Request", date: str, *, close: bool) -> bytes:
        """The bytes of this answer to *request*."""
        parts = [self.head, b"date: ", date.encode("ascii")]
        if close:
            parts.append(b"\r\nconnection: close\r\n\r\n")
        elif request.http_1_0:
            parts.append(b"\r\nconnection: keep-alive\r\n\r\n")
        else:
            parts.append(b"\r\n\r\n")
        if request.method != b"HEAD":
            parts.append(self.body)
        return b"".join(parts)


class Request(Body):
    """
    A request as it arrives, and what is known of it until it is answered.

    The handler owns `charge_bytes`, `deadline_at` and `context`; everything else is the
    connection's. `fields` have lower-case names. `content_length` is `None` for chunked bodies.
    """

    __slots__ = (
        "charge_bytes",
        "chunked",
        "complete",
        "content_length",
        "context",
        "deadline_at",
        "fields",
        "http_1_0",
        "keep_alive",
        "method",
        "progress_at",
        "progress_bytes",
        "refused",
        "response",
        "target",
        "task",
    )

    def __init__(
        self, method: bytes, target: bytes, fields: tuple[Field, ...], version: str, now: float
    ) -> None:
        super().__init__()
        self.method = method
        self.target = target
        self.fields = fields
        self.http_1_0 = version != "1.1"
        self.complete = False
        self.refused = False
        self.response: Response | None = None
        self.task: asyncio.Task[None] | None = None
        self.progress_at = now
        self.progress_bytes = 0
        self.charge_bytes = 0
        self.deadline_at: float | None = None
        self.context: object = None
        tokens = (self.get(b"connection") or b"").lower().replace(b" ", b"").split(b",")
        self.keep_alive = b"keep-alive" in tokens if self.http_1_0 else b"close" not in tokens
        self.chunked = b"chunked" in (self.get(b"transfer-encoding") or b"").lower()
        length = self.get(b"content-length")
        self.content_length = None if self.chunked else int(length or 0)

    def get(self, name: bytes) -> bytes | None:
        """The first value of the field *name*, or `None`."""
        for key, value in self.fields:
            if key == name:
                return value
        return None

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    def __repr__(self) -> str:
        state = "complete" if self.complete else "arriving"
        return f"<Request {self.method!r} {self.target!r} {state}, {self.received_bytes} bytes>"
