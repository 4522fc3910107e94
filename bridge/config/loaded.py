"""A configuration that was read, checked and found runnable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.config.nodes import MapNode
from bridge.config.position import Position
from bridge.config.problems import Problem
from bridge.config.telemetry import Telemetry
from bridge.core import ComponentId, Signal
from bridge.core.contracts import AnyFactory

KINDS = ("receivers", "processors", "exporters", "extensions")
"""The sections that hold components, in the order of the data."""


class FactorySource(Protocol):
    """Where component types come from; `bridge.service.Registry` in the running program."""

    def types(self, kind: str) -> list[str]:
        """The type names of *kind*, aliases included."""
        ...

    def factory(self, kind: str, type_name: str) -> AnyFactory:
        """
        The factory of one type.

        Raises:
            KeyError: If there is none of that name.
        """
        ...


@dataclass(frozen=True, slots=True)
class ComponentConfig:
    """
    One component as it is configured.

    `kind` is the section, such as ``exporters``; `options` an instance of `factory.config`.
    """

    id: ComponentId
    kind: str
    factory: AnyFactory
    options: Any
    position: Position


@dataclass(frozen=True, slots=True, order=True)
class PipelineId:
    """The identity of a pipeline; `str()` gives the Collector's spelling, ``traces/ingest``."""

    signal: Signal
    name: str = ""

    def __str__(self) -> str:
        return f"{self.signal.value}/{self.name}" if self.name else self.signal.value


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Ids of the components of one pipeline; processors in the order in which data passes."""

    receivers: Sequence[ComponentId]
    processors: Sequence[ComponentId]
    exporters: Sequence[ComponentId]


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """
    What `load` returns.

    `receivers`, `processors` and `exporters` hold all that are defined, used or not;
    `extensions` only those listed under ``service.extensions``, in that order. `warnings` are
    findings that do not keep it from running. `tree` is the merged text with the place of every
    value, for `values`.
    """

    receivers: Mapping[ComponentId, ComponentConfig]
    processors: Mapping[ComponentId, ComponentConfig]
    exporters: Mapping[ComponentId, ComponentConfig]
    extensions: Mapping[ComponentId, ComponentConfig]
    pipelines: Mapping[PipelineId, Pipeline]
    telemetry: Telemetry
    warnings: tuple[Problem, ...]
    tree: MapNode

    def component(self, kind: str, component_id: ComponentId) -> ComponentConfig:
        """
        One component.

        Raises:
            KeyError: If there is none of that id in the section *kind*.
        """
        components: Mapping[ComponentId, ComponentConfig] = getattr(self, kind)
        return components[component_id]
