"""``otlp-bridge explain-trace``"""

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.cli.app import dispatch

CONFIG = """
receivers:
  kafka: {brokers: ["localhost:9092"], traces: {topics: [otlp_spans]}}
processors:
  tail_sampling:
    policies:
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: slow, type: latency, latency: {threshold_ms: 2000}}
      - name: health
        type: drop
        drop:
          drop_sub_policy:
            - {name: path, type: string_attribute, string_attribute: {key: path, values: [/hz]}}
exporters:
  otlp: {endpoint: "localhost:14317", tls: {insecure: true}}
service:
  pipelines:
    traces: {receivers: [kafka], processors: [tail_sampling], exporters: [otlp]}
"""


def span(trace: str, **fields: Any) -> dict[str, Any]:
    """A span of a trace that is named by one hexadecimal digit."""
    return {"traceId": trace * 32, "spanId": "1" * 16, "name": "x", **fields}


@pytest.fixture
def explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the verb on spans and gives its exit code and output."""
    config = tmp_path / "bridge.yaml"
    config.write_text(CONFIG)

    def run(*spans: dict[str, Any], output: str = "json", processor: str = "") -> tuple[int, str]:
        request = tmp_path / "request.json"
        groups = [{"scopeSpans": [{"spans": [one]}]} for one in spans]
        request.write_text(json.dumps({"resourceSpans": groups}))
        words = ["explain-trace", "--config", str(config), "--request", str(request)]
        words += ["--processor", processor] if processor else []
        code = dispatch([*words, "--output", output])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


def test_each_policy_tells_its_opinion_of_the_whole_trace(explain: Any) -> None:
    """The halves of a trace are judged together; who settles it is named."""
    halves = (
        span("a", startTimeUnixNano="1", endTimeUnixNano="2"),
        span("a", startTimeUnixNano="1", endTimeUnixNano="3000000001", status={"code": 2}),
    )
    code, text = explain(*halves)
    (trace,) = json.loads(text)["traces"]

    assert code == 0
    assert (trace["spans"], trace["decision"], trace["by"]) == (2, "sampled", "errors")
    assert [(one["policy"], one["says"]) for one in trace["opinions"]] == [
        ("health", "not_sampled"),
        ("errors", "sampled"),
        ("slow", "sampled"),
    ]


def test_drop_beats_what_others_sample(explain: Any) -> None:
    """As in the pipeline."""
    _, text = explain(span("b", attributes={"path": "/hz"}, status={"code": 2}), span("c"))
    dropped, kept_by_none = json.loads(text)["traces"]

    assert (dropped["decision"], dropped["by"]) == ("dropped", "health")
    assert (kept_by_none["decision"], kept_by_none["by"]) == ("not_sampled", "")


def test_table_names_the_settings_that_a_policy_goes_by(explain: Any) -> None:
    """The reader sees why without the file."""
    code, text = explain(span("d", status={"code": 2}), output="text")

    assert code == 0
    assert f"trace {'d' * 32}, 1 span: sampled by errors" in text
    assert "threshold_ms: 2000" in text


def test_processor_that_does_not_exist_is_told(explain: Any) -> None:
    """With those that do."""
    code, text = explain(span("e"), processor="tail_sampling/other")

    assert code == 78
    assert "there is tail_sampling" in text
