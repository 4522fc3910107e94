"""``otlp-bridge test`` and its cases."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bridge.cli.app import dispatch

Capture = pytest.CaptureFixture[str]

CONFIG = """
receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:0'}}}}
processors:
  filter/health: {trace_conditions: ['span.name == "GET /health"']}
  transform/now: {trace_statements: ['set(span.attributes["year"], Year(Now()))']}
  transform/wrong:
    error_mode: propagate
    trace_statements: ['set(span.attributes["n"], Len(span.attributes["i"]))']
exporters: {debug: }
service:
  pipelines:
    traces/x:
      receivers: [otlp]
      processors: [filter/health, transform/now]
      exporters: [debug]
"""
PASSING = """
cases:
  - name: health checks go
    processors: filter/health
    input: {resourceSpans: [{scopeSpans: [{spans: [{name: GET /health}]}]}]}
    expected: dropped
  - name: others stay
    processors: [filter/health]
    input: {resourceSpans: [{scopeSpans: [{spans: [{name: GET /}]}]}]}
    expected: unchanged
  - name: the whole pipeline, with a fixed clock
    pipeline: traces/x
    input: {resourceSpans: [{scopeSpans: [{spans: [{name: GET /}]}]}]}
    expected: {resourceSpans: [{scopeSpans: [{spans: [{name: GET /, attributes: {year: 2026}}]}]}]}
  - name: an int has no length
    processors: transform/wrong
    input: {resourceSpans: [{scopeSpans: [{spans: [{name: GET /, attributes: {i: 1}}]}]}]}
    expected: refused
"""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No logs: a logger that keeps this test's standard error would outlive it."""
    monkeypatch.setattr("bridge.telemetry.configure_logging", lambda options: None)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration with its passing cases beside it."""
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    (tmp_path / "config.tests.yaml").write_text(PASSING)
    return str(file)


def test_test_passing_cases_exit_with_success(config: str, capsys: Capture) -> None:
    """One line a case, and the sum."""

    assert dispatch(["test", config]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok  health checks go"
    assert lines[-1] == "4 passed, 0 failed"


def test_test_failing_case_shows_the_difference(config: str, capsys: Capture) -> None:
    """Lines that were expected are removed, those that came are added."""
    cases = Path(config).with_suffix(".tests.yaml")
    cases.write_text(PASSING.replace("year: 2026", "year: 1999"))

    assert dispatch(["test", config]) == 69
    lines = capsys.readouterr().out.splitlines()
    assert "FAILED  the whole pipeline, with a fixed clock" in lines
    assert [line.split()[-1] for line in lines if line[:2] in ("- ", "+ ")] == ["1999", "2026"]
    assert lines[-1] == "3 passed, 1 failed"


def test_test_json_has_the_same_facts(config: str, capsys: Capture) -> None:
    """For machines."""

    assert dispatch(["test", config, "--output", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], len(answer["cases"])) == (True, 4)


def test_test_input_may_be_a_file_beside_the_cases(config: str) -> None:
    """A name is relative to the file of cases."""
    folder = Path(config).parent
    (folder / "in.json").write_text(
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "GET /health"}]}]}]})
    )
    (folder / "more.yaml").write_text(
        "cases: [{name: a, processors: filter/health, input: in.json, expected: dropped}]"
    )

    assert dispatch(["test", config, "--cases", str(folder / "more.yaml")]) == 0


@pytest.mark.parametrize(
    "text",
    [
        "cases: [{name: a}]",
        "cases: [{name: a, processors: x, input: {}, expected: dropped}]",
        "cases: [{name: a, processors: x, input: none.json, expected: dropped}]",
        "cases: [",
    ],
)
def test_test_incomplete_case_is_wrong_usage(config: str, text: str, capsys: Capture) -> None:
    """The file or the case is named."""
    Path(config).with_suffix(".tests.yaml").write_text(text)

    assert dispatch(["test", config]) == 64
    assert "otlp-bridge: " in capsys.readouterr().err


def test_test_without_cases_is_wrong_usage(config: str) -> None:
    """Nothing tested must not look like success."""
    Path(config).with_suffix(".tests.yaml").unlink()

    assert dispatch(["test", config]) == 64
