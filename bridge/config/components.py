"""The four sections of components."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.config.collector import COLLECTOR_TYPES, is_collector_key
from bridge.config.decoding import Section, decode
from bridge.config.factories import BrokenComponentError, load_factory
from bridge.config.loaded import KINDS, ComponentConfig, FactorySource
from bridge.config.nodes import Entry, MapNode, Node, Path, ScalarNode, describe
from bridge.config.problems import Problem
from bridge.core import ComponentId
from bridge.core.contracts import AnyFactory

Defined = Mapping[ComponentId, ComponentConfig | None]
"""All ids of a section; `None` for a component whose own section has errors."""


@dataclass(slots=True)
class Components:
    """What the sections define, and what is wrong with them."""

    by_kind: dict[str, dict[ComponentId, ComponentConfig | None]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_components(root: MapNode, factories: FactorySource) -> Components:
    """Read every component that is defined, also those that no pipeline uses."""
    result = Components()
    for kind in KINDS:
        result.by_kind[kind] = {}
        entry = root.entries.get(kind)
        if entry is not None:
            _Reader(kind, factories, result).section(entry)
    return result


@dataclass(slots=True)
class _Reader:
    kind: str
    factories: FactorySource
    result: Components

    def section(self, entry: Entry) -> None:
        node = entry.value
        if isinstance(node, ScalarNode) and node.value is None:
            return
        if not isinstance(node, MapNode):
            message = f"{self.kind} is {describe(node)}, a map of components is expected"
            self._report("BR-1202", message, node, self.kind)
            return
        for name, component in node.entries.items():
            self._component(name, component)

    def _component(self, name: str, entry: Entry) -> None:
        try:
            component_id = ComponentId.parse(name)
        except ValueError as error:
            self._report("BR-1203", str(error), entry, self.kind)
            return
        self.result.by_kind[self.kind][component_id] = None
        factory = self._factory(component_id, entry)
        if factory is None:
            return

        def is_foreign(path: Path, key: str) -> bool:
            return is_collector_key(self.kind, factory.type_name, path, key)

        section = Section((self.kind, name), entry.key, entry.value)
        options, problems = decode(section, factory.config, is_foreign)
        self.result.problems.extend(problems)
        if options is not None:
            self.result.by_kind[self.kind][component_id] = ComponentConfig(
                component_id, self.kind, factory, options, entry.key
            )

    def _factory(self, component_id: ComponentId, entry: Entry) -> AnyFactory | None:
        type_name = component_id.type
        path = f"{self.kind}.{component_id}"
        if type_name not in self.factories.types(self.kind):
            self._unknown(type_name, entry, path)
            return None
        try:
            return load_factory(self.factories, self.kind, type_name)
        except BrokenComponentError as error:
            self._report("BR-1208", str(error), entry, path)
            return None

    def _unknown(self, type_name: str, entry: Entry, path: str) -> None:
        known = self.factories.types(self.kind)
        singular = self.kind.removesuffix("s")
        article = "an" if singular[0] in "aeiou" else "a"
        for other in KINDS:
            if other != self.kind and type_name in self.factories.types(other):
                message = f"{type_name} is no {singular}"
                hint = f"move {type_name} to {other}"
                self._report("BR-1205", message, entry, path, hint, tuple(known))
                return
        if type_name in COLLECTOR_TYPES.get(self.kind, ()):
            message = f"{type_name} is {article} {singular} of the Collector that the bridge lacks"
            self._report("BR-1207", message, entry, path, allowed=tuple(known))
            return
        near = difflib.get_close_matches(type_name, known, 1, cutoff=0.7)
        hint = f"did you mean {near[0]}?" if near else ""
        message = f"there is no {singular} of type {type_name}"
        self._report("BR-1204", message, entry, path, hint, tuple(known))

    def _report(
        self,
        code: str,
        message: str,
        place: Entry | Node,
        path: str,
        hint: str = "",
        allowed: tuple[str, ...] = (),
    ) -> None:
        position = place.key if isinstance(place, Entry) else place.position
        self.result.problems.append(Problem(code, message, position, path, hint, allowed))
