"""Memory bounded at the door: bytes are charged before they are buffered."""

from bridge.core import Overloaded


class ByteBudget:
    """
    How many bytes of request bodies may be in the process at once.

    Synchronous: who gets nothing is told so at once and comes back later, nobody queues.
    """

    __slots__ = ("limit_bytes", "refusals", "retry_after_s", "used_bytes")

    def __init__(self, limit_bytes: int, *, retry_after_s: float = 1.0) -> None:
        self.limit_bytes = limit_bytes
        self.retry_after_s = retry_after_s
        self.used_bytes = 0
        self.refusals = 0

    @property
    def room_bytes(self) -> int:
        """How much `acquire` would take now."""
        return self.limit_bytes - self.used_bytes

    def acquire(self, body_bytes: int) -> None:
        """
        Charge *body_bytes*; whoever does gives them back with `release`, exactly once.

        Raises:
            Overloaded: If the budget does not hold them. Nothing was charged.
        """
        if self.used_bytes + body_bytes > self.limit_bytes:
            self.refusals += 1
            raise Overloaded(
                f"{self.used_bytes} of {self.limit_bytes} bytes for requests in flight are in use",
                retry_after_s=self.retry_after_s,
            )
        self.used_bytes += body_bytes

    def release(self, body_bytes: int) -> None:
        """Give back what was charged."""
        self.used_bytes -= body_bytes

    def __repr__(self) -> str:
        return f"<ByteBudget {self.used_bytes} of {self.limit_bytes} bytes in use>"
