"""Whole configurations with fake components."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.config import ConfigErrors, LoadedConfig, PipelineId, load
from bridge.core import ComponentId, Signal
from tests.unit.config.fakes import FakeFactories, Letter

BASE = """
receivers: {otlp: {endpoint: 'a:1'}}
exporters: {debug: }
service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}
"""


def _load(*texts: str, sets: Sequence[str] = (), **environment: str) -> LoadedConfig:
    return load([f"yaml:{text}" for text in texts], sets, FakeFactories(), environment)


def _codes(*texts: str, sets: Sequence[str] = (), **environment: str) -> list[str]:
    """Codes of everything found, warnings included."""
    try:
        problems = _load(*texts, sets=sets, **environment).warnings
    except ConfigErrors as error:
        problems = error.problems
    return [problem.code for problem in problems]


def test_load_gives_components_and_pipelines() -> None:
    """Ids, factories, options and the order of a pipeline."""
    config = _load(
        """
        receivers: {otlp: {endpoint: 'a:1'}, kafka/in: }
        processors: {batch: {send_batch_max_size: 5}, filter/x y: }
        exporters: {debug: , kafka: {timeout: 1s}}
        extensions: {health_check: , health_check/b: {port: 5}}
        service:
          extensions: [health_check/b, health_check]
          pipelines:
            traces/in: {receivers: [otlp], processors: [filter/x y, batch], exporters: [kafka]}
            logs: {receivers: [otlp, kafka/in], exporters: [debug, kafka]}
        """
    )
    traces = config.pipelines[PipelineId(Signal.TRACES, "in")]

    assert [str(name) for name in config.pipelines] == ["traces/in", "logs"]
    assert list(traces.processors) == [ComponentId("filter", "x y"), ComponentId("batch")]
    assert [str(name) for name in config.extensions] == ["health_check/b", "health_check"]
    assert config.component("exporters", ComponentId("kafka")).options.timeout == 1.0
    assert config.component("receivers", ComponentId("kafka", "in")).options == Letter()
    assert config.component("processors", ComponentId("batch")).factory.type_name == "batch"
    assert str(config.receivers[ComponentId("otlp")].position) == "yaml::2:21"
    assert config.warnings == ()


def test_load_component_that_is_not_there_is_a_key_error() -> None:
    """Asking for an id that is not configured."""
    with pytest.raises(KeyError):
        _load(BASE).component("exporters", ComponentId("kafka"))


def test_load_merges_sources_and_sets() -> None:
    """Later sources win, --set wins over all, :: works at the top level."""
    config = _load(
        BASE,
        "receivers: {otlp: {port: 7}}",
        "receivers::otlp::mode: fast",
        sets=["receivers.otlp.timeout=9s", "exporters::debug::port=3"],
    )
    otlp = config.receivers[ComponentId("otlp")].options

    assert (otlp.endpoint, otlp.port, otlp.mode, otlp.timeout) == ("a:1", 7, "fast", 9.0)
    assert config.exporters[ComponentId("debug")].options.port == 3


def test_load_follows_references_after_merging() -> None:
    """A reference that another source replaces is never followed."""
    config = _load(BASE, "receivers: {otlp: {port: '${NONE}'}}", "receivers: {otlp: {port: 2}}")

    assert config.receivers[ComponentId("otlp")].options.port == 2


def test_load_alias_is_the_same_factory() -> None:
    """Another name of a type keeps its own id."""
    config = _load(
        BASE,
        "exporters: {poor/x: {endpoint: a}}",
        "service::pipelines::traces::exporters: [poor/x]",
    )
    component = config.exporters[ComponentId("poor", "x")]

    assert component.factory.type_name == "needy"


def test_load_collects_problems_of_all_sections() -> None:
    """One run finds them all, errors before warnings, each by line."""
    text = """
receivers: {otlp: {prt: 1}}
processors: {btch: }
exporters: {debug: {port: x}, kafka: {endpoint: '${A}'}}
exporter: {}
service:
  pipelines: {traces: {receivers: [otlp], processors: [nope], exporters: [debug]}}
  telemetry: {resource: {}}
