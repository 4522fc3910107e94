"""The ``service`` section: pipelines and the extensions that run."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.config.components import Components
from bridge.config.loaded import Pipeline, PipelineId
from bridge.config.nodes import Entry, ListNode, MapNode, Node, ScalarNode, describe
from bridge.config.position import Position
from bridge.config.problems import Problem
from bridge.config.substitution import UNRESOLVED
from bridge.config.telemetry import Telemetry, read_telemetry
from bridge.core import ComponentId, Signal

SERVICE_KEYS = ("extensions", "pipelines", "telemetry")
PIPELINE_KEYS = ("receivers", "processors", "exporters")
_REQUIRED = {"receivers": "BR-1404", "exporters": "BR-1405"}


@dataclass(slots=True)
class Service:
    """What ``service`` says, and what is wrong with it. `places` tell where a pipeline stands."""

    pipelines: dict[PipelineId, Pipeline] = field(default_factory=dict)
    places: dict[PipelineId, Position] = field(default_factory=dict)
    extensions: list[ComponentId] = field(default_factory=list)
    telemetry: Telemetry = field(default_factory=Telemetry)
    problems: list[Problem] = field(default_factory=list)


def read_service(root: MapNode, components: Components) -> Service:
    """Read pipelines, extensions and telemetry, and hold their names against *components*."""
    reader = _Reader(components)
    entry = root.entries.get("service")
    if entry is None or _is_null(entry.value):
        position = entry.key if entry else root.position
        reader.report("BR-1401", "there is no service section with pipelines", position, "service")
    elif not isinstance(entry.value, MapNode):
        message = f"service is {describe(entry.value)}, a map is expected"
        reader.report("BR-1202", message, entry.value.position, "service")
    else:
        reader.service(entry, entry.value)
    return reader.result


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None


@dataclass(slots=True)
class _Reader:
    components: Components
    result: Service = field(default_factory=Service)

    def report(
        self,
        code: str,
        message: str,
        position: Position,
        path: str,
        hint: str = "",
        allowed: tuple[str, ...] = (),
    ) -> None:
        self.result.problems.append(Problem(code, message, position, path, hint, allowed))

    def service(self, entry: Entry, node: MapNode) -> None:
        self._known_keys(node, SERVICE_KEYS, "service", "BR-1201")
        telemetry = node.entries.get("telemetry")
        if telemetry is not None:
            self.result.telemetry, problems = read_telemetry(telemetry.key, telemetry.value)
            self.result.problems.extend(problems)
        extensions = node.entries.get("extensions")
        if extensions is not None:
            self.result.extensions = self._references(
                extensions, "extensions", "service.extensions"
            )
        pipelines = node.entries.get("pipelines")
        if pipelines is None or _is_null(pipelines.value):
            position = pipelines.key if pipelines else entry.key
            self.report("BR-1401", "service has no pipelines", position, "service.pipelines")
        elif not isinstance(pipelines.value, MapNode):
            message = f"service.pipelines is {describe(pipelines.value)}, a map is expected"
            self.report("BR-1202", message, pipelines.value.position, "service.pipelines")
        elif not pipelines.value.entries:
            message = "service.pipelines is empty"
            self.report("BR-1401", message, pipelines.key, "service.pipelines")
        else:
            for name, pipeline in pipelines.value.entries.items():
                self._pipeline(name, pipeline)

    def _known_keys(self, node: MapNode, known: tuple[str, ...], path: str, code: str) -> None:
        for key, entry in node.entries.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, 1, cutoff=0.6)
                hint = f"did you mean {near[0]}?" if near else ""
                message = f"unknown key {key} in {path}"
                self.report(code, message, entry.key, f"{path}.{key}", hint, known)

    def _pipeline(self, name: str, entry: Entry) -> None:
        path = f"service.pipelines.{name}"
        pipeline_id = self._pipeline_id(name, entry, path)
        node = entry.value
        if isinstance(node, ScalarNode) and node.value is None:
            node = MapNode({}, entry.key)
        if not isinstance(node, MapNode):
            message = f"{path} is {describe(node)}, a map of receivers, processors and exporters is"
            self.report("BR-1202", f"{message} expected", node.position, path)
            return
        self._known_keys(node, PIPELINE_KEYS, path, "BR-1301")
        lists: dict[str, list[ComponentId]] = {}
        for kind in PIPELINE_KEYS:
            references = node.entries.get(kind)
            lists[kind] = []
            if references is not None:
                found = self._references(references, kind, f"{path}.{kind}", pipeline_id)
                lists[kind] = found
            if pipeline_id and kind in _REQUIRED and _is_empty(references):
                message = f"the pipeline {name} has no {kind.removesuffix('s')}"
                position = references.key if references else entry.key
                self.report(_REQUIRED[kind], message, position, f"{path}.{kind}")
        if pipeline_id is not None:
            self.result.pipelines[pipeline_id] = Pipeline(**lists)
            self.result.places[pipeline_id] = entry.key

    def _pipeline_id(self, name: str, entry: Entry, path: str) -> PipelineId | None:
        signals = {signal.value: signal for signal in Signal}
        kind, slash, rest = name.partition("/")
        kind, rest = kind.strip(), rest.strip()
        if kind in signals and (rest or not slash):
            return PipelineId(signals[kind], rest)
        if kind == "profiles":
            message = f"the pipeline {name} is for profiles, which are not supported"
            self.report("BR-1403", message, entry.key, path)
            return None
        near = difflib.get_close_matches(kind, signals, 1, cutoff=0.6)
        hint = f"did you mean {near[0]}{slash}{rest}?" if near and (rest or not slash) else ""
        message = f"{name!r} is no name of a pipeline"
        self.report("BR-1402", message, entry.key, path, hint, tuple(signals))
        return None

    def _references(
        self, entry: Entry, kind: str, path: str, pipeline_id: PipelineId | None = None
    ) -> list[ComponentId]:
        """The ids that a list names; wrong ones are reported and left out."""
        node = entry.value
        if _is_null(node):
            return []
        if not isinstance(node, ListNode):
            hint = f"write {_last(path)}: [{node.text}]" if _is_text(node) else ""
            message = f"{path} is {describe(node)}, a list of names is expected"
            self.report("BR-1202", message, node.position, path, hint)
            return []
        found: list[ComponentId] = []
        for item in node.items:
            component_id = self._reference(item, kind, path)
            if component_id is None:
                continue
            if component_id in found:
                message = f"{path} names {component_id} twice"
                self.report("BR-1407", message, item.position, path)
                continue
            if pipeline_id is not None:
                self._supports(component_id, kind, pipeline_id, item.position, path)
            found.append(component_id)
        return found

    def _reference(self, item: Node, kind: str, path: str) -> ComponentId | None:
        if not isinstance(item, ScalarNode) or not item.text or item.value is None:
            if item.position.via != UNRESOLVED:
                message = f"{path} holds {describe(item)}, names of components are expected"
                self.report("BR-1202", message, item.position, path)
            return None
        try:
            component_id = ComponentId.parse(item.text)
        except ValueError as error:
            self.report("BR-1203", str(error), item.position, path)
            return None
        if component_id not in self.components.by_kind[kind]:
            self._undefined(component_id, kind, item.position, path)
            return None
        return component_id

    def _undefined(
        self, component_id: ComponentId, kind: str, position: Position, path: str
    ) -> None:
        by_kind: Mapping[str, Mapping[ComponentId, object]] = self.components.by_kind
        others = [other for other in by_kind if other != kind and component_id in by_kind[other]]
        names = [str(known) for known in by_kind[kind]]
        near = difflib.get_close_matches(str(component_id), names, 1, cutoff=0.6)
        singular = kind.removesuffix("s")
        if near:
            hint = f"did you mean {near[0]}?"
        elif others:
            hint = f"{component_id} is defined under {others[0]}, not under {kind}"
        else:
            hint = f"define {component_id} under {kind}: at the left margin"
        message = f"{path} names the {singular} {component_id}, which is not defined"
        self.report("BR-1406", message, position, path, hint, tuple(names))

    def _supports(
        self,
        component_id: ComponentId,
        kind: str,
        pipeline_id: PipelineId,
        position: Position,
        path: str,
    ) -> None:
        component = self.components.by_kind[kind][component_id]
        if component is None:
            return
        signals: frozenset[Signal] = getattr(component.factory, "signals", frozenset(Signal))
        if pipeline_id.signal not in signals:
            supported = ", ".join(sorted(signal.value for signal in signals))
            message = f"{component_id} does not support {pipeline_id.signal.value}"
            hint = f"it supports {supported}: use it in a pipeline of that signal"
            self.report("BR-1408", message, position, path, hint)


def _last(path: str) -> str:
    """The last key of a dotted path."""
    return path.rsplit(".", 1)[-1]


def _is_text(node: Node) -> bool:
    return isinstance(node, ScalarNode) and isinstance(node.value, str)


def _is_empty(entry: Entry | None) -> bool:
    if entry is None:
        return True
    node = entry.value
    if isinstance(node, ListNode):
        return not node.items
    return _is_null(node) and node.position.via != UNRESOLVED
