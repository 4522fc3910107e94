"""One request and its response on an HTTP/2 connection."""

import asyncio
from typing import Final

from bridge.http2.body import Body
from bridge.http2.frames import DATA, END_HEADERS, END_STREAM, HEADERS
from bridge.http2.head import Head, encode_fields
from bridge.http2.header_decoder import Field

NO_FIELDS: Final[tuple[Field, ...]] = ()


class Response:
    """
    An answer as the bytes that go out, made once and used for any number of streams.

    Without *trailers* the body ends the stream; without both, the head does.
    """

    __slots__ = ("body", "body_prefix", "head", "head_prefix", "trailers", "trailers_prefix")

    def __init__(self, head: bytes, body: bytes = b"", trailers: bytes = b"") -> None:
        self.head = head
        self.body = body
        self.trailers = trailers
        self.head_prefix = _prefix(
            head, HEADERS, END_HEADERS | (0 if body or trailers else END_STREAM)
        )
        self.body_prefix = _prefix(body, DATA, 0 if trailers else END_STREAM)
        self.trailers_prefix = _prefix(trailers, HEADERS, END_HEADERS | END_STREAM)

    @classmethod
    def of_fields(
        cls, fields: tuple[Field, ...], body: bytes = b"", trailers: tuple[Field, ...] = ()
    ) -> "Response":
        """The response with these fields; ``:status`` comes first."""
        return cls(encode_fields(fields), body, encode_fields(trailers))


class Stream(Body):
    """
    A request as it arrives, and what is known of it until it is answered.

    The handler owns `body_bytes_max`, `charge_bytes`, `deadline_at` and `context`; everything else
    is the connection's. `volatile` are the fields that differ from request to request.
    """

    __slots__ = (
        "admitted",
        "answered",
        "body_bytes_max",
        "charge_bytes",
        "closed",
        "context",
        "deadline_at",
        "ended",
        "head",
        "id",
        "opened_at",
        "progress_at",
        "progress_bytes",
        "refusal",
        "send_window_bytes",
        "task",
        "volatile",
        "window_bytes",
    )

    def __init__(
        self,
        stream_id: int,
        head: Head,
        volatile: tuple[Field, ...],
        window_bytes: int,
        send_window_bytes: int,
        now: float,
    ) -> None:
        super().__init__()
        self.id = stream_id
        self.head = head
        self.volatile = volatile
        self.window_bytes = window_bytes
        self.send_window_bytes = send_window_bytes
        self.admitted = False
        self.answered = False
        self.ended = False
        self.closed = False
        self.refusal: Response | None = None
        self.opened_at = now
        self.progress_at = now
        self.progress_bytes = 0
        self.task: asyncio.Task[None] | None = None
        self.body_bytes_max = 0
        self.charge_bytes = 0
        self.deadline_at: float | None = None
        self.context: object = None

    def __repr__(self) -> str:
        state = "closed" if self.closed else "half-closed" if self.ended else "open"
        return f"<Stream {self.id} {state}, {self.received_bytes} bytes received>"


def _prefix(payload: bytes, kind: int, flags: int) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags))
