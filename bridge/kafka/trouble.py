"""What goes wrong while consuming, as statuses of the component."""

from collections.abc import Callable

import aiokafka.errors as kafka

from bridge.core import DeliveryError, Denied, State, Status
from bridge.kafka.errors import map_kafka_error

Report = Callable[[Status], None]

BOTH_WAYS_OUT = (
    "the group has members that speak another rebalance protocol, such as Collectors with their "
    "default cooperative-sticky. Either set group_rebalance_strategies: [sticky] on those members "
    "first, or stop them before this one starts; or give this receiver a group_id of its own and "
    "copy the offsets: kafka-consumer-groups --group NEW --reset-offsets --from-file OFFSETS "
    "--execute"
)
"""What to do about members that cannot be in one group with us."""


class Troubles:
    """
    Reports what is wrong, by subject; the same trouble again is no news.

    Args:
        report: Of the component's settings.
        group, principal, broker: For the commands in hints.
    """

    def __init__(self, report: Report, group: str, principal: str, broker: str = "") -> None:
        self.broker = broker or "HOST:9092"
        self._report = report
        self._group = group
        self._principal = principal
        # What changes: the subjects that are not well.
        self._reported: dict[str, Status] = {}

    def raised(self, subject: str, error: BaseException, *, what: str, topic: str = "") -> None:
        """*subject* is not well, because of *error* while trying *what*."""
        known = self.translate(error, what=what, topic=topic)
        state = State.PERMANENT if isinstance(known, Denied) else State.RECOVERABLE
        self.set(Status(state, str(known), getattr(known, "hint", ""), subject))

    def translate(self, error: BaseException, *, what: str, topic: str = "") -> DeliveryError:
        """*error* in our words, with what to do about it. The caller chains the cause."""
        if isinstance(error, kafka.InconsistentGroupProtocolError):
            return Denied(f"cannot join group {self._group}: {error}", hint=BOTH_WAYS_OUT)
        if isinstance(error, kafka.RecordTooLargeError):
            return Denied(
                f"cannot {what}: a record is larger than a fetch",
                hint="raise max_partition_fetch_size and max_fetch_size above the topic's "
                "max.message.bytes",
            )
        return map_kafka_error(
            error,
            what=what,
            topic=topic,
            group=self._group,
            principal=self._principal,
            broker=self.broker,
        )

    def set(self, status: Status) -> None:
        """Report *status* for its subject."""
        if self._reported.get(status.subject) != status:
            self._reported[status.subject] = status
            self._report(status)

    def well(self, subject: str) -> None:
        """Nothing is wrong with *subject* any more."""
        if self._reported.pop(subject, None) is not None:
            self._report(Status(State.OK, subject=subject))

    def all_well(self) -> None:
        """Nothing is wrong with any subject: what was reported is over."""
        for subject in list(self._reported):
            self.well(subject)
