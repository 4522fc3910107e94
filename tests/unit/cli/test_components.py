"""``otlp-bridge components``"""

import json

import pytest

from bridge.cli.app import dispatch
from bridge.cli.components import Listed, components, list_components
from bridge.config import FactorySource
from tests.unit.config.fakes import FakeFactories

Capture = pytest.CaptureFixture[str]


def test_components_are_listed_once_with_their_aliases() -> None:
    """And with the signals in the Collector's order; what cannot be loaded says why."""
    found = {(one.kind, one.name): one for one in list_components(FakeFactories())}

    assert found["exporters", "needy"] == Listed(
        "exporters", "needy", ("poor",), "beta", ("traces", "metrics", "logs")
    )
    assert found["processors", "tail_sampling"].signals == ("traces",)
    assert found["extensions", "health_check"].signals == ()
    assert "missing" in found["exporters", "broken"].error


def test_components_installed_are_all_sound(capsys: Capture) -> None:
    """As YAML in the Collector's form."""

    assert dispatch(["components"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["buildinfo:", "    command: otlp-bridge"]
    assert "    - name: tail_sampling" in lines
    assert "      aliases: [otlphttp]" in lines


def test_components_as_json(capsys: Capture) -> None:
    """By kind."""
    dispatch(["components", "--output", "json"])
    data = json.loads(capsys.readouterr().out)
    batch = next(one for one in data["processors"] if one["name"] == "batch")

    assert batch["signals"] == ["traces", "metrics", "logs"]
    assert {"receivers", "processors", "exporters", "extensions", "version"} == set(data)


@pytest.mark.parametrize("output", ["text", "json"])
def test_components_broken_one_exits_with_69(
    output: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The others are listed all the same."""

    def registry() -> FactorySource:
        return FakeFactories()

    monkeypatch.setattr("bridge.service.Registry", registry)

    assert components(output="json" if output == "json" else "text") == 69
    printed = capsys.readouterr().out
    assert "exporters.broken cannot be loaded" in printed
    assert "needy" in printed
