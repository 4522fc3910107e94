"""A gate and a handler that do as they are told, and answers read back."""

import asyncio
from collections.abc import Callable
from functools import partial

from bridge.core import Pending
from bridge.http1 import Request, Response

OK = Response(200, ((b"content-type", b"text/plain"),), b"done")


class FakeHandler:
    """Admits everything and answers when it is let, unless told otherwise."""

    bad_request = Response(400, (), b"bad")
    head_too_large = Response(431, (), b"head")
    timed_out = Response(408, (), b"late")

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.called = asyncio.Event()
        self.refusal: Response | None = None
        self.limit_bytes = 1 << 20
        self.error: Exception | None = None
        self.deadline_at: float | None = None
        self.bodies: list[bytes] = []
        self.released: list[Request] = []
        self.cancelled = 0
        self.begins: Callable[[], Pending | None] | None = None
        self.answers: list[Callable[[Response], None]] = []

    def admit(self, request: Request) -> Response | None:
        """Judge the declared length."""
        if self.refusal is None and (request.content_length or 0) > self.limit_bytes:
            return Response(413, (), b"large")
        return self.refusal

    def admit_more(self, request: Request, more_bytes: int) -> Response | None:
        """Judge the counted length."""
        if request.received_bytes + more_bytes > self.limit_bytes:
            return Response(413, (), b"large")
        return None

    def begin(
        self, request: Request, answer: Callable[[Request, Response], None]
    ) -> Pending | None:
        """Leave it to a task, or note how to answer."""
        self.answers.append(partial(answer, request))
        if self.begins is None:
            return None
        request.deadline_at = self.deadline_at
        self.bodies.append(request.take_body())
        return self.begins()

    async def handle(self, request: Request) -> Response:
        """Wait until `open`, then answer or fail."""
        request.deadline_at = self.deadline_at
        self.called.set()
        self.bodies.append(request.take_body())
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return OK

    def failure(self, request: Request) -> Response:
        """The answer to failures."""
        return Response(503, (), b"failed")

    def expired(self, request: Request) -> Response:
        """The answer to expiry."""
        return Response(503, (), b"expired")

    def release(self, request: Request) -> None:
        """Note it."""
        self.released.append(request)


def post(
    body: bytes = b"", *fields: str, target: str = "/a", method: str = "POST", version: str = "1.1"
) -> bytes:
    """A request with a declared length."""
    lines = [f"{method} {target} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}"]
    return "\r\n".join((*lines, *fields, "", "")).encode("latin-1") + body


def chunked(*chunks: bytes, trailer: bytes = b"") -> bytes:
    """A request in chunks."""
    head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + coded + b"0\r\n" + trailer + b"\r\n"


def statuses(out: bytes) -> list[int]:
    """The statuses of the answers in *out*."""
    return [int(part[:3]) for part in out.split(b"HTTP/1.1 ")[1:]]
