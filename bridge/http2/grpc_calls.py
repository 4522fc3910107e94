"""gRPC calls that have arrived whole, begun and answered together."""

from collections.abc import Mapping
from typing import Final

from bridge.core import Clock
from bridge.flow import ByteBudget
from bridge.http2.grpc_timeout import timeout_s
from bridge.http2.whole_call import WholeCall, WholeMethod

EXPIRY_GRACE_S: Final = 0.5
"""Seconds after a call's deadline until it is answered over its method's head."""


class GrpcCalls:
    """
    Gives whole calls to *methods*, by full path, and takes their answers back.

    It stands beside a `GrpcHandler` with the same arguments, which says of a head whether it is
    plain and does everything else.
    """

    def __init__(
        self,
        methods: Mapping[bytes, WholeMethod],
        *,
        clock: Clock,
        budget: ByteBudget,
        message_bytes_max: int,
        answer_s: float,
    ) -> None:
        self.message_bytes_max = message_bytes_max
        self._methods = methods
        self._clock = clock
        self._budget = budget
        self._answer_s = answer_s

    @property
    def room_bytes(self) -> int:
        """How much may be charged now."""
        return self._budget.room_bytes

    def charge(self, count_bytes: int) -> None:
        """Charge the budget with messages that fit into `room_bytes`."""
        self._budget.acquire(count_bytes)

    def begin(self, calls: list[WholeCall]) -> list[WholeCall]:
        """
        Begin *calls*, each of which settles once.

        Returns:
            Those that were not touched: compressed ones, methods that must have each by itself.
        """
        now = self._clock.monotonic()
        answer_by = now + self._answer_s
        expires_at = answer_by + EXPIRY_GRACE_S
        rest: list[WholeCall] = []
        groups: dict[WholeMethod, list[WholeCall]] = {}
        for call in calls:
            method = self._methods.get(call.head.path)
            if method is None or call.context:
                rest.append(call)
                continue
            if call.volatile:
                call.answer_by = min(answer_by, now + timeout_s(call.volatile))
                call.deadline_at = call.answer_by + EXPIRY_GRACE_S
            else:
                call.answer_by, call.deadline_at = answer_by, expires_at
            call.method = method
            group = groups.get(method)
            if group is None:
                groups[method] = [call]
            else:
                group.append(call)
        for method, group in groups.items():
            rest += method.begin(group)
        return rest

    def answer(self, calls: list[WholeCall]) -> None:
        """Have the responses of settled *calls* set, and give back what they were charged."""
        charged_bytes = 0
        groups: dict[WholeMethod, list[WholeCall]] = {}
        for call in calls:
            charged_bytes += call.charge_bytes
            call.charge_bytes = 0
            call.pending = None
            group = groups.get(call.method)
            if group is None:
                groups[call.method] = [call]
            else:
                group.append(call)
        self._budget.release(charged_bytes)
        for method, group in groups.items():
            method.answer(group)
