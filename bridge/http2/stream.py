"""One request and its response on an HTTP/2 connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from bridge.core import Pending
from bridge.http2.body import Body
from bridge.http2.frames import DATA, END_HEADERS, END_STREAM, HEADERS
from bridge.http2.head import Head, encode_fields
from bridge.http2.header_decoder import Field

NO_FIELDS: Final[tuple[Field, ...]] = ()


class Response:
    """
    An answer as the bytes that go out, made once and used for any number of streams.

    Without *trailers* the body ends the stream; without both, the head does. `segments` are all
    frames cut where the stream id belongs.

    Args:
        ends:
            Whether the stream ends with it; otherwise others follow, the first with a head and
            those after it without.
    """

    __slots__ = ("body", "ends", "head", "head_prefix", "segments", "trailers", "trailers_prefix")

    def __init__(
        self, head: bytes, body: bytes = b"", trailers: bytes = b"", *, ends: bool = True
    ) -> None:
        self.head = head
        self.body = body
        self.trailers = trailers
        self.ends = ends
        self.head_prefix = _prefix(
            head, HEADERS, END_HEADERS | (0 if body or trailers or not ends else END_STREAM)
        )
        self.trailers_prefix = _prefix(trailers, HEADERS, END_HEADERS | END_STREAM)
        segments = [self.head_prefix, head]
        if body:
            segments[-1] += _prefix(body, DATA, 0 if trailers else END_STREAM)
            segments.append(body)
        if trailers:
            segments[-1] += self.trailers_prefix
            segments.append(trailers)
        self.segments = tuple(segments)

    @classmethod
    def of_fields(
        cls,
        fields: tuple[Field, ...],
        body: bytes = b"",
        trailers: tuple[Field, ...] = (),
        *,
        ends: bool = True,
    ) -> "Response":
        """The response with these fields; ``:status`` comes first, where there is a head."""
        return cls(encode_fields(fields), body, encode_fields(trailers), ends=ends)


class Stream(Body):
    """
    A request as it arrives, and what is known of it until it is answered.

    The handler owns `body_bytes_max`, `charge_bytes`, `deadline_at`, `context` and `decision`;
    everything else is the connection's. `volatile` are the fields that differ from request to
    request.
    """

    # Most requests never change most of these: defaults on the class make streams cheap.
    admitted = False
    answered = False
    opened = False
    """Whether a part of the answer is out that others follow."""
    ended = False
    closed = False
    refusal: Response | None = None
    whole = False
    """Whether it is a `WholeCall`."""
    task: asyncio.Task[None] | None = None
    pending: Pending | None = None
    progress_bytes = 0
    body_bytes_max = 0
    charge_bytes = 0
    deadline_at: float | None = None
    context: object = None
    decision: Callable[[], Awaitable[Response | None]] | None = None

    def __init__(
        self,
        stream_id: int,
        head: Head,
        volatile: tuple[Field, ...],
        window_bytes: int,
        send_window_bytes: int,
        now: float,
    ) -> None:
        self.parts = []
        self.id = stream_id
        self.head = head
        self.volatile = volatile
        self.window_bytes = window_bytes
        self.send_window_bytes = send_window_bytes
        self.progress_at = now

    def __repr__(self) -> str:
        state = "closed" if self.closed else "half-closed" if self.ended else "open"
        return f"<Stream {self.id} {state}, {self.received_bytes} bytes received>"


def _prefix(payload: bytes, kind: int, flags: int) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags))
