"""The figures of each assigned partition, as somebody scrapes them."""

from dataclasses import dataclass

from bridge.core import Clock, Metrics
from bridge.flow import Lane

_GAUGES = (
    "otelcol_kafka_receiver_current_offset",
    "otelcol_kafka_receiver_offset_lag",
    "bridge_kafka_receiver_lag",
    "bridge_kafka_receiver_uncommitted_records",
    "bridge_kafka_receiver_oldest_unfinished_age",
    "bridge_kafka_receiver_window_bytes",
    "bridge_kafka_receiver_islands",
    "bridge_kafka_receiver_held",
)


@dataclass(slots=True)
class LogEnd:
    """The offset after the last record of a log, as it was when it was last asked for."""

    offset: int | None = None


class LaneFigures:
    """
    Shows lanes while they are assigned; their series end with the assignment.

    Args:
        receiver:
            The component's id, a label of every series.
    """

    def __init__(self, metrics: Metrics, clock: Clock, receiver: str) -> None:
        self._metrics = metrics
        self._clock = clock
        self._receiver = receiver
        # What changes: the newest known end of each shown lane's log.
        self._ends: dict[tuple[str, int], LogEnd] = {}

    def labels(self, topic: str, partition: int) -> dict[str, str]:
        """The labels of one partition's series."""
        return {"receiver": self._receiver, "topic": topic, "partition": str(partition)}

    def skipped(self, lane: Lane, records: int) -> None:
        """*records* were read again and not delivered again, thanks to islands or a rewind."""
        labels = self.labels(lane.topic, lane.partition)
        self._metrics.counter("bridge_kafka_receiver_redeliveries_skipped", labels).add(records)

    def read_back(self, lane: Lane, records: int) -> None:
        """*records* that were finished before were read as context."""
        labels = self.labels(lane.topic, lane.partition)
        self._metrics.counter("bridge_kafka_receiver_context_records", labels).add(records)

    def show(self, lane: Lane) -> None:
        """Begin to show *lane*, in place of an earlier assignment of its partition."""
        end = self._ends[lane.topic, lane.partition] = LogEnd()
        readers = (
            lambda: lane.book.read_next - 1,
            lambda: self._behind(lane, end),
            lambda: self._lag_s(lane, end),
            lambda: lane.book.unfinished,
            lambda: self._age_s(lane),
            lambda: lane.window_bytes,
            lambda: sum(1 for _ in lane.book.islands()),
            lambda: float(bool(lane.stuck)),
        )
        labels = self.labels(lane.topic, lane.partition)
        for name, read in zip(_GAUGES, readers, strict=True):
            self._metrics.gauge(name, labels, read)

    def hide(self, lane: Lane) -> None:
        """Stop showing *lane*."""
        self._ends.pop((lane.topic, lane.partition), None)
        labels = self.labels(lane.topic, lane.partition)
        for name in _GAUGES:
            self._metrics.forget(name, labels)

    def set_end(self, lane: Lane, offset: int) -> None:
        """Note where the log of *lane* ends now."""
        end = self._ends.get((lane.topic, lane.partition))
        if end is not None:
            end.offset = offset

    def _behind(self, lane: Lane, end: LogEnd) -> float:
        """Records between what may be committed and the end of the log."""
        return 0.0 if end.offset is None else max(0.0, end.offset - lane.book.committed)

    def _lag_s(self, lane: Lane, end: LogEnd) -> float:
        """Seconds by which the oldest unfinished record, or else the last one read, is behind."""
        if not self._behind(lane, end):
            return 0.0
        stamp_ms = lane.oldest_ms if lane.oldest_ms is not None else lane.newest_ms
        return max(0.0, self._clock.wall() - stamp_ms / 1000) if stamp_ms else 0.0

    def _age_s(self, lane: Lane) -> float:
        oldest_ms = lane.oldest_ms
        return 0.0 if oldest_ms is None else max(0.0, self._clock.wall() - oldest_ms / 1000)
