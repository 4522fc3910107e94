"""Keys explained from the models."""

import pytest

from bridge.config import BrokenComponentError, UnknownKeyError, explain
from tests.unit.config.fakes import FakeFactories


@pytest.mark.parametrize(
    ("key", "path", "kind", "default"),
    [
        (
            "exporters.debug.timeout",
            "exporters.debug.timeout",
            "duration, such as 10s or 250ms",
            "5s",
        ),
        ("exporters.debug/x.port", "exporters.debug/x.port", "whole number", "1"),
        ("debug.password", "exporters.debug.password", "secret text", '""'),
        ("debug.topics", "exporters.debug.topics", "list of texts", "[spans]"),
        ("debug.mode", "exporters.debug.mode", "one of fast, safe", "safe"),
        ("debug.tls", "exporters.debug.tls", "section", "unset"),
        ("debug.tls.insecure", "exporters.debug.tls.insecure", "true or false", "false"),
        ("debug.policies.name", "exporters.debug.policies.name", "text", ""),
        ("debug.headers", "exporters.debug.headers", "map of secret texts", "{}"),
        (
            "service.telemetry.logs.level",
            "service.telemetry.logs.level",
            "one of debug, info, warn, error",
            "info",
        ),
    ],
)
def test_explain_key(key: str, path: str, kind: str, default: str) -> None:
    """Type and default come from the model; lists and component names are passed through."""
    found = explain(key, FakeFactories())

    assert (found.path, found.type, found.default) == (path, kind, default)
    assert found.meaning


def test_explain_section_lists_its_keys() -> None:
    """A component, a section and a list of sections have keys."""
    component = explain("exporters.needy", FakeFactories())
    rules = explain("debug.policies", FakeFactories())

    assert (component.type, component.meaning) == (
        "section",
        "Options with one that must be given.",
    )
    assert [(key.path, key.required) for key in component.keys] == [
        ("exporters.needy.endpoint", True)
    ]
    assert [key.path for key in rules.keys] == [
        "exporters.debug.policies.name",
        "exporters.debug.policies.rate",
    ]


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("", "name a key"),
        ("exporters", "debug, kafka"),
        ("exporter.debug", "exporters"),
        ("exporters.debg", "did you mean debug"),
        ("exporters.debug.tls.insecur", "did you mean insecure"),
        ("exporters.debug.tsl.insecure", "did you mean tls"),
        ("exporters.debug.port.x", "no keys below"),
        ("kafka.port", "receivers.kafka or exporters.kafka"),
        ("service.pipelines", "telemetry"),
        ("exporters.debug.zzz", "there is "),
    ],
)
def test_explain_unknown_key_names_the_nearest(key: str, part: str) -> None:
    """Advice instead of nothing."""
    with pytest.raises(UnknownKeyError, match=part):
        explain(key, FakeFactories())


def test_explain_broken_component_says_why() -> None:
    """A plugin that cannot be imported."""
    with pytest.raises(BrokenComponentError, match="missing"):
        explain("exporters.broken.x", FakeFactories())
