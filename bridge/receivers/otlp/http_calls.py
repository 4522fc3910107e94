"""Requests over HTTP that have arrived whole, begun and answered together."""

from collections.abc import Mapping

from bridge.core import ACCEPTED, BridgeError, Clock, Metadata, Outcome, Receipt
from bridge.flow import ByteBudget
from bridge.http1 import Request, Response, WholeRequest
from bridge.http2 import EXPIRY_GRACE_S
from bridge.receivers.otlp.config import HttpOptions
from bridge.receivers.otlp.http_service import OtlpHttpHandler
from bridge.receivers.otlp.intake import Intake, Outcomes, to_metadata


class OtlpHttpCalls:
    """
    Takes whole requests of heads that *handler* has called plain, and answers them.

    It stands beside that handler, with the same arguments, which does everything else.
    """

    def __init__(
        self,
        handler: OtlpHttpHandler,
        config: HttpOptions,
        intakes: Mapping[bytes, Intake],
        outcomes: Outcomes,
        *,
        clock: Clock,
        budget: ByteBudget,
        answer_s: float,
    ) -> None:
        self.body_bytes_max = config.body_bytes_max
        self._handler = handler
        self._intakes = intakes
        self._outcomes = outcomes
        self._clock = clock
        self._budget = budget
        self._answer_s = answer_s
        self._metadata_of = _metadata_of if config.include_metadata else None

    @property
    def room_bytes(self) -> int:
        """How much may be charged now."""
        return self._budget.room_bytes

    def charge(self, count_bytes: int) -> None:
        """Charge the budget with a body that fits into `room_bytes`."""
        self._budget.acquire(count_bytes)

    def begin(self, requests: list[WholeRequest]) -> list[WholeRequest]:
        """
        Begin *requests*, each of which settles once.

        Returns:
            Those that were not touched: an intake must have each by itself.
        """
        answer_by = self._clock.monotonic() + self._answer_s
        expires_at = answer_by + EXPIRY_GRACE_S
        groups: dict[bytes, list[WholeRequest]] = {}
        for request in requests:
            request.answer_by, request.deadline_at = answer_by, expires_at
            target = request.head.target
            group = groups.get(target)
            if group is None:
                groups[target] = [request]
            else:
                group.append(request)
        rest: list[WholeRequest] = []
        for target, group in groups.items():
            rest += self._intakes[target].begin_calls(group, self._metadata_of)
        return rest

    def answer(self, requests: list[WholeRequest]) -> None:
        """Have the replies of settled *requests* set, count them, give back their charges."""
        items: dict[bytes, int] = {}
        charged_bytes = accepted = 0
        ok = self._handler.ok
        for request in requests:
            charged_bytes += request.charge_bytes
            request.charge_bytes = 0
            if request.outcome is ACCEPTED:
                target = request.head.target
                items[target] = items.get(target, 0) + request.items
                accepted += 1
                request.reply = ok
        self._budget.release(charged_bytes)
        self._outcomes.ok.value += accepted
        for target, count in items.items():
            self._intakes[target].accepted(count)
        if accepted < len(requests):
            for request in requests:
                if request.outcome is not ACCEPTED:
                    self._answer_other(request, request.outcome)

    def failure(self, request: Request) -> Response:
        """As the handler's."""
        return self._handler.failure(request)

    def release(self, request: Request) -> None:
        """As the handler's."""
        self._handler.release(request)

    def _answer_other(self, request: WholeRequest, outcome: Outcome | Exception) -> None:
        self._intakes[request.head.target].left(request.items, outcome)
        if isinstance(outcome, Receipt | BridgeError):
            request.reply = self._handler.to_response(request, outcome)
        elif outcome is not None:
            request.reply = self._handler.failure(request)


def _metadata_of(request: WholeRequest) -> Metadata:
    return to_metadata(request.head.fields)
