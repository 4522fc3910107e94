"""What requests become, by configuration."""

import pytest

from bridge.core import Malformed, Signal
from bridge.exporters.kafka import KafkaExporterConfig
from bridge.exporters.kafka.layout import (
    Key,
    Kind,
    Placing,
    layout_of,
    place_packed,
    place_separate,
)
from bridge.kafka import partition_of
from bridge.testing import log_request, trace_request


def config(**section: object) -> KafkaExporterConfig:
    """A section."""
    return KafkaExporterConfig.model_validate(section)


@pytest.mark.parametrize(
    ("section", "signal", "kind", "key"),
    [
        ({}, Signal.TRACES, Kind.PACKED, Key.TRACE),
        ({}, Signal.LOGS, Kind.JOINED, Key.NONE),
        ({"partition_traces_by_id": False}, Signal.TRACES, Kind.JOINED, Key.NONE),
        ({"producer": {"packing": "trace"}}, Signal.TRACES, Kind.SEPARATE, Key.TRACE),
        ({"producer": {"packing": "trace"}}, Signal.METRICS, Kind.SEPARATE, Key.NONE),
        ({"partition_logs_by_trace_id": True}, Signal.LOGS, Kind.PACKED, Key.TRACE),
        (
            {"partition_logs_by_resource_attributes": True},
            Signal.LOGS,
            Kind.SEPARATE,
            Key.RESOURCE,
        ),
        ({"record_partitioner": {"round_robin": {}}}, Signal.TRACES, Kind.SEPARATE, Key.TRACE),
        ({"traces": {"encoding": "otlp_json"}}, Signal.TRACES, Kind.PACKED, Key.TRACE),
        ({"traces": {"encoding": "jaeger_json"}}, Signal.TRACES, Kind.SEPARATE, Key.NONE),
        ({"logs": {"encoding": "raw"}}, Signal.LOGS, Kind.SEPARATE, Key.NONE),
        (
            {"logs": {"message_key_from_metadata_key": "x"}},
            Signal.LOGS,
            Kind.SEPARATE,
            Key.NONE,
        ),
    ],
)
def test_layout_follows_packing_keys_and_encoding(
    section: dict[str, object], signal: Signal, kind: Kind, key: Key
) -> None:
    """Keys that are no trace ids, and message keys, switch packing off."""
    layout = layout_of(config(**section), signal)

    assert (layout.kind, layout.key) == (kind, key)


def test_round_robin_takes_turns_whatever_the_key() -> None:
    """Each record the next partition."""
    placing = Placing(config(record_partitioner={"round_robin": {}}), lambda _, count: 0)

    assert [placing.of_key(b"same", 3) for _ in range(4)] == [1, 2, 0, 1]


def test_records_without_a_key_are_left_to_the_flush() -> None:
    """All of one flush go to one partition, which the exporter chooses."""
    placing = Placing(config(), lambda topic, count: count - 1)

    assert placing.of_key(None, 12) is None
    assert placing.of_keyless("t", 12) == 11
    assert placing.of_key(b"k", 12) == partition_of(b"k", 12, "sarama_compat")


def test_key_of_the_message_is_used_where_data_gives_none() -> None:
    """Trace keys first, then metadata."""
    placing = Placing(config(), lambda _, count: 0)
    section = {"logs": {"message_key_from_metadata_key": "x"}}
    layout = layout_of(config(**section), Signal.LOGS)
    made = log_request(2)
    (placed,) = place_separate(layout, made.body, 2, 12, b"north", placing)
    assert placed.key == b"north"
    layout = layout_of(config(producer={"packing": "trace"}), Signal.TRACES)
    made = trace_request(2, 1)
    keys = {one.key for one in place_separate(layout, made.body, 2, 12, b"north", placing)}

    assert keys == {trace_id.hex().encode() for trace_id in made.trace_ids}


def test_packed_logs_without_trace_share_the_keyless_partition() -> None:
    """They have no key in the Collector's records either."""
    layout = layout_of(config(partition_logs_by_trace_id=True), Signal.LOGS)
    made = log_request(3)
    (good, bad) = place_packed(layout, [made.body, b"\x0a\x7f"], 12, "sarama_compat", 5)

    assert isinstance(bad, Malformed)
    assert isinstance(good, list)
    assert [one.partition for one in good] == [5]
