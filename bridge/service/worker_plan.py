"""
Who does what with ``--workers N``: one config becomes the parent's and that of each worker.

The parent keeps what exists once: health, metrics and the embedded broker. Workers share the OTLP
ports (SO_REUSEPORT) and the topics (consumer group), and nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bridge.config import ComponentConfig, LoadedConfig
from bridge.core import ComponentId, ConfigError
from bridge.options import Options

OF_THE_PARENT = frozenset(("admin", "health_check"))
"""Extensions that answer for the whole and so run in the parent."""

_WHOLE_TRACES = ("tail_sampling", "groupbytrace")
_RATE_LIMITED = frozenset(("rate_limiting", "bytes_limiting", "composite"))


def check_sharable(config: LoadedConfig) -> None:
    """
    Refuse what several workers cannot do together.

    Raises:
        ConfigError: If whole traces are needed where the spans of one arrive at any worker, or
            several workers would write one file.
    """
    for name, pipeline in config.pipelines.items():
        whole = [id_ for id_ in pipeline.processors if id_.type in _WHOLE_TRACES]
        direct = [id_ for id_ in pipeline.receivers if id_.type != "kafka"]
        if whole and direct:
            raise ConfigError(
                f"pipeline {name}: {whole[0]} needs all spans of a trace in one process, but "
                f"{direct[0]} spreads them over the workers; put Kafka between them, keyed by "
                "trace id (otlp-bridge init --mode processing shows how), or run without --workers"
            )
        files = [id_ for id_ in pipeline.exporters if id_.type == "file"]
        if files:
            raise ConfigError(
                f"pipeline {name}: the workers would write over each other in the file of "
                f"{files[0]}; use another exporter, or run without --workers"
            )


def rate_limited(config: LoadedConfig) -> list[str]:
    """The processors in use whose rates count for each worker on its own."""
    used = {id_ for pipeline in config.pipelines.values() for id_ in pipeline.processors}
    return [
        str(id_)
        for id_ in sorted(used, key=str)
        if id_.type == "tail_sampling"
        and _limits_rates(config.component("processors", id_).options)
    ]


def parent_config(config: LoadedConfig) -> LoadedConfig:
    """What the parent runs: no pipelines, only the extensions that answer for the whole."""
    extensions = {id_: part for id_, part in config.extensions.items() if id_.type in OF_THE_PARENT}
    return replace(
        config,
        receivers={},
        processors={},
        exporters={},
        pipelines={},
        extensions=extensions,
        # Its workers do the work, and tell of it.
        telemetry=replace(config.telemetry, traces=None),
    )


def worker_config(config: LoadedConfig, number: int, workers: int) -> LoadedConfig:
    """
    What worker *number* of *workers* runs: names of its own at Kafka, its share of each bound.

    Raises:
        ConfigError: If a share is too small for its component.
    """

    def changed(parts: Mapping[ComponentId, ComponentConfig]) -> dict[ComponentId, ComponentConfig]:
        return {id_: _share(part, number, workers) for id_, part in parts.items()}

    return replace(
        config,
        receivers=changed(config.receivers),
        processors=changed(config.processors),
        exporters=changed(config.exporters),
        extensions={
            id_: part for id_, part in config.extensions.items() if id_.type not in OF_THE_PARENT
        },
        telemetry=replace(config.telemetry, metrics_address=None),
    )


def with_ports(config: LoadedConfig, reserve: Callable[[str, str, str], str]) -> LoadedConfig:
    """
    Let the OTLP receivers in use share their ports.

    Args:
        reserve:
            Gets endpoint, transport and the place in the config; gives the endpoint with the port
            that all workers listen at.
    """
    used = {id_ for pipeline in config.pipelines.values() for id_ in pipeline.receivers}
    receivers = dict(config.receivers)
    for id_ in used:
        if id_.type == "otlp":
            part = receivers[id_]
            receivers[id_] = replace(part, options=_reserved(part, reserve))
    return replace(config, receivers=receivers)


def _reserved(part: ComponentConfig, reserve: Callable[[str, str, str], str]) -> Any:
    protocols = part.options.protocols
    listeners = {}
    for name in ("grpc", "http"):
        listener = getattr(protocols, name)
        if listener is not None:
            where = f"receivers.{part.id}.protocols.{name}"
            endpoint = reserve(listener.endpoint, listener.transport, where)
            listeners[name] = listener.model_copy(update={"endpoint": endpoint})
    return part.options.model_copy(
        update={"reuse_port": True, "protocols": protocols.model_copy(update=listeners)}
    )


def _share(part: ComponentConfig, number: int, workers: int) -> ComponentConfig:
    try:
        options = part.options.divided(workers)
    except ValueError as error:
        raise ConfigError(f"{part.kind}/{part.id}: {error}") from error
    names: dict[str, Any] = {}
    if part.factory.type_name == "kafka":
        for field in ("client_id", "group_instance_id"):
            name = getattr(options, field, "")
            # An empty instance id means dynamic membership, which needs no name.
            if name:
                names[field] = f"{name}-{number}"
    if names:
        options = options.model_copy(update=names)
    return part if options is part.options else replace(part, options=options)


def _limits_rates(value: Any) -> bool:
    """Whether a policy with a rate is somewhere in *value*, also within other policies."""
    if isinstance(value, list | tuple):
        return any(map(_limits_rates, value))
    if not isinstance(value, Options):
        return False
    if getattr(value, "type", None) in _RATE_LIMITED:
        return True
    return any(_limits_rates(getattr(value, name)) for name in type(value).model_fields)
