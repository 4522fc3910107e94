"""Values in force with their origins."""

from bridge.config import LoadedConfig, load, to_tree, to_yaml, values
from tests.unit.config.fakes import FakeFactories

TEXT = """
receivers: {otlp: {endpoint: '${A}', password: '${P}', topics: [a, b]}}
processors: {filter: {headers: {x-a: secret}, policies: [{name: one}, {name: two, rate: 0.5}]}}
exporters: {debug: }
extensions: {health_check: }
service:
  extensions: [health_check]
  telemetry: {logs: {level: debug}}
  pipelines: {traces: {receivers: [otlp], processors: [filter], exporters: [debug]}}
"""


def _config() -> LoadedConfig:
    return load(
        [f"yaml:{TEXT}"],
        ["receivers.otlp.timeout=90s"],
        FakeFactories(),
        {"A": "h:1", "P": "hunter2"},
    )


def test_values_know_their_origins() -> None:
    """A file with the line, a reference, an option, or the default."""
    found = {value.path: (value.value, value.origin) for value in values(_config())}

    assert found["receivers", "otlp", "endpoint"] == ("h:1", "yaml::2 (${A})")
    assert found["receivers", "otlp", "timeout"] == ("90s", "--set receivers.otlp.timeout=90s")
    assert found["receivers", "otlp", "port"] == (1, "default")
    assert found["receivers", "otlp", "topics", 1] == ("b", "yaml::2")
    assert found["exporters", "debug", "topics", 0] == ("spans", "default")
    assert found["exporters", "debug", "file"] == ("data", "default")
    assert found["exporters", "debug", "headers"] == ({}, "default")
    assert found["processors", "filter", "policies", 1, "rate"] == (0.5, "yaml::3")
    assert found["service", "extensions", 0] == ("health_check", "yaml::7")
    assert found["service", "telemetry", "logs", "level"] == ("debug", "yaml::8")
    assert found["service", "telemetry", "metrics", "address"] == ("localhost:8888", "default")
    assert found["service", "pipelines", "traces", "processors", 0] == ("filter", "yaml::9")


def test_values_hide_secrets() -> None:
    """Unless asked for; an empty secret is none."""
    hidden = {value.path: value.value for value in values(_config())}
    shown = {value.path: value.value for value in values(_config(), redacted=False)}

    assert hidden["receivers", "otlp", "password"] == "********"
    assert hidden["processors", "filter", "headers", "x-a"] == "********"
    assert hidden["exporters", "debug", "password"] == ""
    assert shown["receivers", "otlp", "password"] == "hunter2"


def test_values_as_yaml_are_the_same_configuration() -> None:
    """What is printed can be read again, and has the same values."""
    config = _config()
    found = list(values(config, redacted=False))
    text = to_yaml(found, origin=True)
    again = load([f"yaml:{text}"], [], FakeFactories(), {})

    assert again.receivers.keys() == config.receivers.keys()
    for name, component in config.receivers.items():
        assert again.receivers[name].options == component.options
    for name, component in config.processors.items():
        assert again.processors[name].options == component.options
    assert again.pipelines == config.pipelines
    assert again.telemetry == config.telemetry
    assert "# yaml::2 (${A})" in text


def test_values_as_a_tree_have_lists() -> None:
    """For JSON."""
    tree = to_tree(list(values(_config())))

    assert tree["service"]["extensions"] == ["health_check"]  # type: ignore[index]  # a tree
    assert tree["processors"]["filter"]["policies"][1] == {"name": "two", "rate": 0.5}  # type: ignore[index]


def test_values_without_metrics_say_none() -> None:
    """What switches them off is a value too."""
    text = TEXT.replace("{logs: {level: debug}}", "{metrics: {level: none}}")
    config = load([f"yaml:{text}"], [], FakeFactories(), {"A": "h:1", "P": "p"})
    found = {value.path: (value.value, value.origin) for value in values(config)}

    assert found["service", "telemetry", "metrics", "level"] == ("none", "yaml::8")
