"""What a configuration asks of its Kafka clusters. Pure."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.config import LoadedConfig
from bridge.core import ComponentId, Signal
from bridge.exporters.kafka import KafkaExporterConfig
from bridge.kafka import ClientConfig, Hasher
from bridge.receivers.kafka import KafkaReceiverOptions, plan_topics

_ADDRESS_FIELDS = ("brokers", "tls", "auth")
_GATHERING = ("tail_sampling", "groupbytrace")


@dataclass(frozen=True, slots=True)
class Writing:
    """
    A topic that a component writes.

    `hasher` is how trace ids find their partition; `None` if traces are not kept together there.
    `message_bytes_max` is the configured limit of a record batch; 0 for dead letters, whose size
    follows from what is set aside. `letters_of` names the topics whose dead letters it takes.
    """

    component: str
    topic: str
    all_acks: bool = True
    message_bytes_max: int = 0
    hasher: Hasher | None = None
    creates: bool = False
    letters_of: tuple[str, ...] = ()
    keyless: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """
    A group that reads. `signals` are the topics that are known by name, `strategies` the ways of
    sharing partitions that it offers.

    `hold_s` are the seconds for which traces are held before their offsets are committed; 0 if no
    processor holds any. `by_record_time` says that they are measured in records' timestamps.
    """

    component: str
    group: str
    signals: Mapping[str, Signal]
    encodings: Mapping[str, str] = field(default_factory=dict)
    patterns: tuple[re.Pattern[str], ...] = ()
    strategies: tuple[str, ...] = ("sticky",)
    hold_s: float = 0.0
    by_record_time: bool = False


@dataclass(frozen=True, slots=True)
class Deciding:
    """
    A sampler that keeps its decisions in a topic, about traces from `sources`.

    `span_s` are the seconds for which decisions are wanted, `creates` whether it may make the
    topic.
    """

    component: str
    topic: str
    sources: tuple[str, ...]
    span_s: float
    creates: bool


@dataclass(slots=True)
class Cluster:
    """One set of brokers with one login, and all that the configuration wants there."""

    client: ClientConfig
    components: list[str] = field(default_factory=list)
    writings: list[Writing] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    decidings: list[Deciding] = field(default_factory=list)

    @property
    def broker(self) -> str:
        """A bootstrap broker, for commands."""
        return self.client.brokers[0]

    @property
    def principal(self) -> str:
        """How ACLs name us; a placeholder if only the brokers know."""
        return self.client.principal or "User:NAME"

    @property
    def topics(self) -> set[str]:
        """Every topic that is known by name."""
        read = {topic for reading in self.readings for topic in reading.signals}
        decided = {deciding.topic for deciding in self.decidings}
        return read | decided | {writing.topic for writing in self.writings}


def clusters_of(loaded: LoadedConfig) -> list[Cluster]:
    """The clusters that the pipelines of *loaded* use, in the order in which they are met."""
    found: dict[str, Cluster] = {}
    for component_id, signals in used(loaded, "exporters").items():
        options = loaded.exporters[component_id].options
        if isinstance(options, KafkaExporterConfig):
            cluster = _cluster(found, options, name := f"exporters/{component_id}")
            cluster.writings += _writings(options, name, signals)
    for component_id, signals in used(loaded, "receivers").items():
        options = loaded.receivers[component_id].options
        if isinstance(options, KafkaReceiverOptions):
            cluster = _cluster(found, options, name := f"receivers/{component_id}")
            hold_s, by_record_time = _hold(loaded, component_id)
            plan = plan_topics(options, signals)
            cluster.readings.append(
                Reading(
                    component=name,
                    group=options.group_id,
                    signals=plan.signals,
                    encodings={
                        topic: options.encoding_of(signal) for topic, signal in plan.signals.items()
                    },
                    patterns=tuple(pattern for _, pattern in plan.patterns),
                    strategies=options.strategies,
                    hold_s=hold_s,
                    by_record_time=by_record_time,
                )
            )
            if options.dead_letter is not None:
                cluster.writings.append(
                    Writing(name, options.dead_letter.topic, letters_of=tuple(plan.signals))
                )
    for deciding, client in _decidings(loaded):
        _cluster(found, client, deciding.component).decidings.append(deciding)
    return list(found.values())


def used(loaded: LoadedConfig, kind: str) -> dict[ComponentId, set[Signal]]:
    """The components of *kind* that some pipeline names, with its signals."""
    found: dict[ComponentId, set[Signal]] = {}
    for pipeline_id, pipeline in loaded.pipelines.items():
        for component_id in getattr(pipeline, kind):
            found.setdefault(component_id, set()).add(pipeline_id.signal)
    return found


def _cluster(found: dict[str, Cluster], options: ClientConfig, component: str) -> Cluster:
    # Secrets are part of who we are: two users of one cluster have different rights.
    key = json.dumps({name: _plain(getattr(options, name)) for name in _ADDRESS_FIELDS})
    cluster = found.setdefault(key, Cluster(options))
    cluster.components.append(component)
    return cluster


def _plain(value: Any) -> Any:
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    if hasattr(value, "model_dump"):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    return value if isinstance(value, str | int | float | bool | list | None) else str(value)


def _writings(
    options: KafkaExporterConfig, component: str, signals: Iterable[Signal]
) -> list[Writing]:
    producer = options.producer
    written = []
    for signal in sorted(signals, key=lambda one: one.value):
        together = signal is Signal.TRACES and options.by_trace and not options.round_robin
        written.append(
            Writing(
                component=component,
                topic=options.of(signal).topic,
                all_acks=producer.acks == "all",
                message_bytes_max=producer.max_message_bytes,
                hasher=options.hasher if together else None,
                creates=producer.allow_auto_topic_creation,
                keyless=together and producer.packing == "partition",
            )
        )
    if options.dead_letter is not None:
        topics = tuple(one.topic for one in written)
        written.append(Writing(component, options.dead_letter.topic, letters_of=topics))
    return written


def _decidings(loaded: LoadedConfig) -> Iterator[tuple[Deciding, ClientConfig]]:
    """Each decision_topic, with the topics that its pipelines read by name."""
    sources: dict[ComponentId, set[str]] = {}
    for pipeline_id, pipeline in loaded.pipelines.items():
        for name in pipeline.processors:
            known = sources.setdefault(name, set())
            for receiver in pipeline.receivers:
                options = loaded.receivers[receiver].options
                if isinstance(options, KafkaReceiverOptions):
                    known.update(plan_topics(options, {pipeline_id.signal}).signals)
    for name, topics in sources.items():
        options = getattr(loaded.processors[name].options, "decision_topic", None)
        if options is not None:
            component = f"processors/{name}"
            yield (
                Deciding(
                    component,
                    options.topic,
                    tuple(sorted(topics)),
                    options.time_span,
                    options.create,
                ),
                options,
            )


def _hold(loaded: LoadedConfig, receiver: ComponentId) -> tuple[float, bool]:
    """Seconds for which what *receiver* reads is held, and whether in records' time."""
    hold_s, by_record_time = 0.0, False
    for pipeline in loaded.pipelines.values():
        if receiver not in pipeline.receivers:
            continue
        for name in pipeline.processors:
            if name.type not in _GATHERING:
                continue
            options = loaded.processors[name].options
            wait_s = getattr(options, "decision_wait", 0.0)
            wait_s = getattr(options, "wait_duration", wait_s)
            hold_s = max(hold_s, wait_s + getattr(options, "clock_slack", 0.0))
            by_record_time |= getattr(options, "clock", "record") == "record"
    return hold_s, by_record_time
