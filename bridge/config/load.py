"""From what the command line names to a checked configuration, with every problem at once."""

import difflib
from collections.abc import Mapping, Sequence

from bridge.config.components import Components, read_components
from bridge.config.errors import ConfigErrors
from bridge.config.hints import find_hints
from bridge.config.loaded import KINDS, ComponentConfig, FactorySource, LoadedConfig
from bridge.config.merging import merge, unflatten
from bridge.config.nodes import MapNode, ScalarNode, describe
from bridge.config.parsing import parse
from bridge.config.pipelines import read_service
from bridge.config.position import Position, Source
from bridge.config.problems import Problem
from bridge.config.sources import read_set, read_source
from bridge.config.substitution import substitute
from bridge.core import ComponentId

SECTIONS = (*KINDS, "service")


def load(
    sources: Sequence[str],
    sets: Sequence[str],
    factories: FactorySource,
    environment: Mapping[str, str],
) -> LoadedConfig:
    """
    Read, merge and check a configuration.

    Args:
        sources:
            Values of --config, later ones laid over earlier ones: paths, ``file:``, ``env:`` or
            ``yaml:``.
        sets:
            Values of --set, ``a.b=c`` or ``a::b=c``, laid over all sources.
        factories:
            Component types. Only those that the configuration names are asked for.
        environment:
            Where ``${env:NAME}`` looks.

    Raises:
        ConfigErrors: If it cannot be run; with everything that is wrong, warnings included. What
            lies behind an error that hides it, such as invalid YAML, is found in the next run.
    """
    root, problems = _read(sources, sets, environment)
    if root is None:
        raise ConfigErrors(problems)
    root, unresolved = substitute(root, environment)
    problems += unresolved
    problems += _unknown_sections(root)
    components = read_components(root, factories)
    service = read_service(root, components)
    problems += components.problems + service.problems
    problems += find_hints(root, components, service, all_resolved=not unresolved)
    if any(problem.is_error for problem in problems):
        raise ConfigErrors(problems)
    return LoadedConfig(
        receivers=_sound(components, "receivers"),
        processors=_sound(components, "processors"),
        exporters=_sound(components, "exporters"),
        extensions={
            name: component
            for name in service.extensions
            if (component := components.by_kind["extensions"][name])
        },
        pipelines=service.pipelines,
        telemetry=service.telemetry,
        warnings=tuple(problems),
        tree=root,
    )


def _sound(components: Components, kind: str) -> dict[ComponentId, ComponentConfig]:
    return {name: found for name, found in components.by_kind[kind].items() if found}


def _read(
    sources: Sequence[str], sets: Sequence[str], environment: Mapping[str, str]
) -> tuple[MapNode | None, list[Problem]]:
    """All sources and options in one tree; `None` when one of them cannot be read."""
    problems: list[Problem] = []
    root = MapNode({}, Position(Source("--config", ""), 1, 1))
    broken = not sources
    if not sources:
        problems.append(Problem("BR-1001", "no configuration is named", hint="add --config FILE"))
    for uri in sources:
        part, found = _read_one(uri, environment)
        problems += found
        if part is None:
            broken = True
        else:
            root = merge(root, unflatten(part))
    for option in sets:
        part, found = read_set(option)
        problems += found
        if part is None:
            broken = True
        else:
            root = merge(root, part)
    return None if broken else root, problems


def _read_one(uri: str, environment: Mapping[str, str]) -> tuple[MapNode | None, list[Problem]]:
    source = read_source(uri, environment)
    if isinstance(source, Problem):
        return None, [source]
    node, problems = parse(source)
    start = Position(source, 1, 1)
    if isinstance(node, MapNode):
        return node, problems
    if node is None and problems:
        return None, problems
    if node is None or (isinstance(node, ScalarNode) and node.value is None):
        return MapNode({}, start), problems
    message = f"the configuration is {describe(node)}, a map of sections is expected"
    return None, [*problems, Problem("BR-1009", message, node.position)]


def _unknown_sections(root: MapNode) -> list[Problem]:
    problems: list[Problem] = []
    for key, entry in root.entries.items():
        if key == "connectors":
            empty = isinstance(entry.value, ScalarNode) and entry.value.value is None
            if not empty:
                problems.append(Problem("BR-1206", "connectors are not supported", entry.key, key))
        elif key not in SECTIONS:
            near = difflib.get_close_matches(key, SECTIONS, 1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else ""
            problems.append(
                Problem("BR-1201", f"unknown section {key}", entry.key, key, hint, SECTIONS)
            )
    return problems
