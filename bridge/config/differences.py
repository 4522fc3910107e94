"""
Where a default differs from the Collector's, and why.

Our side of each line is read from the component's model, so it cannot drift from what runs.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.config.explaining import explain, show_default
from bridge.config.factories import BrokenComponentError, load_factory
from bridge.config.fields import fields, models_in
from bridge.config.loaded import KINDS, FactorySource
from bridge.config.telemetry import TelemetrySection

_NOTE = re.compile(r"[Tt]he Collector: (?P<value>[^.;]+)[.;]")
"""How a description tells of another default."""

_DEPTH_MAX = 8
"""Of sections in each other; the deepest stands at about six."""


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


def other_differences(factories: FactorySource) -> Sequence[Difference]:
    """
    Defaults that differ without a bearing on loss: limits and times, mostly.

    They are found by what their descriptions say of the Collector's value.
    """
    listed = {known.key for known in _LOSES}
    found: dict[str, Difference] = {}
    for kind in KINDS:
        for type_name in factories.types(kind):
            try:
                factory = load_factory(factories, kind, type_name)
            except BrokenComponentError:
                continue  # `components` tells of it.
            if factory.type_name == type_name:  # Otherwise it is another name of one in the list.
                for difference in _noted((kind, type_name), factory.config, 0):
                    found[difference.key] = difference
    for difference in _noted(("service", "telemetry"), TelemetrySection, 0):
        found[difference.key] = difference
    return [difference for key, difference in found.items() if key not in listed]


def _noted(path: tuple[str, ...], annotation: Any, depth: int) -> Iterator[Difference]:
    if depth > _DEPTH_MAX:
        return
    for model in models_in(annotation):
        for name, field in fields(model).items():
            text = " ".join(field.description.split())
            if match := _NOTE.search(text):
                reason = text.replace(match[0], "").strip(" ;")
                yield Difference(
                    ".".join((*path, name)), show_default(field), match["value"], reason
                )
            yield from _noted((*path, name), field.annotation, depth + 1)