"""
    with pytest.raises(ConfigErrors) as caught:
        _load(text)

    assert [problem.code for problem in caught.value.problems] == [
        "BR-1301",
        "BR-1204",
        "BR-1302",
        "BR-1101",
        "BR-1201",
        "BR-1406",
        "BR-2002",
    ]
    assert "6 errors, 1 warning" in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "codes"),
    [
        (["a: ["], ["BR-1002"]),
        (["a: [", "b: ["], ["BR-1002", "BR-1002"]),
        (["- a"], ["BR-1009"]),
        ([""], ["BR-1401"]),
        (["receivers: {otlp: }\nservice: 5"], ["BR-1202"]),
        (["exporters: {broken: }", BASE], ["BR-1208"]),
        (["connectors: {a: }", BASE], ["BR-1206"]),
        (["connectors: ", BASE], []),
        (["receivers: {debug: }", BASE], ["BR-1205"]),
        (["exporters: {zipkin: }", BASE], ["BR-1207"]),
        (["processors: ", BASE], []),
        (["processors: 5", BASE], ["BR-1202"]),
    ],
)
def test_load_broken_text_has_its_code(texts: list[str], codes: list[str]) -> None:
    """Reading, sections and components."""

    assert _codes(*texts) == codes


def test_load_without_a_source_says_so() -> None:
    """The first mistake that people make."""
    with pytest.raises(ConfigErrors, match="add --config FILE"):
        load([], [], FakeFactories(), {})


def test_load_missing_file_and_bad_set_are_both_reported(tmp_path: Path) -> None:
    """Even what cannot be read at all is collected."""
    with pytest.raises(ConfigErrors) as caught:
        load([str(tmp_path / "a.yaml")], ["x"], FakeFactories(), {})

    assert [problem.code for problem in caught.value.problems] == ["BR-1001", "BR-1008"]


@pytest.mark.parametrize(
    ("pipelines", "codes"),
    [
        ("traces/a: {receivers: [otlp], exporters: [debug]}", []),
        ("traces/: {receivers: [otlp], exporters: [debug]}", ["BR-1402"]),
        ("trace: {receivers: [otlp], exporters: [debug]}", ["BR-1402"]),
        ("profiles: {receivers: [otlp], exporters: [debug]}", ["BR-1403"]),
        ("traces: ", ["BR-1404", "BR-1405"]),
        ("traces: 5", ["BR-1202"]),
        ("traces: {receivers: [otlp], exporters: [debug], x: 1}", ["BR-1301"]),
        ("traces: {receivers: [otlp], exporters: debug}", ["BR-1202"]),
        ("traces: {receivers: [otlp], exporters: {}}", ["BR-1202"]),
        ("traces: {receivers: [otlp, ~], exporters: [debug]}", ["BR-1202"]),
        ("traces: {receivers: [otlp, [a]], exporters: [debug]}", ["BR-1202"]),
        ("traces: {receivers: [otlp, /a], exporters: [debug]}", ["BR-1203"]),
        ("traces: {receivers: [otlp, debug], exporters: [debug]}", ["BR-1406"]),
        ("traces: {receivers: [otlp, otlp], exporters: [debug]}", ["BR-1407"]),
        ("traces: {receivers: ['${A}'], exporters: [debug]}", ["BR-1101"]),
        ("traces: {receivers: '${A}', exporters: [debug]}", ["BR-1101"]),
        ("traces: {receivers: '${B}', exporters: ['${C}']}", []),
    ],
)
def test_load_pipeline_problems(pipelines: str, codes: list[str]) -> None:
    """Names, keys, lists and references."""
    text = f"""
receivers: {{otlp: }}
exporters: {{debug: }}
service: {{pipelines: {{{pipelines}}}}}
"""

    assert _codes(text, B="[otlp]", C="debug") == codes


def test_load_signal_that_is_not_supported_is_an_error() -> None:
    """The sampler of the fakes takes traces only."""
    text = """
processors: {tail_sampling: }
service::pipelines::logs: {receivers: [otlp], processors: [tail_sampling], exporters: [debug]}
"""

    assert _codes(BASE, text) == ["BR-1408", "BR-2005"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("service: ", ["BR-1401"]),
        ("service: {pipelines: }", ["BR-1401"]),
        ("service: {pipelines: {}}", ["BR-1401"]),
        ("service: {pipelines: []}", ["BR-1202"]),
        (
            (
                "service: {extensions: [health_check]}\n"
                "service::pipelines::traces: {receivers: [otlp], exporters: [debug]}"
            ),
            ["BR-1406"],
        ),
        (
            "service: {extension: , pipelines: {traces: {receivers: [otlp], exporters: [debug]}}}",
            ["BR-1201"],
        ),
    ],
)
def test_load_service_problems(text: str, codes: list[str]) -> None:
    """What stands in the service section besides pipelines."""

    assert _codes(f"receivers: {{otlp: }}\nexporters: {{debug: }}\n{text}") == codes


def test_load_undefined_reference_advises() -> None:
    """The nearest name, the section where it is, or that it must be defined."""
    text = """
receivers: {otlp: }
exporters: {debug: }
service: {pipelines: {traces: {receivers: [oltp, debug, zzz], exporters: [debug]}}}
"""
    with pytest.raises(ConfigErrors) as caught:
        _load(text)

    assert [problem.fix for problem in caught.value.problems] == [
        "did you mean otlp?",
        "debug is defined under exporters, not under receivers",
        "define zzz under receivers: at the left margin",
    ]
