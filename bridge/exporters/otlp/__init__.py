"""The ``otlp`` exporter: OTLP over gRPC to any backend."""

from bridge.core import ExporterFactory, Stability
from bridge.exporters.otlp.exporter import HeaderSource, OtlpExporter
from bridge.exporters.otlp.options import OtlpOptions

FACTORY = ExporterFactory(
    "otlp",
    config=OtlpOptions,
    create=OtlpExporter,
    stability=Stability.BETA,
    aliases=("otlp_grpc",),
)

__all__ = ["FACTORY", "OtlpExporter", "OtlpOptions", "HeaderSource"]
