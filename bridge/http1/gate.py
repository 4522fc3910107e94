"""What a connection asks of its handler while requests arrive."""

from typing import Protocol

from bridge.http1.message import Request, Response


class Gate(Protocol):
    """The handler's say before bodies are buffered. Synchronous: it decides, it does not wait."""

    @property
    def bad_request(self) -> Response:
        """The answer to what is no HTTP/1 request."""
        ...

    @property
    def head_too_large(self) -> Response:
        """The answer to a head over its limits."""
        ...

    def admit(self, request: Request) -> Response | None:
        """Judge a request by its head and charge its `content_length`, or refuse it."""
        ...

    def admit_more(self, request: Request, more_bytes: int) -> Response | None:
        """Charge the next bytes of a body that did not declare its length, or refuse it."""
        ...
