"""
From a loaded config to connected components.

Sinks are built first, because every stage is built with the stage behind it. Nothing is started
here and nothing waits: `Service` does that, in the order that `Assembly` gives.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bridge.config import ComponentConfig, LoadedConfig, Pipeline, PipelineId
from bridge.core import (
    Clock,
    Component,
    ComponentId,
    ConfigError,
    Exporter,
    Extension,
    Metrics,
    PartitionListener,
    Processor,
    Receiver,
    Settings,
    Signal,
    Stage,
)
from bridge.flow import FanOut
from bridge.service.host import ServiceHost
from bridge.service.listeners import Listeners
from bridge.service.pass_through import mark_pass_through
from bridge.service.status_book import StatusBook


@dataclass(frozen=True, slots=True)
class Part:
    """One built component and the name by which it reports: ``kind/id``, or with its pipeline."""

    name: str
    component: Component


@dataclass(frozen=True, slots=True)
class Assembly:
    """All components of a service, each list in the order in which it is to be started."""

    extensions: tuple[Part, ...]
    exporters: tuple[Part, ...]
    processors: tuple[Part, ...]
    receivers: tuple[Part, ...]

    @property
    def start_order(self) -> tuple[Part, ...]:
        """Extensions, then sinks before the sources that feed them."""
        return (*self.extensions, *self.exporters, *self.processors, *self.receivers)


class Assembler:
    """
    Builds the components of one config.

    Raises (from `build`):
        ConfigError: If a component refuses its config, or needs an extension that is not listed.
    """

    def __init__(
        self,
        config: LoadedConfig,
        book: StatusBook,
        host: ServiceHost,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._config = config
        self._book = book
        self._host = host
        self._clock = clock
        self._metrics = metrics
        self._exporters: dict[ComponentId, Exporter] = {}
        self._processors: list[Part] = []
        self._listeners: dict[PipelineId, list[PartitionListener]] = {}

    def build(self) -> Assembly:
        """Build everything that the pipelines and ``service.extensions`` name, and nothing else."""
        extensions = [self._extension(component_id) for component_id in self._config.extensions]
        exporters = [
            self._exporter(component_id, signals)
            for component_id, signals in self._wanted("exporters").items()
        ]
        entries = {
            pipeline_id: self._pipeline(pipeline_id, pipeline)
            for pipeline_id, pipeline in self._config.pipelines.items()
        }
        receivers = [
            self._receiver(component_id, entries) for component_id in self._wanted("receivers")
        ]
        return Assembly(
            tuple(extensions), tuple(exporters), tuple(self._processors), tuple(receivers)
        )

    def _wanted(self, kind: str) -> dict[ComponentId, frozenset[Signal]]:
        wanted: dict[ComponentId, set[Signal]] = {}
        for pipeline_id, pipeline in self._config.pipelines.items():
            for component_id in getattr(pipeline, kind):
                wanted.setdefault(component_id, set()).add(pipeline_id.signal)
        return {component_id: frozenset(signals) for component_id, signals in wanted.items()}

    def _extension(self, component_id: ComponentId) -> Part:
        configured = self._config.component("extensions", component_id)
        settings, name = self._settings(configured)
        extension: Extension = self._create(configured, settings)
        self._host.extensions[component_id] = extension
        return Part(name, extension)

    def _exporter(self, component_id: ComponentId, signals: frozenset[Signal]) -> Part:
        configured = self._config.component("exporters", component_id)
        settings, name = self._settings(configured)
        exporter: Exporter = self._create(configured, settings, signals)
        self._exporters[component_id] = exporter
        return Part(name, exporter)

    def _pipeline(self, pipeline_id: PipelineId, pipeline: Pipeline) -> Stage:
        """Build a pipeline's processors from its end and give the stage at its beginning."""
        branches = {str(name): self._exporters[name] for name in pipeline.exporters}
        stage: Stage
        if len(branches) == 1:
            (stage,) = branches.values()
        else:
            stage = self._fan_out(str(pipeline_id), branches)
        listeners = self._listeners.setdefault(pipeline_id, [])
        followers: list[ComponentConfig] = [
            self._config.component("exporters", name) for name in pipeline.exporters
        ]
        for component_id in reversed(pipeline.processors):
            configured = self._config.component("processors", component_id)
            settings, name = self._settings(configured, pipeline=str(pipeline_id))
            processor: Processor = self._create(configured, settings, pipeline_id.signal, stage)
            sources = self._sources(pipeline)
            mark_pass_through(processor, configured, followers, sources, kept=bool(listeners))
            if isinstance(processor, PartitionListener):
                listeners.insert(0, processor)
            self._processors.append(Part(name, processor))
            stage, followers = processor, [configured]
        return stage

    def _sources(self, pipeline: Pipeline) -> list[ComponentConfig]:
        return [self._config.component("receivers", name) for name in pipeline.receivers]

    def _receiver(self, component_id: ComponentId, entries: Mapping[PipelineId, Stage]) -> Part:
        configured = self._config.component("receivers", component_id)
        settings, name = self._settings(configured)
        by_signal: dict[Signal, dict[str, Stage]] = {}
        listening: dict[Signal, list[PartitionListener]] = {}
        for pipeline_id, pipeline in self._config.pipelines.items():
            if component_id in pipeline.receivers:
                by_signal.setdefault(pipeline_id.signal, {})[str(pipeline_id)] = entries[
                    pipeline_id
                ]
                if listeners := self._listeners[pipeline_id]:
                    listening.setdefault(pipeline_id.signal, []).extend(listeners)
        downstream = {
            signal: next(iter(stages.values()))
            if len(stages) == 1
            else self._fan_out(str(component_id), stages, self._hearing)
            for signal, stages in by_signal.items()
        }
        told = {signal: Listeners(listeners) for signal, listeners in listening.items()}
        settings = replace(settings, listeners=told)
        receiver: Receiver = self._create(configured, settings, downstream)
        return Part(name, receiver)

    @property
    def _hearing(self) -> list[str]:
        return [str(pipeline_id) for pipeline_id, heard in self._listeners.items() if heard]

    def _fan_out(
        self, name: str, branches: Mapping[str, Stage], context: Collection[str] = ()
    ) -> Stage:
        return FanOut(name, branches, clock=self._clock, metrics=self._metrics, context=context)

    def _settings(self, configured: ComponentConfig, pipeline: str = "") -> tuple[Settings, str]:
        name = f"{configured.kind}/{configured.id}"
        if pipeline:
            name = f"{name}@{pipeline}"
        return Settings(
            id=configured.id,
            clock=self._clock,
            metrics=self._metrics,
            report=self._book.reporter(name),
            host=self._host,
            pipeline=pipeline,
        ), name

    def _create(self, configured: ComponentConfig, *arguments: Any) -> Any:
        create: Callable[..., Any] = configured.factory.create
        try:
            return create(configured.options, *arguments)
        except (ValueError, OSError) as error:
            # A component's own check that its config model could not make.
            raise ConfigError(f"{configured.kind}/{configured.id}: {error}") from error
