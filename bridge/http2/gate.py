"""What a connection asks of its handler while requests arrive."""

from collections.abc import Callable
from typing import Protocol

from bridge.core import Pending
from bridge.http2.stream import Response, Stream


class Gate(Protocol):
    """The handler's say before bodies are buffered. Synchronous: it decides, it does not wait."""

    prefix_bytes: int
    """How much of a body `admit_body` wants to see."""

    volatile_fields: frozenset[bytes]
    """Names whose values differ from request to request, kept out of the shared `Head`."""

    @property
    def overrun(self) -> Response:
        """The answer to a body longer than what was admitted."""
        ...

    def admit(self, stream: Stream) -> Response | None:
        """Refuse a request by its head: the answer goes out when the request has ended."""
        ...

    def admit_body(self, stream: Stream, prefix: bytes) -> Response | None:
        """
        Charge the body and set `stream.body_bytes_max`, or refuse it: the answer goes out at once.
        """
        ...


class Handler(Gate, Protocol):
    """What answers the requests of a server."""

    @property
    def failure(self) -> Response:
        """The answer when `handle` raises what it should not."""
        ...

    @property
    def expired(self) -> Response:
        """The answer when `stream.deadline_at` passes."""
        ...

    def begin(self, stream: Stream, answer: Callable[[Stream, Response], None]) -> Pending | None:
        """
        Answer one complete request by calling *answer*, now or later, if that takes no task.

        Returns:
            `None` if it takes one: `handle` is called then. *answer* is not called after `cancel`.
        """
        ...

    async def handle(self, stream: Stream) -> Response:
        """Answer one complete request; `stream.take_body` gives its body."""
        ...

    def release(self, stream: Stream) -> None:
        """Give back what was charged for *stream*; called again, do nothing."""
        ...
