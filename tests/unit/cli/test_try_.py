"""``otlp-bridge try`` and what it is made of."""

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
  transform/tier: {trace_statements: ['set(span.attributes["tier"], "web")']}
  transform/wrong:
    error_mode: propagate
    trace_statements: ['set(span.attributes["n"], Len(span.attributes["i"]))']
  transform/lenient: {trace_statements: ['set(span.attributes["n"], Len(span.attributes["i"]))']}
  batch: {timeout: 5s}
exporters: {debug: }
service:
  pipelines:
    traces/x:
      receivers: [otlp]
      processors: [filter/health, transform/tier, transform/wrong, transform/lenient, batch]
      exporters: [debug]
"""
SPANS = [{"name": "GET /health", "attributes": {"i": 1}}, {"name": "GET /", "attributes": {"i": 2}}]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No logs: a logger that keeps this test's standard error would outlive it."""
    monkeypatch.setattr("bridge.telemetry.configure_logging", lambda options: None)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration with processors to try."""
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    return str(file)


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    """A request with two spans."""
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": SPANS}]}]}))
    return str(file)


def tried(config: str, request_file: str, *words: str) -> int:
    """The exit code of the verb."""
    return dispatch(["try", config, "--request", request_file, *words])


def test_try_shows_what_a_processor_changed(
    config: str, request_file: str, capsys: Capture
) -> None:
    """The new attribute, at the span that got it."""

    assert tried(config, request_file, "--processor", "transform/tier") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '@@ span 1 "GET /health"'
    assert [line.split() for line in lines if line.startswith("+")] == [["+", "tier:", '"web"']] * 2
    assert lines[-1] == "2 in, 2 out, changed as shown"


def test_try_processors_follow_each_other(config: str, request_file: str, capsys: Capture) -> None:
    """The second one sees what the first one left; a processor that waits needs no time."""
    words = ("-p", "filter/health", "-p", "transform/tier", "-p", "batch", "--output", "json")

    assert tried(config, request_file, *words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["items_before"], answer["items_after"]) == (2, 1)
    (span,) = answer["request"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert [one["key"] for one in span["attributes"]] == ["i", "tier"]


def test_try_unchanged_request_says_so(config: str, request_file: str, capsys: Capture) -> None:
    """No difference is an answer too."""

    assert tried(config, request_file, "-p", "batch") == 0
    assert capsys.readouterr().out == "2 in, 2 out, unchanged\n"


def test_try_failing_statement_is_counted(config: str, request_file: str, capsys: Capture) -> None:
    """With error_mode ignore the request goes on, and the statement is named."""

    assert tried(config, request_file, "-p", "transform/lenient") == 0
    assert "failed on 2 of them: set(span.attributes" in capsys.readouterr().out


def test_try_refused_request_fails(config: str, request_file: str, capsys: Capture) -> None:
    """With error_mode propagate the sender would get this message."""

    assert tried(config, request_file, "-p", "transform/wrong") == 69
    assert "an int has no length" in capsys.readouterr().out


def test_try_unknown_processor_is_wrong_usage(
    config: str, request_file: str, capsys: Capture
) -> None:
    """The message lists those there are."""

    assert tried(config, request_file, "-p", "filter/nope") == 64
    assert "there is no processor filter/nope; there is filter/health" in capsys.readouterr().err


def test_try_without_a_request_is_wrong_usage(config: str, tmp_path: Path) -> None:
    """What is no JSON, or no file."""
    file = tmp_path / "broken.json"
    file.write_text("{")

    assert tried(config, str(file), "-p", "batch") == 64
    assert tried(config, str(tmp_path / "missing.json"), "-p", "batch") == 64
