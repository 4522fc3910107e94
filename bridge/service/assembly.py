"""
From a loaded config to connected components.

Sinks are built first, because every stage is built with the stage behind it. Nothing is started
here and nothing waits: `Service` does that, in the order that `Assembly` gives. What runs already
and goes on is taken over from the assembly before.
"""

from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.config import ComponentConfig, LoadedConfig, Pipeline, PipelineId
from bridge.core import (
    Clock,
    Component,
    ComponentId,
    ConfigError,
    Exporter,
    PartitionListener,
    ReceiverFactory,
    Settings,
    Signal,
    Stage,
)
from bridge.flow import FanOut
from bridge.service.host import ServiceHost
from bridge.service.listeners import Listeners
from bridge.service.part_metrics import PartMetrics
from bridge.service.pass_through import mark_pass_through
from bridge.service.places import Observe, Place, unobserved
from bridge.service.reload_plan import pipeline_name, processor_name, signals_of
from bridge.service.status_book import StatusBook
from bridge.service.switch import Passage, Switch
from bridge.telemetry import MetricRegistry

_GATHERING = frozenset(("batch", "groupbytrace", "tail_sampling"))
"""Behind these the caller of a delivery says nothing of where its data came from."""


@dataclass(frozen=True, slots=True)
class Part:
    """One built component and the name by which it reports: ``kind/id``, or with its pipeline."""

    name: str
    component: Component
    metrics: PartMetrics


