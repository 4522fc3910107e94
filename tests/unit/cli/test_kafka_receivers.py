"""The Kafka receivers of a configuration."""

import os
from pathlib import Path

import pytest

from bridge.cli.kafka_receivers import groups_of, one_group_of
from bridge.config import LoadedConfig, load
from bridge.core import ConfigError
from bridge.service import Registry

CONFIG = """
receivers:
  kafka: {group_id: one}
  kafka/two: {group_id: two, traces: {topics: ["^otlp_.*"], exclude_topics: [otlp_logs]}}
  kafka/unused: {}
exporters:
  nop: {}
service:
  pipelines:
    traces: {receivers: [kafka, kafka/two], exporters: [nop]}
    logs: {receivers: [kafka], exporters: [nop]}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedConfig:
    """Two receivers in use, one of them by pattern."""
    file = tmp_path / "bridge.yaml"
    file.write_text(CONFIG)
    return load([str(file)], [], Registry(), os.environ)


def test_receivers_in_use_are_found_with_their_topics(loaded: LoadedConfig) -> None:
    """Of all signals that some pipeline wants."""
    one, two = groups_of(loaded)

    assert (one.receiver, one.group, set(one.topics)) == (
        "kafka",
        "one",
        {"otlp_spans", "otlp_logs"},
    )
    assert [two.reads(topic) for topic in ("otlp_x", "otlp_logs", "x")] == [True, False, False]


def test_one_of_several_must_be_named(loaded: LoadedConfig) -> None:
    """Nothing is changed on a guess."""
    with pytest.raises(ConfigError, match="there are kafka, kafka/two"):
        one_group_of(loaded)
    assert one_group_of(loaded, "kafka/two").group == "two"
    with pytest.raises(ConfigError, match="no Kafka receiver kafka/unused"):
        one_group_of(loaded, "kafka/unused")
