"""Components by entry point."""

import pytest

from bridge.service import Registry


def test_registry_names_types_of_every_kind() -> None:
    """The built-in components are found the way a plugin's are."""
    registry = Registry()

    assert {"otlp", "kafka"} <= set(registry.types("receivers"))
    assert {"batch", "filter", "tail_sampling"} <= set(registry.types("processors"))
    assert {"otlp", "otlphttp", "otlp_http", "kafka"} <= set(registry.types("exporters"))
    assert "health_check" in registry.types("extensions")


def test_registry_loads_a_factory() -> None:
    """A type is imported when it is asked for."""

    assert Registry().factory("extensions", "health_check").type_name == "health_check"


def test_registry_unknown_type_is_a_key_error() -> None:
    """What nobody installed is not there."""
    with pytest.raises(KeyError):
        Registry().factory("exporters", "carrier_pigeon")
