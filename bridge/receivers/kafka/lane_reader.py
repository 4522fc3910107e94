"""Reading the records of one topic into entries, with what is counted about each partition."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bridge.core import Clock, Counter, Histogram, Metrics
from bridge.flow import Lane, ReadRecord, SourceRecord
from bridge.receivers.kafka.reading import RecordReader
from bridge.receivers.kafka.route import describe

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ReadFigures:
    """What is counted about one partition when it is read."""

    records: Counter
    bytes: Counter
    unreadable: Counter
    latency: Histogram
    delay: Histogram | None


class LaneReader:
    """
    Makes entries of the records of one topic.

    Args:
        receiver: The component's id, a label of every series.
        with_delay: Whether to measure how long records were in Kafka.
    """

    def __init__(
        self, reader: RecordReader, metrics: Metrics, clock: Clock, receiver: str, with_delay: bool
    ) -> None:
        self._reader = reader
        self._metrics = metrics
        self._clock = clock
        self._receiver = receiver
        self._with_delay = with_delay
        # What changes: the counters of each partition that was read.
        self._figures: dict[int, ReadFigures] = {}

    def read(self, lane: Lane, records: Sequence[SourceRecord]) -> list[ReadRecord]:
        """Entries of *records*, in their order; undecodable ones with a fault, logged."""
        figures = self._of(lane)
        began_s = time.perf_counter()
        entries = self._reader.read_all(records)
        figures.latency.observe(time.perf_counter() - began_s)
        figures.records.add(len(records))
        figures.bytes.add(sum([len(record.value or b"") for record in records]))
        for entry in [entry for entry in entries if entry.fault is not None]:
            figures.unreadable.add()
            log.error("kafka_record_undecodable", **describe(lane, entry), reason=str(entry.fault))
        if figures.delay is not None:
            now_s = self._clock.wall()
            for record in records:
                figures.delay.observe(max(0.0, now_s - record.timestamp / 1000))
        return entries

    def _of(self, lane: Lane) -> ReadFigures:
        figures = self._figures.get(lane.partition)
        if figures is None:
            figures = self._figures[lane.partition] = self._make(lane)
        return figures

    def _make(self, lane: Lane) -> ReadFigures:
        labels = {
            "receiver": self._receiver,
            "topic": lane.topic,
            "partition": str(lane.partition),
        }
        outcome = {**labels, "outcome": "success"}
        counter, histogram = self._metrics.counter, self._metrics.histogram
        failed = f"otelcol_kafka_receiver_unmarshal_failed_{self._reader.signal.items}"
        delay = "otelcol_kafka_receiver_records_delay"
        return ReadFigures(
            counter("otelcol_kafka_receiver_records", outcome),
            counter("otelcol_kafka_receiver_bytes_uncompressed", outcome),
            counter(failed, labels),
            histogram("otelcol_kafka_receiver_read_latency", outcome),
            histogram(delay, labels) if self._with_delay else None,
        )
