"""What runs, but probably not as meant: warnings, and references between components."""

from collections.abc import Callable, Iterator
from typing import Any

from bridge.config.components import Components
from bridge.config.fields import at, is_secret
from bridge.config.loaded import ComponentConfig, Pipeline, PipelineId
from bridge.config.nodes import Entry, MapNode, Node, ScalarNode, walk
from bridge.config.pipelines import Service
from bridge.config.position import Position
from bridge.config.problems import Problem
from bridge.config.trace_loop import find_trace_loop
from bridge.core import ComponentId

_REMOVING = frozenset(("filter", "tail_sampling", "probabilistic_sampler"))
_GATHERING = ("tail_sampling", "groupbytrace")
_EVERYWHERE = ("0.0.0.0:", "[::]:", ":")


def find_hints(
    root: MapNode, components: Components, service: Service, *, all_resolved: bool = True
) -> list[Problem]:
    """
    All warnings about a config, and errors about authenticators and own traces.

    Args:
        all_resolved:
            Whether every ``${...}`` could be followed.
    """
    # A name that is misspelt or not known yet would make the right one look unused.
    knows_all = all_resolved and not any(problem.is_error for problem in service.problems)
    problems = list(_unused(root, components, service)) if knows_all else []
    for pipeline_id, pipeline in service.pipelines.items():
        for check in _CHECKS:
            problems.extend(check(_View(components, root, pipeline_id, pipeline, service)))
    problems.extend(_authenticators(root, components, service))
    problems.extend(_component_hints(root, components))
    problems.extend(find_trace_loop(root, components, service))
    return problems


class _View:
    """One pipeline with its components at hand."""

    def __init__(
        self,
        components: Components,
        root: MapNode,
        pipeline_id: PipelineId,
        pipeline: Pipeline,
        service: Service,
    ) -> None:
        self.name = str(pipeline_id)
        self.position = service.places[pipeline_id]
        self._components = components
        self._root = root
        self.receivers = self._types("receivers", pipeline.receivers)
        self.processors = self._types("processors", pipeline.processors)
        self.exporters = self._types("exporters", pipeline.exporters)

    def _types(self, kind: str, ids: Any) -> list[tuple[ComponentId, str]]:
        return [(name, self._type(kind, name)) for name in ids]

    def _type(self, kind: str, component_id: ComponentId) -> str:
        component = self._components.by_kind[kind][component_id]
        return component.factory.type_name if component else component_id.type

    def options(self, component_id: ComponentId) -> Any:
        """The options of a processor, `None` when it has errors."""
        component = self._components.by_kind["processors"][component_id]
        return component.options if component else None

    def place(self, component_id: ComponentId) -> Position:
        """Where the pipeline names the processor."""
        for path, node in walk(self._root):
            if (
                path[:4] == ("service", "pipelines", self.name, "processors")
                and isinstance(node, ScalarNode)
                and _same_id(node.text, component_id)
            ):
                return node.position
        return self.position

    def problem(self, code: str, message: str, component_id: ComponentId) -> Problem:
        """A warning at the place where the pipeline names the processor."""
        path = f"service.pipelines.{self.name}.processors"
        return Problem(code, f"{self.name}: {message}", self.place(component_id), path)


def _unused(root: MapNode, components: Components, service: Service) -> Iterator[Problem]:
    used: dict[str, set[ComponentId]] = {"extensions": set(service.extensions)}
    for kind in ("receivers", "processors", "exporters"):
        used[kind] = {
            name for pipeline in service.pipelines.values() for name in getattr(pipeline, kind)
        }
    for kind, defined in components.by_kind.items():
        section = root.entries[kind].value if kind in root.entries else None
        for component_id, component in defined.items():
            if component is None or component_id in used[kind] or not isinstance(section, MapNode):
                continue
            entry = _entry(section, component_id)
            where = (
                "service.extensions does not list" if kind == "extensions" else "no pipeline uses"
            )
            message = f"{where} {kind.removesuffix('s')} {component_id}"
            yield Problem("BR-2001", message, entry.key, f"{kind}.{component_id}")


def _entry(section: MapNode, component_id: ComponentId) -> Entry:
    return next(
        entry
        for name, entry in section.entries.items()
        if _same_id(name, component_id)  # It may be written with blanks around the slash.
    )


def _same_id(name: str, component_id: ComponentId) -> bool:
    try:
        return ComponentId.parse(name) == component_id
    except ValueError:
        return False  # A problem of its own.


def _memory_limiter_first(view: _View) -> Iterator[Problem]:
    for index, (component_id, type_name) in enumerate(view.processors):
        if type_name == "memory_limiter" and index > 0:
            message = f"{component_id} stands behind {view.processors[0][0]}"
            yield view.problem("BR-2003", message, component_id)


def _batch_without_effect(view: _View) -> Iterator[Problem]:
    from_kafka_only = bool(view.receivers) and {kind for _, kind in view.receivers} == {"kafka"}
    to_kafka_only = bool(view.exporters) and {kind for _, kind in view.exporters} == {"kafka"}
    for index, (component_id, type_name) in enumerate(view.processors):
        options = view.options(component_id)
        if type_name != "batch" or options is None:
            continue
        following = view.processors[index + 1 :]
        gathering = [name for name, kind in following if kind in _GATHERING]
        if from_kafka_only and gathering:
            message = (
                f"{component_id} passes through, whatever its sizes: kafka already hands over "
                f"large batches, and {gathering[0]} keeps their records one by one"
            )
            yield view.problem("BR-2004", message, component_id)
        elif not following and to_kafka_only and not options.send_batch_max_size:
            message = f"{component_id} passes through: the kafka exporter joins by itself"
            yield view.problem("BR-2004", message, component_id)


