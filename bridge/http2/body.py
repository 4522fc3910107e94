"""A request body as it arrives."""

from typing import Final

_SMALL_BYTES: Final = 1_024
"""Pieces below this are gathered in one buffer: bytes sent singly cost bytes, not objects."""


class Body:
    """Pieces of a body; they are copied once, when it is complete."""

    parts: list[bytes | bytearray]
    received_bytes = 0

    def __init__(self) -> None:
        self.parts = []

    def add(self, payload: bytes) -> None:
        """Keep the next bytes of the body."""
        parts = self.parts
        if len(payload) < _SMALL_BYTES and parts:
            last = parts[-1]
            if type(last) is bytearray:
                last += payload
            else:
                parts.append(bytearray(payload))
        else:
            parts.append(payload)
        self.received_bytes += len(payload)

    def prefix(self, count: int) -> bytes:
        """The first *count* bytes of the body, or fewer if fewer came."""
        first = self.parts[0] if self.parts else b""
        return bytes(first[:count] if len(first) >= count else b"".join(self.parts)[:count])

    def take_body(self, skip_bytes: int = 0) -> bytes:
        """The body without its first *skip_bytes*; it is no longer held here."""
        parts, self.parts = self.parts, []
        if skip_bytes and parts and len(parts[0]) >= skip_bytes:
            parts[0] = parts[0][skip_bytes:]
            skip_bytes = 0
        first = parts[0] if len(parts) == 1 else b"".join(parts)
        body = first if type(first) is bytes else bytes(first)
        return body[skip_bytes:] if skip_bytes else body
