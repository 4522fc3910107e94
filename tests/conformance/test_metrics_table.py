"""Every component that is installed counts under names that the table has."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

import pytest

from bridge.core import ComponentId, Settings, Signal, SystemClock
from bridge.service import Registry
from bridge.telemetry import MetricRegistry
from bridge.testing import FakeHost, FakeStage

CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "otlp": {"protocols": {"grpc": {}, "http": {}}},
    "exporters/otlp": {"endpoint": "localhost:4317"},
    "exporters/otlp_http": {"endpoint": "http://localhost:4318"},
    "file": {"path": "/tmp/never-written"},
    "memory_limiter": {"limit_mib": 100},
    "filter": {"trace_conditions": ['span.name == "x"']},
    "transform": {"trace_statements": ['set(span.name, "x")']},
    "attributes": {"actions": [{"key": "a", "action": "delete"}]},
    "resource": {"attributes": [{"key": "a", "action": "delete"}]},
    "probabilistic_sampler": {"sampling_percentage": 10},
    "bearertokenauth": {"token": "t"},
    "basicauth": {"client_auth": {"username": "u"}},
    "tail_sampling": {"policies": [{"name": "all", "type": "always_sample"}]},
}

REGISTRY = Registry()
ALL = [
    (kind, entry.name)
    for kind in ("receivers", "processors", "exporters", "extensions")
    for entry in entry_points(group=f"otlp_bridge.{kind}")
    if entry.value.startswith("bridge.")
]


@pytest.mark.parametrize(("kind", "name"), ALL)
async def test_component_asks_only_for_known_metrics(kind: str, name: str) -> None:
    """Built with the real registry, which refuses a name that the table does not have."""
    factory: Any = REGISTRY.factory(kind, name)
    own = CONFIGS.get(f"{kind}/{factory.type_name}", CONFIGS.get(factory.type_name, {}))
    config = factory.config.model_validate({} if f"{kind}/{name}" == "exporters/kafka" else own)
    settings = Settings(
        ComponentId(name), SystemClock(), MetricRegistry(), lambda status: None, FakeHost()
    )
    signal = Signal.TRACES
    arguments: dict[str, tuple[Any, ...]] = {
        "receivers": ({signal: FakeStage()},),
        "processors": (signal, FakeStage()),
        "exporters": (frozenset({signal}),),
        "extensions": (),
    }

    assert factory.create(config, settings, *arguments[kind]) is not None
