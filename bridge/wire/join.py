"""Joining requests of one signal."""

from collections.abc import Sequence


def join(bodies: Sequence[bytes]) -> bytes:
    """
    One request that holds everything of *bodies*, in order.

    Concatenation: protobuf defines that the repeated fields of joined encodings are appended.
    """
    return bodies[0] if len(bodies) == 1 else b"".join(bodies)
