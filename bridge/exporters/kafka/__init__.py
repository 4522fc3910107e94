"""Writes OTLP to Kafka: keyed, packed and acknowledged."""

from bridge.core import ExporterFactory, Settings, Signal, Stability
from bridge.exporters.kafka.config import KafkaExporterConfig
from bridge.exporters.kafka.exporter import KafkaExporter

__all__ = ["FACTORY", "KafkaExporter", "KafkaExporterConfig"]


def _create(
    config: KafkaExporterConfig, settings: Settings, signals: frozenset[Signal]
) -> KafkaExporter:
    return KafkaExporter(config, settings, signals)


FACTORY = ExporterFactory(
    type_name="kafka",
    config=KafkaExporterConfig,
    create=_create,
    stability=Stability.BETA,
)
"""Found by the entry point ``kafka``."""
