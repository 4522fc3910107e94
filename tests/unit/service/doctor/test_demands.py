"""What the doctor reads from a configuration."""

import os
from pathlib import Path

import pytest

from bridge.config import LoadedConfig, load
from bridge.core import ComponentId, Signal
from bridge.service import Registry
from bridge.service.doctor.demands import clusters_of, used

CONFIG = """
receivers:
  otlp: {protocols: {grpc: {}}}
  kafka: {group_id: g, traces: {topics: [otlp_spans]}, dead_letter: {topic: dead}}
  kafka/unused: {brokers: ["elsewhere:9092"]}
processors:
  tail_sampling: {decision_wait: 20s, clock_slack: 5s, policies: [{name: all, type: always_sample}]}
exporters:
  kafka: {producer: {required_acks: 1}}
  kafka/other: {brokers: ["other:9092"], partition_traces_by_id: false}
  nop: {}
service:
  pipelines:
    traces/in: {receivers: [otlp], exporters: [kafka, kafka/other]}
    logs: {receivers: [otlp], exporters: [kafka]}
    traces/out: {receivers: [kafka], processors: [tail_sampling], exporters: [nop]}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedConfig:
    """Two clusters, one of them both read and written."""
    file = tmp_path / "bridge.yaml"
    file.write_text(CONFIG)
    return load([str(file)], [], Registry(), os.environ)


def test_components_with_one_login_share_a_cluster(loaded: LoadedConfig) -> None:
    """What no pipeline uses is not asked for."""
    found = {one.broker: one for one in clusters_of(loaded)}

    assert set(found) == {"localhost:9092", "other:9092"}
    assert found["localhost:9092"].components == ["exporters/kafka", "receivers/kafka"]
    assert found["localhost:9092"].topics == {"otlp_spans", "otlp_logs", "dead"}


def test_writings_know_acks_and_hash(loaded: LoadedConfig) -> None:
    """Traces are placed by a hash unless they are not kept together."""
    first, second = clusters_of(loaded)
    written = {one.topic: one for one in first.writings}

    assert (written["otlp_spans"].all_acks, written["otlp_spans"].hasher) == (
        False,
        "sarama_compat",
    )
    assert written["otlp_logs"].hasher is None
    assert written["dead"].letters_of == ("otlp_spans",)
    assert second.writings[0].hasher is None


def test_readings_know_how_long_traces_are_held(loaded: LoadedConfig) -> None:
    """decision_wait and the slack that is read back."""
    (reading,) = clusters_of(loaded)[0].readings

    assert (reading.group, reading.hold_s, reading.by_record_time) == ("g", 25.0, True)
    assert reading.signals == {"otlp_spans": Signal.TRACES}


def test_used_joins_the_signals_of_all_pipelines(loaded: LoadedConfig) -> None:
    """One exporter may serve several."""
    assert used(loaded, "exporters")[ComponentId.parse("kafka")] == {Signal.TRACES, Signal.LOGS}


def test_topic_of_decisions_is_asked_for_where_it_is(tmp_path: Path) -> None:
    """With the topics that its sampler reads, in the cluster that it names."""
    file = tmp_path / "bridge.yaml"
    where = 'decision_topic: {brokers: ["other:9092"], topic: decided, create: false}'
    file.write_text(CONFIG.replace("clock_slack: 5s", f"clock_slack: 5s, {where}"))
    loaded = load([str(file)], [], Registry(), os.environ)
    (deciding,) = (one for each in clusters_of(loaded) for one in each.decidings)
    (there,) = (each for each in clusters_of(loaded) if each.decidings)

    assert (deciding.component, deciding.topic) == ("processors/tail_sampling", "decided")
    assert (deciding.sources, deciding.span_s, deciding.creates) == (("otlp_spans",), 600.0, False)
    assert there.broker == "other:9092"
    assert "decided" in there.topics
