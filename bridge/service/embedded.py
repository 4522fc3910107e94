"""
``brokers: [embedded]``: the in-process Kafka, where it cannot lose anything.

The broker forgets its oldest batches without a word and dies with the process, so it runs only if
this very process reads every topic that it writes, with exactly one group (design, rule 17).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from bridge.config import ComponentConfig, LoadedConfig
from bridge.core import ComponentId, ConfigError, Signal

if TYPE_CHECKING:
    from bridge.kafka.embedded import EmbeddedBroker

EMBEDDED = "embedded"


def wants_embedded(config: LoadedConfig) -> bool:
    """Whether any Kafka component that a pipeline uses names the embedded broker."""
    return any(_is_embedded(part) for part in _used(config))


def plan_topics(config: LoadedConfig) -> dict[str, int]:
    """
    The topics to create, with their number of partitions.

    Raises:
        ConfigError: If a written topic is not read by exactly one group of this process, or a
            component mixes the embedded broker with others.
    """
    from bridge.kafka.embedded import PARTITIONS  # Most configs need nothing of it.

    written = _written(config)
    groups = _groups(config)
    for topic, exporter in written.items():
        readers = groups.get(topic, set())
        if len(readers) != 1:
            found = f"the groups {', '.join(sorted(readers))}" if readers else "nobody"
            raise ConfigError(
                f"exporters/{exporter} writes {topic} to the embedded broker, which is read by "
                f"{found} in this process: the embedded broker keeps little and dies with the "
                "process, so exactly one kafka receiver of one group must read each topic; add "
                f"one with topics: [{topic}], or name a real Kafka under brokers"
            )
    return dict.fromkeys([*written, *groups], PARTITIONS)


def with_broker(config: LoadedConfig, bootstrap: str) -> LoadedConfig:
    """The same config with *bootstrap* in the place of ``embedded``."""
    return replace(
        config,
        receivers=_resolved(config.receivers, bootstrap),
        exporters=_resolved(config.exporters, bootstrap),
    )


async def start_embedded(config: LoadedConfig) -> tuple[LoadedConfig, "EmbeddedBroker"]:
    """
    Start the broker that *config* asks for.

    Returns:
        The config with its address, and the broker, which the caller stops.

    Raises:
        ConfigError: As `plan_topics`, or if the extra is not installed.
    """
    from bridge.kafka.embedded import EmbeddedBroker

    broker = EmbeddedBroker(plan_topics(config))
    return with_broker(config, await broker.start()), broker


def for_same_broker(
    old: LoadedConfig, new: LoadedConfig, broker: "Bootstrapped | None"
) -> LoadedConfig:
    """
    *new* with the address of the broker that *old* runs with.

    Raises:
        ConfigError: If it needs another broker than the one that runs, or none does.
    """
    if broker is None:
        if wants_embedded(new):
            raise ConfigError("the embedded broker starts with the process: restart the bridge")
        return new
    if not wants_embedded(new) or plan_topics(new) != plan_topics(old):
        raise ConfigError(
            "the topics of the embedded broker cannot change while it runs: restart the bridge"
        )
    return with_broker(new, broker.bootstrap)


class Bootstrapped(Protocol):
    """What has an address for `brokers`."""

    bootstrap: str


def _used(config: LoadedConfig) -> list[ComponentConfig]:
    return [
        config.component(kind, component_id)
        for pipeline in config.pipelines.values()
        for kind in ("receivers", "exporters")
        for component_id in getattr(pipeline, kind)
    ]


def _is_embedded(part: ComponentConfig) -> bool:
    if part.factory.type_name != "kafka":
        return False
    # A component of another distribution may have the name and no brokers.
    brokers = list(getattr(part.options, "brokers", ()))
    if EMBEDDED in brokers and len(brokers) > 1:
        raise ConfigError(
            f"{part.kind}/{part.id}: brokers names embedded beside others; write [embedded] alone"
        )
    return EMBEDDED in brokers


def _written(config: LoadedConfig) -> dict[str, ComponentId]:
    topics: dict[str, ComponentId] = {}
    for pipeline_id, pipeline in config.pipelines.items():
        for component_id in pipeline.exporters:
            part = config.component("exporters", component_id)
            if _is_embedded(part):
                topics[part.options.of(pipeline_id.signal).topic] = component_id
                if part.options.dead_letter is not None:
                    topics[part.options.dead_letter.topic] = component_id
    return topics


def _groups(config: LoadedConfig) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for pipeline_id, pipeline in config.pipelines.items():
        for component_id in pipeline.receivers:
            part = config.component("receivers", component_id)
            if _is_embedded(part):
                for topic in _topics(part.options, pipeline_id.signal):
                    groups.setdefault(topic, set()).add(part.options.group_id)
    return groups


def _topics(options: Any, signal: Signal) -> tuple[str, ...]:
    if options.section(signal).is_pattern:
        raise ConfigError("the embedded broker reads topics by name: write no pattern in topics")
    topics: tuple[str, ...] = options.topics_of(signal)
    return topics


def _resolved(
    parts: Mapping[ComponentId, ComponentConfig], bootstrap: str
) -> dict[ComponentId, ComponentConfig]:
    return {
        component_id: replace(
            part, options=part.options.model_copy(update={"brokers": [bootstrap]})
        )
        if _is_embedded(part)
        else part
        for component_id, part in parts.items()
    }
