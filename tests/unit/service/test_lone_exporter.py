"""Exporters for what the bridge itself sends."""

import pytest

from bridge.core import ConfigError, SystemClock
from bridge.exporters.otlp import OtlpExporter
from bridge.exporters.otlp_http import OtlpHttpExporter
from bridge.service.lone_exporter import lone_exporter


@pytest.mark.parametrize(
    ("protocol", "target", "kind"),
    [
        ("grpc", "127.0.0.1:4317", OtlpExporter),
        ("http", "http://127.0.0.1:4318/v1/traces", OtlpHttpExporter),
    ],
)
def test_lone_exporter_speaks_the_protocol_asked_for(
    protocol: str, target: str, kind: type
) -> None:
    """By either transport, with options that both have."""
    made = lone_exporter("otlp/x", SystemClock(), protocol, target, "here", timeout="3s")

    assert isinstance(made, kind)


def test_lone_exporter_says_whose_target_is_wrong() -> None:
    """The error begins with what the caller calls it."""
    with pytest.raises(ConfigError, match=r"^cannot send to nowhere: "):
        lone_exporter("otlp/x", SystemClock(), "grpc", "127.0.0.1:0", "cannot send to nowhere")
