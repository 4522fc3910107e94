"""One call of a client: what is still to be sent, and what came back."""

from dataclasses import dataclass, field
from typing import Final, Literal

from bridge.http2.frames import DATA, END_STREAM, FRAME_HEAD, WINDOW_BYTES_INITIAL

Outcome = Literal["", "answered", "unprocessed", "failed", "too_large"]
"""
How a call ended. ``unprocessed``: the server says that it never looked at it. ``failed``: it may
have been done. ``too_large``: the answer exceeds the limit.
"""

NOTHING: Final = memoryview(b"")


@dataclass(slots=True)
class Answer:
    """What came back on one stream; `headers` and `trailers` by lower-case name."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    trailers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


@dataclass(slots=True, eq=False)
class ClientStream:
    """
    The state of one call. `prefix` and `rest` are what is left of the message, in that order.

    `window_bytes` is what the server may still send, `send_window_bytes` what we may.
    """

    id: int
    prefix: bytes
    rest: memoryview
    send_window_bytes: int
    window_bytes: int = WINDOW_BYTES_INITIAL
    answer: Answer = field(default_factory=Answer)
    outcome: Outcome = ""
    reason: str = ""

    @property
    def unsent_bytes(self) -> int:
        """Bytes of the message that were not written yet."""
        return len(self.prefix) + len(self.rest)

    def write_frame(self, out: list[bytes | memoryview], size: int) -> None:
        """Append the next *size* bytes of the message to *out* as one frame; nothing is copied."""
        flags = END_STREAM if size == self.unsent_bytes else 0
        out.append(FRAME_HEAD.pack(size >> 8, size & 0xFF, DATA, flags, self.id))
        if self.prefix:
            taken = self.prefix[:size]
            self.prefix = self.prefix[size:]
            out.append(taken)
            size -= len(taken)
        if size:
            out.append(self.rest[:size])
            self.rest = self.rest[size:]
