"""``otlp-bridge demo`` where it cannot run; what it does is tested in tests/integration."""

import builtins
import sys
from typing import Any

import pytest

from bridge.cli import demo as demo_module


def test_demo_without_its_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain installation has no SDK to send with."""
    importing = builtins.__import__

    def missing(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("opentelemetry.exporter"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return importing(name, *arguments, **options)

    # Another test may have imported what is imported here.
    monkeypatch.delitem(sys.modules, "bridge.testing.sdk_traffic", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    code = demo_module.demo(traces=1)
    assert code == 78
    assert "pip install 'otlp-kafka-bridge[demo]'" in capsys.readouterr().err
