"""``otlp-bridge rehearse`` as far as it goes without brokers; see tests/integration too."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.cli.app import dispatch

CONFIG = """
receivers:
  kafka: {brokers: ["localhost:9092"], traces: {topics: [RECEIVED]}}
processors:
  tail_sampling: {policies: [{name: all, type: always_sample}]}
exporters:
  nop: {}
service:
  pipelines:
    traces: {receivers: [kafka], processors: [tail_sampling], exporters: [nop]}
"""

Rehearse = Callable[..., tuple[int, str]]


@pytest.fixture
def rehearse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Rehearse:
    """Runs the verb on a configuration and gives its exit code and errors."""

    def run(*words: str, topic: str = "otlp_spans", text: str = CONFIG) -> tuple[int, str]:
        config = tmp_path / "bridge.yaml"
        config.write_text(text.replace("RECEIVED", topic))
        code = dispatch(["rehearse", "--config", str(config), *words])
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--since", "soon"), "--since soon"),
        (("--since", "0s"), "how far back"),
        (("--processor", "tail_sampling/other"), "there is tail_sampling"),
        (("--receiver", "kafka/other"), "there is kafka"),
    ],
)
def test_rehearse_says_what_is_meant_wrongly(
    rehearse: Rehearse, words: tuple[str, ...], told: str
) -> None:
    """And exits as for any configuration that cannot be used."""
    code, error = rehearse(*words)

    assert code == 78
    assert told in error


def test_rehearse_needs_a_name_where_topics_are_a_pattern(rehearse: Rehearse) -> None:
    """It reads topics, and does not look for them."""
    code, error = rehearse(topic='"^otlp_.*"')

    assert code == 78
    assert "--from-topic" in error


def test_rehearse_refuses_a_current_configuration_that_is_wrong(
    rehearse: Rehearse, tmp_path: Path
) -> None:
    """Its problems are told as those of the candidate are."""
    current = tmp_path / "current.yaml"
    current.write_text(CONFIG.replace("policies", "polices"))
    code, error = rehearse("--current", str(current))

    assert code == 78
    assert "polices" in error
    assert str(current) in error
