"""OTLP in, Kafka keyed by trace id, processors behind a consumer group, OTLP out."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("otlp-kafka-bridge")
except PackageNotFoundError:  # A source tree that was never installed.
    __version__ = "0.0.0"

__all__ = ["__version__"]
