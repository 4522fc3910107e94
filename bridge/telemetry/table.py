"""Every metric that the bridge shows, with unit, labels and meaning."""

from bridge.telemetry.metric_spec import ITEMS, Kind, MetricSpec, Row
from bridge.telemetry.rows_kafka import KAFKA_EXPORTER, KAFKA_RECEIVER
from bridge.telemetry.rows_pipeline import EXPORTERS, LEDGER, PROCESS, PROCESSORS, RECEIVERS
from bridge.telemetry.rows_tail_sampling import GATHERING, GROUP_BY_TRACE, TAIL_SAMPLING

__all__ = ["METRICS", "SECTIONS", "Kind", "MetricSpec"]


def _specs(rows: tuple[Row, ...]) -> list[MetricSpec]:
    specs = []
    for name, kind, meaning, unit, labels, bounds in rows:
        names = [name.format(items=noun) for noun in ITEMS] if "{items}" in name else [name]
        specs += [MetricSpec(each, kind, meaning, unit, labels, bounds) for each in names]
    return specs


SECTIONS: dict[str, list[MetricSpec]] = {
    "Receivers": _specs(RECEIVERS),
    "Kafka receiver": _specs(KAFKA_RECEIVER),
    "Processors": _specs(PROCESSORS),
    "Tail sampling": _specs(TAIL_SAMPLING),
    "Gathering traces": _specs((*GATHERING, *GROUP_BY_TRACE)),
    "Exporters": _specs(EXPORTERS),
    "Kafka exporter": _specs(KAFKA_EXPORTER),
    "Ledger": _specs(LEDGER),
    "Process": _specs(PROCESS),
}
"""The table in the order of the data."""

METRICS: dict[str, MetricSpec] = {spec.name: spec for specs in SECTIONS.values() for spec in specs}
"""The table by name. Counters carry no ``_total``: see `bridge/telemetry/exposition.py`."""
