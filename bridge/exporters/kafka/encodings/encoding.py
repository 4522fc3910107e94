"""The shape of an encoding."""

from collections.abc import Callable
from typing import NamedTuple


class Encoded(NamedTuple):
    """A record's value, the items in it, and the key that the encoding itself gives it, if any."""

    value: bytes
    items: int
    key: bytes | None = None


Encode = Callable[[bytes, int], list[Encoded]]
"""
Makes records of an OTLP request and the number of its items.

Raises:
    Malformed: If the request cannot be read.
    TooLarge: If the records would copy too much of it.
"""


def encode_proto(body: bytes, items: int) -> list[Encoded]:
    """The request itself."""
    return [Encoded(body, items)]
