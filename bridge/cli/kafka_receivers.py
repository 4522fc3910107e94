"""The Kafka receivers of a configuration, for the verbs that ask about their groups."""

import re
from dataclasses import dataclass
from typing import Any

from bridge.config import LoadedConfig
from bridge.core import ComponentId, ConfigError, Signal
from bridge.kafka import connection_kwargs
from bridge.receivers.kafka import plan_topics


@dataclass(frozen=True, slots=True)
class GroupOfReceiver:
    """What one receiver reads, and as which group. *connection* is for Kafka clients."""

    receiver: str
    group: str
    connection: dict[str, Any]
    topics: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]

    def reads(self, topic: str) -> bool:
        """Whether *topic* is one of those that are read."""
        return topic in self.topics or any(one.match(topic) for one in self.patterns)


def groups_of(loaded: LoadedConfig, receiver: str = "") -> list[GroupOfReceiver]:
    """
    The Kafka receivers that some pipeline uses, or the one of id *receiver*.

    Raises:
        ConfigError: If there is none, or not the one that is meant.
    """
    used: dict[ComponentId, set[Signal]] = {}
    for pipeline_id, pipeline in loaded.pipelines.items():
        for name in pipeline.receivers:
            if loaded.receivers[name].factory.type_name == "kafka":
                used.setdefault(name, set()).add(pipeline_id.signal)
    if receiver:
        wanted = ComponentId.parse(receiver)
        if wanted not in used:
            known = ", ".join(map(str, used)) or "none"
            raise ConfigError(
                f"there is no Kafka receiver {receiver} in a pipeline; there is {known}"
            )
        used = {wanted: used[wanted]}
    if not used:
        raise ConfigError("no pipeline has a Kafka receiver")
    found = []
    for component_id, signals in used.items():
        options: Any = loaded.receivers[component_id].options
        plan = plan_topics(options, signals)
        found.append(
            GroupOfReceiver(
                str(component_id),
                options.group_id,
                connection_kwargs(options),
                tuple(plan.signals),
                tuple(pattern for _, pattern in plan.patterns),
            )
        )
    return found


def one_group_of(loaded: LoadedConfig, receiver: str = "") -> GroupOfReceiver:
    """
    The one receiver that is meant.

    Raises:
        ConfigError: If there is none or several.
    """
    found = groups_of(loaded, receiver)
    if len(found) != 1:
        ids = ", ".join(one.receiver for one in found)
        raise ConfigError(f"name one Kafka receiver with --receiver; there are {ids}")
    return found[0]
