"""The pipelines as a picture: Mermaid for Markdown, DOT for Graphviz."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.config.loaded import LoadedConfig


@dataclass(frozen=True, slots=True)
class Graph:
    """
    Nodes by id with a label and a shape, grouped by pipeline, and edges between ids.

    Receivers and exporters stand outside of the groups, since pipelines share them.
    """

    groups: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    receivers: tuple[tuple[str, str], ...]
    exporters: tuple[tuple[str, str], ...]
    edges: tuple[tuple[str, str], ...]


def graph(config: LoadedConfig) -> Graph:
    """The picture of what the pipelines of *config* connect."""
    groups: list[tuple[str, tuple[tuple[str, str], ...]]] = []
    receivers: dict[str, str] = {}
    exporters: dict[str, str] = {}
    edges: dict[tuple[str, str], None] = {}
    for number, (pipeline_id, pipeline) in enumerate(config.pipelines.items()):
        members = tuple(
            (f"p{number}_{index}", str(name)) for index, name in enumerate(pipeline.processors)
        )
        # A pipeline without processors still is a place that data passes.
        members = members or ((f"p{number}", str(pipeline_id)),)
        groups.append((str(pipeline_id), members))
        sources = [_shared(receivers, "r", str(name)) for name in pipeline.receivers]
        sinks = [_shared(exporters, "e", str(name)) for name in pipeline.exporters]
        chain = [name for name, _ in members]
        for source in sources:
            edges[source, chain[0]] = None
        for pair in itertools.pairwise(chain):
            edges[pair] = None
        for sink in sinks:
            edges[chain[-1], sink] = None
    return Graph(
        tuple(groups),
        tuple((name, label) for label, name in receivers.items()),
        tuple((name, label) for label, name in exporters.items()),
        tuple(edges),
    )


def _shared(known: dict[str, str], letter: str, label: str) -> str:
    return known.setdefault(label, f"{letter}{len(known)}")


def to_mermaid(picture: Graph) -> str:
    """A Mermaid flowchart, as Markdown shows it in a code block ``mermaid``."""
    return "\n".join(_mermaid(picture))


def _mermaid(picture: Graph) -> Iterator[str]:
    yield "flowchart LR"
    for name, label in picture.receivers:
        yield f"  {name}([{_quoted(label)}])"
    for number, (title, members) in enumerate(picture.groups):
        yield f"  subgraph g{number}[{_quoted(title)}]"
        for name, label in members:
            yield f"    {name}[{_quoted(label)}]"
        yield "  end"
    for name, label in picture.exporters:
        yield f"  {name}([{_quoted(label)}])"
    for source, target in picture.edges:
        yield f"  {source} --> {target}"


def to_dot(picture: Graph) -> str:
    """A directed graph in Graphviz's language."""
    return "\n".join(_dot(picture))


def _dot(picture: Graph) -> Iterator[str]:
    yield "digraph pipelines {"
    yield "  rankdir=LR;"
    yield "  node [shape=box];"
    for name, label in (*picture.receivers, *picture.exporters):
        yield f"  {name} [label={_quoted(label)} shape=ellipse];"
    for number, (title, members) in enumerate(picture.groups):
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_quoted(title)};"
        for name, label in members:
            yield f"    {name} [label={_quoted(label)}];"
        yield "  }"
    for source, target in picture.edges:
        yield f"  {source} -> {target};"
    yield "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', "'")
    return f'"{escaped}"'
