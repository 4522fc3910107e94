"""The exporter's section: the Collector's keys and defaults, and what differs."""

import pytest
from pydantic import ValidationError

from bridge.core import Signal
from bridge.exporters.kafka import KafkaExporterConfig


def read(**section: object) -> KafkaExporterConfig:
    """A section as YAML would give it."""
    return KafkaExporterConfig.model_validate(section)


def test_defaults_are_the_collectors_where_they_lose_nothing() -> None:
    """The list of differences: acks, trace keys, topic creation, packing."""
    config = read()

    assert config.producer.acks == "all"
    assert config.partition_traces_by_id
    assert not config.producer.allow_auto_topic_creation
    assert config.producer.packing == "partition"
    assert config.producer.max_message_bytes == 1_000_000
    assert config.producer.compression == "none"
    assert config.producer.linger == 0.01
    assert config.timeout == 5.0
    assert config.hasher == "sarama_compat"
    topics = {signal: config.of(signal).topic for signal in Signal}
    assert list(topics.values()) == ["otlp_spans", "otlp_metrics", "otlp_logs"]


@pytest.mark.parametrize(
    ("section", "topic", "encoding"),
    [
        ({"topic": "old"}, "old", "otlp_proto"),
        ({"traces_topic": "older", "topic": "old"}, "older", "otlp_proto"),
        ({"traces": {"topic": "new"}, "traces_topic": "older"}, "new", "otlp_proto"),
        ({"encoding": "otlp_json"}, "otlp_spans", "otlp_json"),
        (
            {"encoding": "otlp_json", "traces": {"encoding": "otlp_proto"}},
            "otlp_spans",
            "otlp_proto",
        ),
    ],
)
def test_older_spellings_give_way_to_newer_ones(
    section: dict[str, object], topic: str, encoding: str
) -> None:
    """Files of older Collectors keep working."""
    options = read(**section).of(Signal.TRACES)

    assert (topic, encoding) == (options.topic, options.encoding)


@pytest.mark.parametrize("acks", ["all", -1, "-1", 0, 1, "1"])
def test_required_acks_has_the_collectors_spellings(acks: object) -> None:
    """Numbers, and all."""
    expected = {"all": "all", "-1": "all", "0": 0, "1": 1}[str(acks)]

    assert expected == read(producer={"required_acks": acks}).producer.acks


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"traces": {"encoding": "otlp_xml"}}, "choose one of"),
        ({"metrics": {"encoding": "raw"}}, "choose one of"),
        ({"topic_from_attribute": "a"}, "allowed_topics"),
        ({"logs": {"topic_from_metadata_key": "x"}}, "allowed_topics"),
        ({"producer": {"compression": "snappy", "compression_params": {"level": 3}}}, "snappy"),
        ({"producer": {"required_acks": 2}}, "required_acks"),
        (
            {"record_partitioner": {"sticky_key": {}, "round_robin": None}},
            "choose one of sticky_key and round_robin",
        ),
        (
            {
                "traces": {"message_key_from_metadata_key": "x"},
                "partition_traces_by_id": True,
            },
            "cannot be combined",
        ),
        (
            {
                "partition_logs_by_trace_id": True,
                "partition_logs_by_resource_attributes": True,
            },
            "exclude",
        ),
        ({"record_partitioner": {"least_backup": {}}}, "least_backup"),
    ],
)
def test_mistakes_are_named(section: dict[str, object], message: str) -> None:
    """At start, with what to do."""
    with pytest.raises(ValidationError, match=message):
        read(**section)


def test_message_key_turns_trace_keys_off_unless_both_are_asked_for() -> None:
    """Our default must not make a valid Collector file invalid."""
    config = read(traces={"message_key_from_metadata_key": "x-tenant"})

    assert not config.by_trace


def test_empty_partitioner_sections_are_chosen() -> None:
    """YAML's ``round_robin:`` with nothing behind it."""
    assert read(record_partitioner={"round_robin": None}).round_robin
    assert read(record_partitioner={"sticky_key": None}).hasher == "sarama_compat"
    assert read(record_partitioner={"sticky_key": {"hasher": "murmur2"}}).hasher == "murmur2"


def test_headers_may_be_a_list_or_a_map_and_are_not_shown() -> None:
    """The README of the Collector has the one, its code the other."""
    listed = read(record_headers=[{"name": "a", "value": "canary-1"}])
    mapped = read(record_headers={"a": "canary-1"})

    assert listed.record_headers == mapped.record_headers
    assert "canary-1" not in repr(listed)