@dataclass(frozen=True, slots=True)
class Head:
    """What a receiver delivers one signal to: the beginnings of its pipelines, joined to one."""

    branches: Mapping[str, Stage]
    stage: Stage
    switch: Switch | None
    """Stands between the two if the receiver lets the stages behind it be exchanged."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """
    All components of a service, each list in the order in which it is to be started.

    `entries` are the beginnings of the pipelines, `heads` what each receiver delivers to.
    """

    extensions: tuple[Part, ...] = ()
    exporters: tuple[Part, ...] = ()
    processors: tuple[Part, ...] = ()
    receivers: tuple[Part, ...] = ()
    entries: Mapping[PipelineId, Stage] = field(default_factory=dict)
    heads: Mapping[str, Mapping[Signal, Head]] = field(default_factory=dict)

    @property
    def start_order(self) -> tuple[Part, ...]:
        """Extensions, then sinks before the sources that feed them."""
        return (*self.extensions, *self.exporters, *self.processors, *self.receivers)

    def turn_switches(self) -> list[Passage]:
        """
        Lead what arrives from now on through this assembly.

        Returns:
            The former ways, through which data may still pass.
        """
        return [
            head.switch.turn(head.stage)
            for heads in self.heads.values()
            for head in heads.values()
            if head.switch is not None and head.switch.stage is not head.stage
        ]


class Assembler:
    """
    Builds the components of one config.

    Args:
        before, keep:
            What was built for another config, and the names of what goes on from it.
        observe:
            Gives what stands for each stage in front of which somebody looks on.

    Raises (from `build`):
        ConfigError: If a component refuses its config, or needs an extension that is not listed.
    """

    def __init__(
        self,
        config: LoadedConfig,
        book: StatusBook,
        host: ServiceHost,
        clock: Clock,
        metrics: MetricRegistry,
        before: Assembly | None = None,
        keep: Set[str] = frozenset(),
        observe: Observe = unobserved,
    ) -> None:
        self._config = config
        self._book = book
        self._host = host
        self._clock = clock
        self._metrics = metrics
        self._before = before or Assembly()
        self._kept = {part.name: part for part in self._before.start_order if part.name in keep}
        self._keep = keep
        self._observe = observe
        self._exporters: dict[ComponentId, Exporter] = {}
        self._processors: list[Part] = []
        self._heads: dict[str, Mapping[Signal, Head]] = {}
        self._listeners: dict[PipelineId, list[PartitionListener]] = {}

    def build(self) -> Assembly:
        """Build everything that the pipelines and ``service.extensions`` name, and nothing else."""
        self._host.extensions = {}
        extensions = [self._extension(component_id) for component_id in self._config.extensions]
        exporters = [
            self._exporter(component_id, signals)
            for component_id, signals in signals_of(self._config, "exporters").items()
        ]
        entries = {
            pipeline_id: self._pipeline(pipeline_id, pipeline)
            for pipeline_id, pipeline in self._config.pipelines.items()
        }
        receivers = [
            self._receiver(component_id, entries)
            for component_id in signals_of(self._config, "receivers")
        ]
        return Assembly(
            tuple(extensions),
            tuple(exporters),
            tuple(self._processors),
            tuple(receivers),
            entries,
            self._heads,
        )

    def _extension(self, component_id: ComponentId) -> Part:
        configured = self._config.component("extensions", component_id)
        part = self._part(f"extensions/{component_id}", configured)
        extension: Any = part.component
        self._host.extensions[component_id] = extension
        return part

    def _exporter(self, component_id: ComponentId, signals: frozenset[Signal]) -> Part:
        configured = self._config.component("exporters", component_id)
        part = self._part(f"exporters/{component_id}", configured, signals)
        exporter: Any = part.component
        self._exporters[component_id] = exporter
        return part

    def _pipeline(self, pipeline_id: PipelineId, pipeline: Pipeline) -> Stage:
        """Build a pipeline's processors from its end and give the stage at its beginning."""
        kept = pipeline_name(pipeline_id) in self._keep
        processors = [self._config.component("processors", name) for name in pipeline.processors]
        gathers = [part.factory.type_name in _GATHERING for part in processors]
        branches: dict[str, Stage] = {}
        for exporter_id in pipeline.exporters:
            configured = self._config.component("exporters", exporter_id)
            place = _place(configured, pipeline_id, begins=bool(gathers and gathers[-1]))
            branches[str(exporter_id)] = self._observe(self._exporters[exporter_id], place)
        stage: Stage = (
            self._before.entries[pipeline_id] if kept else self._join(str(pipeline_id), branches)
        )
        listeners = self._listeners.setdefault(pipeline_id, [])
        followers: list[ComponentConfig] = [
            self._config.component("exporters", name) for name in pipeline.exporters
        ]
        for index, configured in reversed(list(enumerate(processors))):
            name = processor_name(configured.id, pipeline_id)
            part = self._part(
                name, configured, pipeline_id.signal, stage, pipeline=str(pipeline_id)
            )
            processor: Any = part.component
            if not kept:
                sources = self._sources(pipeline)
                mark_pass_through(processor, configured, followers, sources, kept=bool(listeners))
                place = _place(configured, pipeline_id, begins=bool(index and gathers[index - 1]))
                stage, followers = self._observe(processor, place), [configured]
            if isinstance(processor, PartitionListener):
                listeners.insert(0, processor)
            self._processors.append(part)
        return stage

    def _sources(self, pipeline: Pipeline) -> list[ComponentConfig]:
        return [self._config.component("receivers", name) for name in pipeline.receivers]

    def _receiver(self, component_id: ComponentId, entries: Mapping[PipelineId, Stage]) -> Part:
        configured = self._config.component("receivers", component_id)
        name = f"receivers/{component_id}"
        by_signal: dict[Signal, dict[str, Stage]] = {}
        listening: dict[Signal, list[PartitionListener]] = {}
        for pipeline_id, pipeline in self._config.pipelines.items():
            if component_id in pipeline.receivers:
                branches = by_signal.setdefault(pipeline_id.signal, {})
                branches[str(pipeline_id)] = entries[pipeline_id]
                if listeners := self._listeners[pipeline_id]:
                    listening.setdefault(pipeline_id.signal, []).extend(listeners)
        heads = {
            signal: self._head(name, configured, signal, branches)
            for signal, branches in by_signal.items()
        }
        self._heads[name] = heads
        downstream = {signal: head.switch or head.stage for signal, head in heads.items()}
        told = {signal: Listeners(listeners) for signal, listeners in listening.items()}
        return self._part(name, configured, downstream, listeners=told)

    def _head(
        self, name: str, configured: ComponentConfig, signal: Signal, branches: Mapping[str, Stage]
    ) -> Head:
        former = self._before.heads[name][signal] if name in self._keep else None
        if former is not None and former.branches == branches:
            return former
        hearing = [str(pipeline_id) for pipeline_id, heard in self._listeners.items() if heard]
        place = Place(name, configured.factory.type_name, "", begins=True)
        stage = self._observe(self._join(str(configured.id), branches, hearing), place)
        if former is not None:
            return Head(branches, stage, former.switch)
        factory = configured.factory
        rewirable = isinstance(factory, ReceiverFactory) and factory.rewirable
        return Head(branches, stage, Switch(stage) if rewirable else None)

    def _join(
        self, name: str, branches: Mapping[str, Stage], context: Collection[str] = ()
    ) -> Stage:
        if len(branches) == 1:
            return next(iter(branches.values()))
        return FanOut(name, branches, clock=self._clock, metrics=self._metrics, context=context)

    def _part(
        self,
        name: str,
        configured: ComponentConfig,
        *arguments: Any,
        pipeline: str = "",
        listeners: Mapping[Signal, PartitionListener] | None = None,
    ) -> Part:
        """Take a part over, or build it."""
        if name in self._kept:
            return self._kept[name]
        metrics = PartMetrics(self._metrics)
        settings = Settings(
            id=configured.id,
            clock=self._clock,
            metrics=metrics,
            report=self._book.reporter(name),
            host=self._host.seen_by(name),
            pipeline=pipeline,
        )
        if listeners:
            settings = replace(settings, listeners=listeners)
        create: Callable[..., Any] = configured.factory.create
        # The order in which factories want them: config, settings, then what is special.
        try:
            component = create(configured.options, settings, *arguments)
        except (ValueError, OSError) as error:
            # A component's own check that its config model could not make.
            raise ConfigError(f"{configured.kind}/{configured.id}: {error}") from error
        return Part(name, component, metrics)


def _place(configured: ComponentConfig, pipeline_id: PipelineId, *, begins: bool) -> Place:
    name = f"{configured.kind}/{configured.id}"
    return Place(name, configured.factory.type_name, str(pipeline_id), begins)
