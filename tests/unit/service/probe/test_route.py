"""The way of a trace through a configuration."""

import os
from pathlib import Path

import pytest

from bridge.config import LoadedConfig, load
from bridge.core import ConfigError
from bridge.service import Registry
from bridge.service.probe import Entrance, Group, entrance_at, route_of

INGEST = """
receivers:
  otlp: {protocols: {PROTOCOLS}}
exporters:
  kafka: {brokers: ["k:9092"], traces: {topic: mine}}
  nop: {}
service:
  pipelines:
    traces/in: {receivers: [otlp], exporters: [EXPORTER]}
"""
PROCESSING = """
receivers:
  kafka: {brokers: ["k:9092"], group_id: g, traces: {topics: ["^mi.*"]}}
processors:
  tail_sampling: {decision_wait: 20s, policies: [{name: all, type: always_sample}]}
exporters:
  nop: {}
service:
  pipelines:
    traces/out: {receivers: [kafka], processors: [tail_sampling], exporters: [nop]}
"""


def loaded(tmp_path: Path, *texts: str) -> LoadedConfig:
    """The texts as files, merged."""
    files = []
    for number, text in enumerate(texts):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        files.append(str(file))
    return load(files, [], Registry(), os.environ)


def ingest(protocols: str = "grpc: {}", exporter: str = "kafka") -> str:
    """The ingest half with these."""
    return INGEST.replace("PROTOCOLS", protocols).replace("EXPORTER", exporter)


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        ("grpc: {}, http: {}", Entrance("grpc", "localhost:4317")),
        ("grpc: {endpoint: ':5317'}", Entrance("grpc", "localhost:5317")),
        ("grpc: {endpoint: '[::]:5317'}", Entrance("grpc", "localhost:5317")),
        (
            "http: {endpoint: '0.0.0.0:5318', traces_url_path: /t}",
            Entrance("http", "http://localhost:5318/t"),
        ),
    ],
)
def test_entrance_is_where_the_receiver_listens(
    protocols: str, expected: Entrance, tmp_path: Path
) -> None:
    """An address of every interface is reached on this machine; gRPC goes first."""
    assert route_of(loaded(tmp_path, ingest(protocols))).entrance == expected


def test_both_halves_give_topic_and_groups(tmp_path: Path) -> None:
    """A receiver by pattern reads it too; the sampler's wait and slack are known."""
    route = route_of(loaded(tmp_path, ingest(), PROCESSING))

    assert route.topic == "mine"
    assert route.groups == (Group("receivers/kafka", "g", 25.0),)
    assert route.hold_s == 25.0
    assert (route.exporters, route.admin) == (("exporters/nop",), "")


def test_extension_admin_can_tell_what_was_delivered(tmp_path: Path) -> None:
    """Where it listens, on this machine."""
    admin = """
extensions: {admin: {endpoint: "0.0.0.0:12345"}}
service: {extensions: [admin]}
"""
    assert route_of(loaded(tmp_path, ingest(), PROCESSING, admin)).admin == "localhost:12345"


def test_way_without_kafka_has_no_topic(tmp_path: Path) -> None:
    """What is exported elsewhere can be answered, not followed."""
    route = route_of(loaded(tmp_path, ingest(exporter="nop")))

    assert (route.topic, route.client, route.groups, route.hold_s) == ("", None, (), 0.0)


def test_processing_half_alone_needs_an_endpoint(tmp_path: Path) -> None:
    """It says by itself only what is read, not where to send."""
    text = PROCESSING.replace("^mi.*", "mine")
    with pytest.raises(ConfigError, match="--endpoint"):
        route_of(loaded(tmp_path, text))
    route = route_of(loaded(tmp_path, text), "gateway:4317")

    assert (route.entrance.address, route.topic) == ("gateway:4317", "mine")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gateway", Entrance("grpc", "gateway:4317")),
        ("http://g:4318", Entrance("http", "http://g:4318/v1/traces")),
        ("https://g/custom/path", Entrance("http", "https://g/custom/path", True)),
    ],
)
def test_endpoint_of_a_person_is_grpc_unless_it_is_a_url(text: str, expected: Entrance) -> None:
    """A URL without a path gets the standard one."""
    assert entrance_at(text) == expected
