"""The in-process Kafka, only where it cannot lose anything."""

from dataclasses import dataclass

import pytest

from bridge.config import LoadedConfig, load
from bridge.core import ComponentId, ConfigError
from bridge.service import Registry
from bridge.service.embedded import (
    for_same_broker,
    plan_topics,
    wants_embedded,
    with_broker,
)
from bridge.service.reload_plan import plan_reload

CONFIG = """
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}
  kafka: {brokers: [BROKERS], group_id: one, traces: {topics: [TOPIC]}}
  kafka/other: {brokers: [BROKERS], group_id: two, traces: {topics: [TOPIC]}}
exporters:
  kafka: {brokers: [BROKERS]}
  nop: {}
service:
  pipelines:
    traces/ingest: {receivers: [otlp], exporters: [kafka]}
    traces/process: {receivers: [RECEIVERS], exporters: [nop]}
"""

CONFIG_RENAMED = (
    CONFIG.replace("BROKERS", "embedded")
    .replace("TOPIC", "renamed")
    .replace(
        "kafka: {brokers: [embedded]}", "kafka: {brokers: [embedded], traces: {topic: renamed}}"
    )
    .replace("RECEIVERS", "kafka")
)


def config(
    brokers: str = "embedded", topic: str = "otlp_spans", receivers: str = "kafka"
) -> LoadedConfig:
    """The file with these words in it."""
    text = CONFIG.replace("BROKERS", brokers).replace("TOPIC", topic)
    return load([f"yaml:{text.replace('RECEIVERS', receivers)}"], [], Registry(), {})


def test_embedded_creates_what_is_written_and_read() -> None:
    """The written topic is read by one group: it may run."""

    assert wants_embedded(config())
    assert plan_topics(config()) == {"otlp_spans": 12}
    assert not wants_embedded(config(brokers="kafka:9092"))


@pytest.mark.parametrize(
    ("topic", "receivers", "found"),
    [("elsewhere", "kafka", "nobody"), ("otlp_spans", "kafka, kafka/other", "one, two")],
)
def test_embedded_refuses_topics_without_exactly_one_group(
    topic: str, receivers: str, found: str
) -> None:
    """What nobody here reads, or two groups do, the broker would forget."""
    with pytest.raises(ConfigError, match=found):
        plan_topics(config(topic=topic, receivers=receivers))


def test_embedded_beside_real_brokers_is_a_mistake() -> None:
    """One or the other."""
    with pytest.raises(ConfigError, match="alone"):
        wants_embedded(config(brokers="embedded, kafka:9092"))


def test_embedded_patterns_are_refused() -> None:
    """Topics are created before anybody looks for them."""
    with pytest.raises(ConfigError, match="by name"):
        plan_topics(config(topic="^otlp_.*"))


def test_broker_address_takes_the_place_of_the_word() -> None:
    """Both sides connect to the broker that was started."""
    resolved = with_broker(config(), "127.0.0.1:1234")
    parts = [*resolved.receivers.values(), *resolved.exporters.values()]

    assert [part.options.brokers for part in parts if part.factory.type_name == "kafka"] == [
        ["127.0.0.1:1234"]
    ] * 3


@dataclass
class Running:
    """A broker that runs already."""

    bootstrap: str = "127.0.0.1:4242"


def test_embedded_broker_goes_on_over_a_reload() -> None:
    """Its address is laid over the new config, so that what did not change compares equal."""
    old, broker = config(), Running()
    new = for_same_broker(old, config(), broker)
    kafka = ComponentId("kafka")
    assert new.component("exporters", kafka).options.brokers == [broker.bootstrap]
    running = with_broker(old, broker.bootstrap)
    assert plan_reload(running, new, {}).empty
    assert for_same_broker(config(brokers="a:1"), config(brokers="b:1"), None).exporters


@pytest.mark.parametrize(
    ("old", "new", "broker"),
    [
        # None runs, and it cannot start later; it runs, and its topics are those of its start.
        (config(brokers="kafka:9092"), config(), None),
        (config(), config(brokers="kafka:9092"), Running()),
    ],
    ids=["begins", "ends"],
)
def test_embedded_broker_that_would_have_to_change_needs_a_restart(
    old: LoadedConfig, new: LoadedConfig, broker: Running | None
) -> None:
    """What is in it would be lost."""
    with pytest.raises(ConfigError, match="restart"):
        for_same_broker(old, new, broker)


def test_embedded_broker_gets_no_new_topics() -> None:
    """It made those of its start; another reader of the same ones is welcome."""
    old = config()
    renamed = load(
        [f"yaml:{CONFIG_RENAMED}"],
        [],
        Registry(),
        {},
    )
    with pytest.raises(ConfigError, match="topics of the embedded broker"):
        for_same_broker(old, renamed, Running())
    other = config(receivers="kafka/other")
    assert for_same_broker(old, other, Running()).pipelines == other.pipelines
