"""
The page of all metrics, made from the table that the bridge counts by: ``python -m
bridge.telemetry.reference`` prints it, and a test holds ``docs/metrics.md`` to it.
"""

from collections.abc import Iterator

from bridge.telemetry.table import SECTIONS, Kind, MetricSpec

_HEAD = """\
# Metrics

What `/metrics` shows (`service.telemetry.metrics`, `localhost:8888` by default). Names that begin
with `otelcol_` are the Collector's, with its units and labels, so that its dashboards work; those
that begin with `bridge_` are ours. Counters carry no `_total`, as a Collector with its default
reader shows them. A series appears when its component is built or when its label value first
occurs. With `--workers N`, counters and histograms are sums over all processes, and gauges carry
the label `worker`.

This page is generated: `python -m bridge.telemetry.reference > docs/metrics.md`.
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    for title, specs in SECTIONS.items():
        yield f"## {title}\n"
        yield "| metric | type | unit | labels | meaning |"
        yield "|---|---|---|---|---|"
        yield from map(_row, specs)
        yield ""


def _row(spec: MetricSpec) -> str:
    labels = ", ".join(f"`{label}`" for label in spec.labels)
    unit = spec.unit or ("" if spec.kind is Kind.HISTOGRAM else "1")
    return f"| `{spec.name}` | {spec.kind.value} | {unit} | {labels} | {spec.meaning} |"


if __name__ == "__main__":
    print(page(), end="")