def _gathering_twice(view: _View) -> Iterator[Problem]:
    gathering = [name for name, kind in view.processors if kind in _GATHERING]
    for component_id in gathering[1:]:
        yield view.problem("BR-2011", f"{component_id} stands behind {gathering[0]}", component_id)


def _sampling_without_kafka(view: _View) -> Iterator[Problem]:
    for component_id, type_name in view.processors:
        if type_name not in _GATHERING:
            continue
        for receiver_id, receiver_type in view.receivers:
            if receiver_type == "otlp":
                message = f"{component_id} is fed by {receiver_id} directly"
                yield view.problem("BR-2005", message, component_id)


def _traces_capped(view: _View) -> Iterator[Problem]:
    for component_id, type_name in view.processors:
        options = view.options(component_id)
        if type_name != "tail_sampling" or not getattr(options, "num_traces", 0):
            continue
        wait_s = getattr(options, "decision_wait", 30.0) or 1.0
        rate = options.num_traces / wait_s
        message = (
            f"{component_id} holds at most {options.num_traces} traces: above {rate:.0f} new "
            f"traces a second some are decided before decision_wait ({wait_s:g}s) is over"
        )
        yield view.problem("BR-2006", message, component_id)


def _removing_behind_batch(view: _View) -> Iterator[Problem]:
    batches = [name for name, kind in view.processors if kind == "batch"]
    if not batches:
        return
    names = [name for name, _ in view.processors]
    for component_id, type_name in view.processors:
        behind = names.index(component_id) > names.index(batches[0])
        # Before tail sampling a batch is a matter of its own (BR-2004).
        if type_name in _REMOVING - {"tail_sampling"} and behind:
            message = f"{component_id} stands behind {batches[0]}"
            yield view.problem("BR-2008", message, component_id)


_CHECKS: tuple[Callable[[_View], Iterator[Problem]], ...] = (
    _memory_limiter_first,
    _batch_without_effect,
    _sampling_without_kafka,
    _traces_capped,
    _gathering_twice,
    _removing_behind_batch,
)


def _authenticators(root: MapNode, components: Components, service: Service) -> Iterator[Problem]:
    running = {str(name) for name in service.extensions}
    for kind, type_by_id in components.by_kind.items():
        section = root.entries[kind].value if kind in root.entries else None
        if not isinstance(section, MapNode) or not any(type_by_id.values()):
            continue
        for path, node in walk(section, (kind,)):
            if path[-2:] != ("auth", "authenticator") or not isinstance(node, ScalarNode):
                continue
            if node.value is not None and node.text.strip() not in running:
                message = f"the authenticator {node.text} is not listed under service.extensions"
                dotted = ".".join(map(str, path))
                yield Problem("BR-1409", message, node.position, dotted)


def _component_hints(root: MapNode, components: Components) -> Iterator[Problem]:
    for kind, defined in components.by_kind.items():
        section = root.entries[kind].value if kind in root.entries else None
        for component in defined.values():
            if component is None or not isinstance(section, MapNode):
                continue
            entry = _entry(section, component.id)
            yield from _literal_secrets(component, entry.value)
            if kind == "receivers":
                yield from _listens_everywhere(component, entry.value)
            elif (kind, component.id.type) == ("extensions", "admin"):
                yield from _shows_everyone(component, entry.value)


def _literal_secrets(component: ComponentConfig, node: Node) -> Iterator[Problem]:
    for path, found in walk(node):
        if not isinstance(found, ScalarNode) or not found.text or found.position.via:
            continue
        if _is_secret(component.factory.config, path):
            dotted = ".".join(map(str, (component.kind, component.id, *path)))
            message = f"{dotted} is written out"
            yield Problem("BR-2007", message, found.position, dotted)


def _is_secret(model: Any, path: tuple[str | int, ...]) -> bool:
    # Headers are secrets by type, although most of them are none.
    words = ("password", "secret", "token", "pem", "authorization", "key")
    if not any(word in str(path[-1]).lower() for word in words):
        return False
    return any(is_secret(kind) for kind in at(model, path))


def _listens_everywhere(component: ComponentConfig, node: Node) -> Iterator[Problem]:
    secured = {path[:-2] for path, _ in walk(node) if path[-2:] == ("tls", "cert_file")}
    secured |= {path[:-2] for path, _ in walk(node) if path[-2:] == ("tls", "cert_pem")}
    for path, found in walk(node):
        if path[-1:] != ("endpoint",) or not isinstance(found, ScalarNode):
            continue
        if path[:-1] in secured:
            continue
        if _is_everywhere(found):
            dotted = ".".join(map(str, (component.kind, component.id, *path)))
            message = f"{dotted} listens on all interfaces without TLS"
            yield Problem("BR-2009", message, found.position, dotted)


def _shows_everyone(component: ComponentConfig, node: Node) -> Iterator[Problem]:
    for path, found in walk(node):
        if path == ("endpoint",) and _is_everywhere(found):
            dotted = f"{component.kind}.{component.id}.endpoint"
            message = f"{dotted} shows the status page on all interfaces"
            yield Problem("BR-2010", message, found.position, dotted)


def _is_everywhere(found: Node) -> bool:
    if not isinstance(found, ScalarNode) or not isinstance(found.value, str):
        return False
    return found.value.strip().startswith(_EVERYWHERE)
