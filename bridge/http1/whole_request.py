"""Requests that have arrived whole: begun together and answered together, of all connections."""

import asyncio
from typing import Final, Protocol

from bridge.core import BridgeError, Outcome, Pending
from bridge.http1.message import Head, Request, Response


class _Arrived:
    """What is pending of a request that waits for the others of its turn of the loop."""

    def cancel(self) -> None:
        """Giving back what the request was charged keeps it from being begun."""


_ARRIVED: Final[Pending] = _Arrived()


class Connection(Protocol):
    """What a lane asks of the connection of a request."""

    def begin(self, request: "WholeRequest") -> None:
        """Begin *request* by itself, as those that do not arrive whole."""
        ...

    def answer(self, request: "WholeRequest", response: Response) -> None:
        """Write *response*, unless nobody waits for it any more."""
        ...

    def log_fault(self, fault: Exception) -> None:
        """Say what went wrong with a request."""
        ...


class WholeRequest(Request):
    """
    A request whose body was there with its head, and whose head came before.

    `message` is its body. `items` and `answer_by` (its deadline, before that of its answer) are
    noted by whoever began it, `outcome` is what that came to and `reply` what is said of it.
    """

    complete = True
    pending: Pending | None = _ARRIVED
    items = 0
    answer_by = 0.0
    outcome: Outcome | Exception = None
    reply: Response | None = None

    def __init__(
        self, head: Head, message: bytes, now: float, connection: Connection, lane: "Lane"
    ) -> None:
        self.head = head
        self.message = message
        self.content_length = self.received_bytes = self.charge_bytes = len(message)
        self.parts = []
        self.keep_alive = True
        self.began_at = self.progress_at = now
        self.connection = connection
        self._lane = lane

    def take_body(self, skip_bytes: int = 0) -> bytes:
        """The body; it is no longer held here."""
        message, self.message = self.message, b""
        return message[skip_bytes:]

    def settle(self, outcome: Outcome) -> None:
        """Note how the request ended; it is answered with the others of this turn of the loop."""
        self.outcome = outcome
        self._lane.settled(self)

    def fail(self, error: Exception) -> None:
        """Note that beginning the request raised *error*."""
        if not isinstance(error, BridgeError):
            self.connection.log_fault(error)
        self.outcome = error
        self._lane.settled(self)


class WholeHandler(Protocol):
    """What is asked about whole requests by the server that has them."""

    @property
    def body_bytes_max(self) -> int:
        """Longer bodies take another way."""
        ...

    @property
    def room_bytes(self) -> int:
        """How much may be charged now."""
        ...

    def charge(self, count_bytes: int) -> None:
        """Charge a body that fits into `room_bytes`."""
        ...

    def begin(self, requests: list[WholeRequest]) -> list[WholeRequest]:
        """
        Begin *requests*: each settles once, unless it is given back.

        Returns:
            Those that were not touched: they go the way of other requests.
        """
        ...

    def answer(self, requests: list[WholeRequest]) -> None:
        """
        Set the `reply` of each of *requests*, which have settled, count them, and give back what
        they were charged.
        """
        ...

    def failure(self, request: Request) -> Response:
        """The answer when `begin` or `answer` raises."""
        ...

    def release(self, request: Request) -> None:
        """Give back what was charged for *request*; called again, do nothing."""
        ...


class Lane:
    """The whole requests of all connections of one server, in each turn of the loop."""

    def __init__(self, handler: WholeHandler) -> None:
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        # What changes: the requests of this turn.
        self._arrived: list[WholeRequest] = []
        self._settled: list[WholeRequest] = []

    def take(
        self, head: Head, data: bytes, body_at: int, now: float, connection: Connection
    ) -> WholeRequest | None:
        """
        Charge and take the request whose body is what *data* holds from *body_at* on.

        Returns:
            `None` if it must be judged first.
        """
        handler, length = self._handler, len(data) - body_at
        if not head.plain or length > handler.body_bytes_max or length > handler.room_bytes:
            return None
        request = WholeRequest(head, data[body_at:], now, connection, self)
        handler.charge(length)
        if not self._arrived:
            self._loop.call_soon(self._begin)
        self._arrived.append(request)
        return request

    def settled(self, request: WholeRequest) -> None:
        """Answer *request* with the others of this turn."""
        if not self._settled:
            self._loop.call_soon(self.answer)
        self._settled.append(request)

    def answer(self) -> None:
        """Answer the requests that settled since the last look."""
        settled, self._settled = self._settled, []
        if not settled:
            return
        try:
            self._handler.answer(settled)
        except Exception as fault:  # noqa: BLE001 - the peers get their answers whatever happens
            settled[0].connection.log_fault(fault)
            for request in settled:
                self._handler.release(request)
                if request.outcome is not None and request.reply is None:
                    request.reply = self._handler.failure(request)
        for request in settled:
            reply = request.reply
            if reply is not None:
                request.connection.answer(request, reply)

    def _begin(self) -> None:
        arrived, self._arrived = self._arrived, []
        # What was given up meanwhile is no longer charged.
        requests = [each for each in arrived if each.charge_bytes]
        if not requests:
            return
        try:
            rest = self._handler.begin(requests)
        except Exception as fault:  # noqa: BLE001 - the peers get their answers whatever happens
            requests[0].connection.log_fault(fault)
            for request in requests:
                if request.pending is _ARRIVED and request.outcome is None:
                    self._handler.release(request)
                    request.connection.answer(request, self._handler.failure(request))
            return
        for request in rest:
            request.pending = None
            request.connection.begin(request)
