"""A transport that keeps what is written."""

from typing import Any


class FakeTransport:
    """Stands for a socket; closing it tells nobody, as `connection_lost` is the test's to call."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.aborted = False
        self.reading = True

    def write(self, data: bytes) -> None:
        """Keep *data*."""
        self.written += data

    def close(self) -> None:
        """Note it."""
        self.closed = True

    def abort(self) -> None:
        """Note it."""
        self.aborted = self.closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def pause_reading(self) -> None:
        """Note it."""
        self.reading = False

    def resume_reading(self) -> None:
        """Note it."""
        self.reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing is known."""
        return default

    def take(self) -> bytes:
        """What was written since the last look."""
        written, self.written = self.written, b""
        return written
