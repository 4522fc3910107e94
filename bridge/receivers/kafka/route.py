"""What belongs to one topic: the stage its records go to, and what is counted about them."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bridge.core import DeliveryError, Settings, Signal, Stage
from bridge.flow import OF_KAFKA, Account, Column, Lane, ReadRecord

log = structlog.get_logger()

DENIED_INTERVAL_S = 30.0
"""
Seconds, at most, between attempts while somebody has to change credentials, an ACL or a topic.
"""

_RULES = ("on_error", "on_permanent_error")


class SignalFigures:
    """Counts what became of the items of one signal."""

    def __init__(self, settings: Settings, signal: Signal) -> None:
        counter, items = settings.metrics.counter, signal.items
        labels = {"receiver": str(settings.id), "transport": "kafka"}
        self.accepted = counter(f"otelcol_receiver_accepted_{items}", labels)
        self.refused = counter(f"otelcol_receiver_refused_{items}", labels)
        own = {"receiver": str(settings.id), "signal": signal.value}
        self.account = Account(settings.metrics, f"receivers/{settings.id}", signal, OF_KAFKA)
        self.retries = counter("bridge_kafka_receiver_retries", own)
        self.rejected = counter("bridge_kafka_receiver_rejected_items", own)
        self.dead_lettered = counter("bridge_kafka_receiver_dead_letters", own)
        self._dropped = {
            rule: counter("bridge_kafka_receiver_dropped_items", {**own, "rule": rule})
            for rule in _RULES
        }

    def drop(
        self, lane: Lane, entries: Sequence[ReadRecord], rule: str, error: DeliveryError
    ) -> None:
        """Finish *entries* undelivered, since ``message_marking`` says so: counted and logged."""
        self._dropped[rule].add(sum(entry.items for entry in entries))
        log.error(
            "kafka_records_dropped",
            **describe(lane, entries[0]),
            records=len(entries),
            rule=f"message_marking.{rule}",
            reason=str(error),
        )
        lane.set_aside([entry.offset for entry in entries], Column.DROPPED)


@dataclass(frozen=True, slots=True)
class Route:
    """Where the records of one topic go."""

    signal: Signal
    encoding: str
    stage: Stage
    figures: SignalFigures


def describe(lane: Lane, entry: ReadRecord) -> dict[str, object]:
    """Where a record is, for logs."""
    return {"topic": lane.topic, "partition": lane.partition, "offset": entry.offset}
