"""How much larger than a request its pieces may be together."""

from typing import Final

from bridge.core import TooLarge

COPIED_BYTES_MAX: Final = 64 << 20
"""
Bytes of copied envelopes that cutting one request may cost, where nobody says otherwise. 512 spans
of as many traces under a resource of 2 KiB copy 1 MiB; a resource of 1 MiB above 1,000 spans copies
1 GiB.
"""


class Allowance:
    """
    What the pieces of one request may take, counted down while they are made.

    Each piece repeats the resource and the scope of its items, so a large resource above many small
    items would turn a request of one megabyte into gigabytes.
    """

    __slots__ = ("_copied_bytes_max", "_left")

    def __init__(self, body_bytes: int, copied_bytes_max: int = COPIED_BYTES_MAX) -> None:
        self._copied_bytes_max = copied_bytes_max
        self._left = body_bytes + copied_bytes_max

    def take(self, piece_bytes: int) -> None:
        """
        Count a piece of *piece_bytes*, before it is made where its size is known.

        Raises:
            TooLarge: If it does not fit any more.
        """
        self._left -= piece_bytes
        if self._left < 0:
            raise too_many_copies(self._copied_bytes_max)


def too_many_copies(copied_bytes_max: int) -> TooLarge:
    """What whoever sent such a request is told."""
    return TooLarge(
        f"cutting the request copies its resources and scopes into more than {copied_bytes_max:,} "
        "bytes: send smaller batches or smaller resource attributes"
    )
