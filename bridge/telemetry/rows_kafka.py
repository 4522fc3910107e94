"""Metrics of both ends of Kafka."""

from bridge.telemetry.metric_spec import COUNTER, GAUGE, HISTOGRAM, SECONDS, row

KAFKA_RECEIVER = (
    row(
        "otelcol_kafka_receiver_records",
        COUNTER,
        "Records read.",
        *("receiver", "topic", "partition"),
    ),
    row(
        "otelcol_kafka_receiver_bytes_uncompressed",
        COUNTER,
        "Bytes of keys and values of the records read.",
        *("receiver", "topic", "partition"),
        unit="bytes",
    ),
    row(
        "otelcol_kafka_receiver_current_offset",
        GAUGE,
        "Offset of the last record read.",
        *("receiver", "topic", "partition"),
    ),
    row(
        "otelcol_kafka_receiver_offset_lag",
        GAUGE,
        "Records between what may be committed and the end of the log.",
        *("receiver", "topic", "partition"),
    ),
    row("otelcol_kafka_receiver_partition_start", COUNTER, "Partitions assigned.", "receiver"),
    row("otelcol_kafka_receiver_partition_close", COUNTER, "Partitions revoked.", "receiver"),
    row(
        "otelcol_kafka_receiver_unmarshal_failed_{items}",
        COUNTER,
        "Records that are not what the encoding says.",
        *("receiver", "topic", "partition"),
    ),
    row(
        "bridge_kafka_receiver_lag",
        GAUGE,
        "Age of the oldest record that is not finished, or of the last one read.",
        *("receiver", "topic", "partition"),
        unit="seconds",
    ),
    row(
        "bridge_kafka_receiver_uncommitted_records",
        GAUGE,
        "Records read and not finished: the bound on duplicates after a crash.",
        *("receiver", "topic", "partition"),
    ),
    row(
        "bridge_kafka_receiver_oldest_unfinished_age",
        GAUGE,
        "Age of the oldest record that was read and is not finished.",
        *("receiver", "topic", "partition"),
        unit="seconds",
    ),
    row(
        "bridge_kafka_receiver_window_bytes",
        GAUGE,
        "Bytes read ahead and not finished, without those a later stage keeps.",
        *("receiver", "topic", "partition"),
        unit="bytes",
    ),
    row(
        "bridge_kafka_receiver_islands",
        GAUGE,
        "Runs of finished records beyond the committed offset.",
        *("receiver", "topic", "partition"),
    ),
    row(
        "bridge_kafka_receiver_held",
        GAUGE,
        "1 while the partition waits at a record that it may neither deliver nor drop.",
        *("receiver", "topic", "partition"),
    ),
    row("bridge_kafka_receiver_rebalances", COUNTER, "Assignments of the group.", "receiver"),
    row("bridge_kafka_receiver_commits", COUNTER, "Commits that the broker took.", "receiver"),
    row(
        "bridge_kafka_receiver_commit_failures",
        COUNTER,
        "Commits that failed; they are repeated with the next.",
        "receiver",
    ),
    row(
        "bridge_kafka_receiver_consumer_restarts",
        COUNTER,
        "Consumers that were replaced, by reason.",
        *("receiver", "reason"),
    ),
    row(
        "bridge_kafka_receiver_expired_records",
        COUNTER,
        "Records that retention removed before they were read.",
        "receiver",
    ),
    row(
        "bridge_kafka_receiver_skipped_records",
        COUNTER,
        "Records not delivered again, since an earlier owner had finished them.",
        "receiver",
    ),
)

KAFKA_EXPORTER = (
    row(
        "otelcol_kafka_exporter_records",
        COUNTER,
        "Records written.",
        *("exporter", "topic", "partition", "outcome"),
    ),
    row(
        "otelcol_kafka_exporter_bytes",
        COUNTER,
        "Bytes of record batches as they were sent.",
        *("exporter", "topic", "partition", "outcome", "compression_codec"),
        unit="bytes",
    ),
    row(
        "otelcol_kafka_exporter_bytes_uncompressed",
        COUNTER,
        "The same before compression.",
        *("exporter", "topic", "partition", "outcome", "compression_codec"),
        unit="bytes",
    ),
    row(
        "otelcol_kafka_exporter_write_latency",
        HISTOGRAM,
        "Time from sending a record batch to its acknowledgement.",
        *("exporter", "outcome"),
        unit="seconds",
        bounds=SECONDS,
    ),
    row(
        "bridge_kafka_exporter_topic_refused",
        COUNTER,
        "Items whose chosen topic allowed_topics does not allow; they went to the signal's topic.",
        *("exporter", "signal"),
    ),
    row(
        "bridge_kafka_exporter_unacknowledged_batches",
        COUNTER,
        "Record batches that were not acknowledged in time or failed.",
        "exporter",
    ),
    row(
        "bridge_kafka_exporter_buffered_bytes",
        GAUGE,
        "Bytes of requests that wait for Kafka.",
        "exporter",
        unit="bytes",
    ),
    row(
        "bridge_kafka_producer_resets",
        COUNTER,
        "Producers that were replaced, by reason.",
        *("exporter", "reason"),
    ),
)
