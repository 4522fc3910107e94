"""What the Kafka exporter counts."""

from bridge.core import Counter, DeliveryError, Histogram, Settings, Signal
from bridge.kafka import FlushEvents, OutRecord, Written

_SERIES_MAX = 10_000  # Topics that data may choose, times partitions; beyond, one series for all.
_OTHERS = ("others", "others")
_OTHERS_KEY = ("others", -1)


class Figures(FlushEvents):
    """Counters of one exporter, got once, and those of partitions when they first appear."""

    def __init__(self, settings: Settings, compression: str, dead_letter: str) -> None:
        self._settings = settings
        self._exporter = {"exporter": str(settings.id)}
        self._compression = compression
        self._dead_letter = dead_letter
        metrics = settings.metrics

        def by_signal(name: str) -> dict[Signal, Counter]:
            return {
                signal: metrics.counter(name, {**self._exporter, "signal": signal.value})
                for signal in Signal
            }

        def collector(name: str) -> dict[Signal, Counter]:
            return {
                signal: metrics.counter(f"{name}_{signal.items}", self._exporter)
                for signal in Signal
            }

        self.sent = collector("otelcol_exporter_sent")
        self.failed = collector("otelcol_exporter_send_failed")
        self.rejected = by_signal("bridge_exporter_rejected_items")
        self.possible_duplicates = by_signal("bridge_exporter_possible_duplicates")
        self.topic_refused = by_signal("bridge_kafka_exporter_topic_refused")
        self.dead_lettered = metrics.counter("bridge_exporter_dead_lettered_items", self._exporter)
        self.unacknowledged = metrics.counter(
            "bridge_kafka_exporter_unacknowledged_batches", self._exporter
        )
        self._latency: Histogram = metrics.histogram(
            "otelcol_kafka_exporter_write_latency", {**self._exporter, "outcome": "success"}
        )
        # What changes: the series of partitions.
        self._partitions: dict[tuple[str, int], tuple[Counter, Counter, Counter]] = {}

    def producer_reset(self, reason: str) -> None:
        """Count a replaced producer."""
        self._settings.metrics.counter(
            "bridge_kafka_producer_resets", {**self._exporter, "reason": reason}
        ).add()

    def written(
        self, topic: str, partition: int, records: list[OutRecord], written: Written
    ) -> None:
        """Count a batch that was acknowledged."""
        count, compressed, uncompressed = self._of(topic, partition)
        count.value += len(records)
        compressed.value += written.batch_bytes
        uncompressed.value += written.uncompressed_bytes
        self._latency.observe(written.latency_s)
        if topic == self._dead_letter:
            self.dead_lettered.add(sum(record.items for record in records))

    def attempt_failed(self, topic: str, items: int, error: DeliveryError) -> None:
        """Count a batch that was not acknowledged."""
        self.unacknowledged.add()

    def _of(self, topic: str, partition: int) -> tuple[Counter, Counter, Counter]:
        key = (topic, partition)
        found = self._partitions.get(key)
        if found is None:
            shown = topic, str(partition)
            if len(self._partitions) >= _SERIES_MAX:
                key, shown = _OTHERS_KEY, _OTHERS
            labels = {**self._exporter, "topic": shown[0], "partition": shown[1]}
            labels["outcome"] = "success"
            with_codec = {**labels, "compression_codec": self._compression}
            metrics = self._settings.metrics
            found = self._partitions[key] = (
                metrics.counter("otelcol_kafka_exporter_records", labels),
                metrics.counter("otelcol_kafka_exporter_bytes", with_codec),
                metrics.counter("otelcol_kafka_exporter_bytes_uncompressed", with_codec),
            )
        return found
