"""
Where a default differs from the Collector's, and why.

Our side of each line is read from the component's model, so it cannot drift from what runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.config.explaining import explain
from bridge.config.loaded import FactorySource


@dataclass(frozen=True, slots=True)
class Difference:
    """One default: the key, our value, the Collector's, and the reason for ours."""

    key: str
    ours: str
    collectors: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Known:
    key: str
    collectors: str
    reason: str


_LOSES = (
    _Known(
        "exporters.kafka.producer.required_acks",
        "1",
        "With 1, what only the leader has is lost with it; all waits for the replicas in sync.",
    ),
    _Known(
        "exporters.kafka.partition_traces_by_id",
        "false",
        "Tail sampling needs all spans of a trace in one partition; otherwise it decides on parts.",
    ),
    _Known(
        "exporters.kafka.producer.packing",
        "trace (one record for each trace)",
        "One record carries the traces of a partition, which shares the cost of a record among "
        "them; any kafka receiver reads it. Set trace if others repartition by key.",
    ),
    _Known(
        "exporters.kafka.producer.allow_auto_topic_creation",
        "true",
        "A misspelt topic would be made with the broker's defaults and nobody would read it.",
    ),
    _Known(
        "receivers.kafka.message_marking.after",
        "false",
        "Offsets are committed after the data was delivered, so a crash delivers it again instead "
        "of losing it.",
    ),
    _Known(
        "receivers.kafka.initial_offset",
        "latest",
        "A new group reads what is already in the topic instead of skipping it.",
    ),
    _Known(
        "receivers.kafka.dead_letter",
        "(none: permanent errors are skipped)",
        "Data that can never be delivered goes to this topic when one is set; otherwise its "
        "partition holds, readiness says so, and nothing is skipped unseen.",
    ),
    _Known(
        "processors.tail_sampling.num_traces",
        "50000",
        "No limit by count, since it decides traces early on a backlog; memory_limit_mib bounds "
        "the bytes.",
    ),
)


def differences(factories: FactorySource) -> Sequence[Difference]:
    """
    The list, in the order in which data passes.

    Raises:
        UnknownKeyError: If a component does not have the key any more.
    """
    return [
        Difference(known.key, _ours(known.key, factories), known.collectors, known.reason)
        for known in _LOSES
        if _is_installed(known.key, factories)
    ]


def _ours(key: str, factories: FactorySource) -> str:
    return explain(key, factories).default


def _is_installed(key: str, factories: FactorySource) -> bool:
    """A build without a component has no default to compare."""
    kind, type_name, *_ = key.split(".")
    return type_name in factories.types(kind)
