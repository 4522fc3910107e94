"""The ``receivers.kafka`` section."""

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.core import Signal
from bridge.receivers.kafka import FACTORY, KafkaReceiverOptions


def _read(**section: Any) -> KafkaReceiverOptions:
    return KafkaReceiverOptions.model_validate(section)


def test_config_empty_loses_nothing() -> None:
    """The defaults read the backlog, mark after delivery and hold what cannot be delivered."""
    config = _read()

    assert (config.group_id, config.initial_offset) == ("otel-collector", "earliest")
    assert config.message_marking.after
    assert not config.message_marking.on_error
    assert config.strategies == ("sticky",)
    assert config.dead_letter is None
    assert FACTORY.type_name == "kafka"


def test_config_of_a_collector_is_taken() -> None:
    """What people have in their files works unchanged."""
    config = _read(
        brokers=["kafka:9092"],
        group_id="processing",
        initial_offset="latest",
        session_timeout="10s",
        heartbeat_interval="3s",
        autocommit={"enable": True, "interval": "1s"},
        min_fetch_size=1,
        max_fetch_size=1048576,
        max_partition_fetch_size=1048576,
        max_fetch_wait="250ms",
        group_rebalance_strategy="roundrobin",
        group_instance_id="pod-0",
        traces={"topics": ["a", "b"], "encoding": "otlp_json"},
        logs={"topics": ["^logs-.*"], "exclude_topics": ["debug"], "encoding": "text_utf-16"},
        message_marking={"after": True, "on_error": False, "on_permanent_error": True},
        header_extraction={"extract_headers": True, "headers": ["tenant"]},
        error_backoff={"enabled": True, "initial_interval": "1s", "max_interval": "10s"},
        telemetry={"metrics": {"kafka_receiver_records_delay": {"enabled": True}}},
        partition_processing={"independent": True, "max_buffered_batches": 4},
    )

    assert config.strategies == ("roundrobin",)
    assert config.encoding_of(Signal.TRACES) == "otlp_json"
    assert config.section(Signal.LOGS).is_pattern


def test_config_older_spelling_is_taken() -> None:
    """`topic` and `encoding` at the top are about the signal that is read."""
    config = _read(topic="spans", encoding="raw")

    assert config.encoding_of(Signal.LOGS) == "raw"
    assert config.encoding_of(Signal.TRACES) == "otlp_proto"


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"group_rebalance_strategies": ["cooperative-sticky"]}, "group_id of its own"),
        ({"group_rebalance_strategy": "coin"}, "sticky, range, roundrobin"),
        (
            {"group_rebalance_strategy": "range", "group_rebalance_strategies": ["range"]},
            "older spelling",
        ),
        ({"initial_offset": "middle"}, "earliest"),
        ({"revoke_timeout": "60s"}, "below rebalance_timeout"),
        ({"heartbeat_interval": "20s"}, "half of session_timeout"),
        ({"max_fetch_size": 5, "min_fetch_size": 6}, "below min_fetch_size"),
        ({"traces": {"encoding": "zipkin_thrift"}}, "zipkin_json"),
        ({"logs": {"encoding": "text_klingon"}}, "text_<charset>"),
        ({"logs": {"encoding": "text_base64"}}, "not supported"),
        ({"metrics": {"encoding": "raw"}}, "not supported"),
        ({"traces": {"exclude_topics": ["x"]}}, "needs a pattern"),
        ({"traces": {"topics": ["^("]}}, "no regular expression"),
        ({"traces": {"topics": ["^a"], "exclude_topics": [""]}}, "empty pattern"),
        ({"traces": {"topics": ["no spaces"]}}, "is no topic"),
        ({"traces": {"topic": "a", "topics": ["b"]}}, "older spelling"),
        ({"topic": "a", "traces": {"topics": ["b"]}}, "older spelling"),
        ({"dead_letter": {"topic": "no spaces"}}, "is no topic"),
        ({"error_backoff": {"initial_interval": "9s", "max_interval": "1s"}}, "max_interval"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_config_that_makes_no_sense_is_refused(section: dict[str, Any], reason: str) -> None:
    """Each mistake is named, with what is allowed."""
    with pytest.raises(ValidationError, match=reason):
        _read(**section)


def test_config_topics_may_be_one_name() -> None:
    """A single topic need not be a list."""
    assert _read(traces={"topics": "spans"}).traces.topics == ("spans",)
