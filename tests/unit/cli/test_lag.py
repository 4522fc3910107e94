"""``otlp-bridge lag``; what it shows is in tests/integration/test_lag.py."""

from pathlib import Path

import pytest

from bridge.cli.app import dispatch

CONFIG = """
receivers:
  otlp: {protocols: {grpc: {}}}
  kafka: {brokers: ["localhost:1"]}
exporters:
  nop: {}
service:
  pipelines:
    traces: {receivers: [RECEIVER], exporters: [nop]}
"""


@pytest.mark.parametrize(
    ("receiver", "words", "told"),
    [
        ("otlp", [], "no pipeline has a Kafka receiver"),
        ("kafka", ["--receiver", "kafka/x"], "there is no Kafka receiver kafka/x"),
    ],
)
def test_receiver_that_is_not_there_is_told_before_kafka_is_asked(
    receiver: str,
    words: list[str],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the code of a configuration that does not do."""
    config = tmp_path / "bridge.yaml"
    config.write_text(CONFIG.replace("RECEIVER", receiver))

    assert dispatch(["lag", "--config", str(config), *words]) == 78
    assert told in capsys.readouterr().err
