"""A call that has arrived whole, from its arrival to its answer, as one object."""

from collections.abc import Callable
from typing import Protocol

from bridge.core import BridgeError, Outcome
from bridge.http2.head import Head
from bridge.http2.header_decoder import Field
from bridge.http2.stream import Response, Stream


class SettledCalls:
    """
    Calls of one connection whose outcome is known and whose answer is not written yet.

    `wake` is called with the first of them. `faults` are what went wrong meanwhile and is to be
    logged.
    """

    __slots__ = ("calls", "faults", "wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.calls: list[WholeCall] = []
        self.faults: list[Exception] = []


class WholeCall(Stream):
    """
    A stream whose one message was there with its head.

    `message` is without its prefix, as it was sent; `context` says whether it is compressed.
    `answer_by` is the deadline of the call, before that of its answer. `method` and `items` are
    noted by whoever began it, `outcome` is what that came to and `response` what is said of it.
    """

    ended = True
    admitted = True
    whole = True
    items = 0
    answer_by = 0.0
    outcome: Outcome | Exception = None
    response: Response | None = None
    method: "WholeMethod"

    def __init__(
        self,
        stream_id: int,
        head: Head,
        volatile: tuple[Field, ...],
        message: bytes,
        compressed: int,
        settled: SettledCalls,
    ) -> None:
        self.id = stream_id
        self.head = head
        self.volatile = volatile
        self.message = message
        self.context = compressed
        self.parts = []
        self._settled = settled

    def take_body(self, skip_bytes: int = 0) -> bytes:
        """The message, whose prefix was skipped already; it is no longer held here."""
        message, self.message = self.message, b""
        return message

    def settle(self, outcome: Outcome) -> None:
        """Note how the call ended; it is answered with the others of this turn of the loop."""
        self.outcome = outcome
        settled = self._settled
        if not settled.calls:
            settled.wake()
        settled.calls.append(self)

    def fail(self, error: Exception) -> None:
        """Note that beginning the call raised *error*."""
        if not isinstance(error, BridgeError):
            self._settled.faults.append(error)
        self.settle(None)
        self.outcome = error


class WholeMethod(Protocol):
    """A method that begins and answers many calls at once."""

    def begin(self, calls: list[WholeCall]) -> list[WholeCall]:
        """
        Begin *calls*: each settles once, unless it is given back.

        Returns:
            Those that were not touched: they go the way of other requests.
        """
        ...

    def answer(self, calls: list[WholeCall]) -> None:
        """Set the `response` of each of *calls*, which have settled, and count them."""
        ...


class CallHandler(Protocol):
    """What is asked about whole calls by the connection that has them."""

    @property
    def message_bytes_max(self) -> int:
        """Longer messages are not whole calls."""
        ...

    @property
    def room_bytes(self) -> int:
        """How much may be charged now."""
        ...

    def charge(self, count_bytes: int) -> None:
        """Charge messages that fit into `room_bytes`; each call gives its own back."""
        ...

    def begin(self, calls: list[WholeCall]) -> list[WholeCall]:
        """As `WholeMethod.begin`, of any methods."""
        ...

    def answer(self, calls: list[WholeCall]) -> None:
        """As `WholeMethod.answer`, of any methods; gives back what they were charged."""
        ...
