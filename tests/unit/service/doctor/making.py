"""Clusters and answers for the tests of what the doctor makes of them."""

from collections.abc import Mapping
from typing import Any

from bridge.core import Signal
from bridge.kafka import ClientConfig, ClusterFacts, GroupFacts, PartitionFacts, TopicFacts
from bridge.service.doctor.demands import Cluster, Deciding, Reading, Writing

SETTINGS = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": "2",
    "retention.ms": "86400000",
}
"""A topic that is well made."""

ALL = frozenset(("Read", "Write", "Describe", "DescribeConfigs"))


def topic(
    name: str = "otlp_spans", partitions: int = 12, replicas: int = 3, **settings: str
) -> TopicFacts:
    """A topic in order; *settings* with underscores for dots."""
    changed = {key.replace("_", "."): value for key, value in settings.items()}
    return TopicFacts(
        name,
        "there",
        tuple(PartitionFacts(number, 1, replicas, replicas) for number in range(partitions)),
        ALL,
        SETTINGS | changed,
    )


def facts(*topics: TopicFacts, groups: Mapping[str, GroupFacts] | None = None) -> ClusterFacts:
    """Three brokers that answered about *topics*."""
    return ClusterFacts(
        tuple((number, f"kafka-{number}", 9092) for number in (1, 2, 3)),
        {one.name: one for one in topics},
        groups or {},
    )


def reading(**changes: Any) -> Reading:
    """A receiver of otlp_spans."""
    fields: dict[str, Any] = {
        "component": "receivers/kafka",
        "group": "processing",
        "signals": {"otlp_spans": Signal.TRACES},
    }
    return Reading(**{**fields, **changes})


def writing(**changes: Any) -> Writing:
    """An exporter to otlp_spans."""
    fields: dict[str, Any] = {
        "component": "exporters/kafka",
        "topic": "otlp_spans",
        "message_bytes_max": 1_000_000,
        "hasher": "sarama_compat",
    }
    return Writing(**{**fields, **changes})


def deciding(**changes: Any) -> Deciding:
    """A sampler of what is in otlp_spans."""
    fields: dict[str, Any] = {
        "component": "processors/tail_sampling",
        "topic": "decisions",
        "sources": ("otlp_spans",),
        "span_s": 600.0,
        "creates": True,
    }
    return Deciding(**{**fields, **changes})


def cluster(*parts: Reading | Writing | Deciding) -> Cluster:
    """What a configuration with these parts wants of kafka-1."""
    return Cluster(
        ClientConfig(brokers=["kafka-1:9092"]),
        [part.component for part in parts],
        [part for part in parts if isinstance(part, Writing)],
        [part for part in parts if isinstance(part, Reading)],
        [part for part in parts if isinstance(part, Deciding)],
    )
