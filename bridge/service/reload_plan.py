"""
What a new config changes about a running one: which parts end, which begin, which go on.

Parts are told apart by their names, ``kind/id`` and ``processors/id@pipeline``; besides them stand
``pipelines/id``, so that a pipeline without processors can change too.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from bridge.config import LoadedConfig, Pipeline, PipelineId
from bridge.core import ComponentId, ReceiverFactory, Signal

Uses = Mapping[str, Set[ComponentId]]
"""Which extensions each running part has asked for."""


@dataclass(frozen=True, slots=True)
class ReloadPlan:
    """
    Names by what becomes of them.

    A part that is replaced is in `stop` and in `start`. A receiver in `keep` goes on with open
    ports; the stages behind it may be replaced all the same.
    """

    stop: frozenset[str]
    start: frozenset[str]
    keep: frozenset[str]

    @property
    def empty(self) -> bool:
        """Whether nothing that runs changes."""
        return not self.stop and not self.start

    @property
    def reverse(self) -> "ReloadPlan":
        """The way back."""
        return ReloadPlan(stop=self.start, start=self.stop, keep=self.keep)


def plan_reload(old: LoadedConfig, new: LoadedConfig, uses: Uses) -> ReloadPlan:
    """
    Compare two configs part by part.

    - A pipeline restarts as a whole: with the order of its members, or the options of one of its
      processors or exporters.
    - A receiver that is not `ReceiverFactory.rewirable` restarts with the pipelines behind it, and
      they with it: what it has read belongs to it and to the stages that hold it.
    - A changed extension takes those along that asked for it.
    """
    before, after = _descriptions(old), _descriptions(new)
    followers = _followers(old, new, uses)
    changed: set[str] = set()
    reached = [
        name
        for name in before.keys() | after.keys()
        if name not in before or name not in after or before[name] != after[name]
    ]
    while reached:
        name = reached.pop()
        if name not in changed:
            changed.add(name)
            reached.extend(followers.get(name, ()))
    keep = (before.keys() & after.keys()) - changed
    return ReloadPlan(
        stop=frozenset(before.keys() - keep),
        start=frozenset(after.keys() - keep),
        keep=frozenset(keep),
    )


def processor_name(component_id: ComponentId, pipeline_id: PipelineId) -> str:
    """By which the processor of one pipeline reports."""
    return f"processors/{component_id}@{pipeline_id}"


def pipeline_name(pipeline_id: PipelineId) -> str:
    """By which a plan knows a pipeline."""
    return f"pipelines/{pipeline_id}"


def signals_of(config: LoadedConfig, kind: str) -> dict[ComponentId, frozenset[Signal]]:
    """The components of one kind that pipelines name, in that order, with the signals of each."""
    wanted: dict[ComponentId, set[Signal]] = {}
    for pipeline_id, pipeline in config.pipelines.items():
        for component_id in getattr(pipeline, kind):
            wanted.setdefault(component_id, set()).add(pipeline_id.signal)
    return {component_id: frozenset(signals) for component_id, signals in wanted.items()}


def _descriptions(config: LoadedConfig) -> dict[str, object]:
    """All that a part was built from, by its name; equal descriptions mean equal parts."""
    found: dict[str, object] = {
        f"extensions/{id_}": part.options for id_, part in config.extensions.items()
    }
    for kind in ("exporters", "receivers"):
        for id_, signals in signals_of(config, kind).items():
            found[f"{kind}/{id_}"] = (config.component(kind, id_).options, signals)
    for pipeline_id, pipeline in config.pipelines.items():
        found[pipeline_name(pipeline_id)] = (
            [(id_, config.component("processors", id_).options) for id_ in pipeline.processors],
            list(pipeline.exporters),
            # Whoever looks on stands between the stages.
            config.telemetry.traces,
            # What a stage does may depend on the kinds of its sources: see `pass_through`.
            {config.component("receivers", id_).factory.type_name for id_ in pipeline.receivers},
        )
        for id_ in pipeline.processors:
            found[processor_name(id_, pipeline_id)] = None
    return found


def _followers(old: LoadedConfig, new: LoadedConfig, uses: Uses) -> dict[str, list[str]]:
    """Who changes when somebody else does."""
    found: dict[str, list[str]] = {}
    for config in (old, new):
        for pipeline_id, pipeline in config.pipelines.items():
            for cause, effect in _links(config, pipeline_id, pipeline):
                found.setdefault(cause, []).append(effect)
    for name, extensions in uses.items():
        for id_ in extensions:
            found.setdefault(f"extensions/{id_}", []).append(name)
        # A processor does not change alone.
        if name.startswith("processors/"):
            found.setdefault(name, []).append(f"pipelines/{name.partition('@')[2]}")
    return found


def _links(
    config: LoadedConfig, pipeline_id: PipelineId, pipeline: Pipeline
) -> Iterator[tuple[str, str]]:
    name = pipeline_name(pipeline_id)
    for id_ in pipeline.exporters:
        yield f"exporters/{id_}", name
    for id_ in pipeline.processors:
        yield name, processor_name(id_, pipeline_id)
    for id_ in pipeline.receivers:
        factory = config.component("receivers", id_).factory
        if not (isinstance(factory, ReceiverFactory) and factory.rewirable):
            yield name, f"receivers/{id_}"
            yield f"receivers/{id_}", name
