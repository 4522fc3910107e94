"""Pictures of pipelines."""

from bridge.config import Graph, graph, load, to_dot, to_mermaid
from tests.unit.config.fakes import FakeFactories

TEXT = """
receivers: {otlp: , kafka: }
processors: {batch: , filter: }
exporters: {debug: , kafka: }
service:
  pipelines:
    traces/in: {receivers: [otlp], processors: [batch, filter], exporters: [kafka]}
    logs: {receivers: [otlp, kafka], exporters: [debug, kafka]}
"""


def _graph() -> Graph:
    return graph(load([f"yaml:{TEXT}"], [], FakeFactories(), {}))


def test_graph_shares_receivers_and_exporters() -> None:
    """Each stands once; a receiver and an exporter of one name are two."""
    picture = _graph()

    assert [label for _, label in picture.receivers] == ["otlp", "kafka"]
    assert [label for _, label in picture.exporters] == ["kafka", "debug"]
    assert [title for title, _ in picture.groups] == ["traces/in", "logs"]
    assert picture.edges == (
        ("r0", "p0_0"),
        ("p0_0", "p0_1"),
        ("p0_1", "e0"),
        ("r0", "p1"),
        ("r1", "p1"),
        ("p1", "e1"),
        ("p1", "e0"),
    )


def test_graph_as_mermaid() -> None:
    """A flowchart with a box for each pipeline."""
    lines = to_mermaid(_graph()).splitlines()

    assert lines[0] == "flowchart LR"
    assert '  r0(["otlp"])' in lines
    assert '  subgraph g0["traces/in"]' in lines
    assert "  p0_0 --> p0_1" in lines


def test_graph_as_dot() -> None:
    """The same for Graphviz."""
    lines = to_dot(_graph()).splitlines()

    assert (lines[0], lines[-1]) == ("digraph pipelines {", "}")
    assert '    label="traces/in";' in lines
    assert "  p0_0 -> p0_1;" in lines


def test_graph_quotes_names() -> None:
    """No name can end its own label."""
    picture = Graph((), (("r0", 'a"b\\'),), (), ())

    assert '"a\'b\\\\"' in to_dot(picture)
