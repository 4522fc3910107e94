"""Configurations for the verbs."""

from pathlib import Path

import pytest

GOOD = """
receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:0'}}}}
processors: {batch: {timeout: 1s}}
exporters: {debug: }
service: {pipelines: {traces/x: {receivers: [otlp], processors: [batch], exporters: [debug]}}}
"""


@pytest.fixture
def good(tmp_path: Path) -> str:
    """A configuration without a fault."""
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    return str(file)


@pytest.fixture
def warned(tmp_path: Path) -> str:
    """A configuration with one warning: an exporter that no pipeline uses."""
    file = tmp_path / "warned.yaml"
    file.write_text(GOOD.replace("{debug: }", "{debug: , nop: }"))
    return str(file)


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """A configuration with one misspelt key in its third line."""
    file = tmp_path / "broken.yaml"
    file.write_text(GOOD.replace("timeout", "timeot"))
    return str(file)
