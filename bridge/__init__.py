"""OTLP in, Kafka keyed by trace id, processors behind a consumer group, OTLP out."""

__version__: str

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """The version, looked up when it is asked for: reading a distribution's metadata is slow."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bridge.core import installed_version

    # A source tree that was never installed has none.
    found = globals()["__version__"] = installed_version("otlp-kafka-bridge") or "0.0.0"
    return found
