"""OTLP in, Kafka keyed by trace id, processors behind a consumer group, OTLP out."""

__version__: str

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """The version, looked up when it is asked for: reading a distribution's metadata is slow."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("otlp-kafka-bridge")
    except PackageNotFoundError:  # A source tree that was never installed.
        found = "0.0.0"
    globals()["__version__"] = found
    return found
