"""The ``file`` exporter: OTLP requests in a file, as lines of JSON or as protobuf."""

from bridge.core import ExporterFactory, Stability
from bridge.exporters.file.exporter import FileExporter
from bridge.exporters.file.options import FileOptions, Rotation

FACTORY = ExporterFactory("file", config=FileOptions, create=FileExporter, stability=Stability.BETA)

__all__ = ["FACTORY", "FileExporter", "FileOptions", "Rotation"]
