"""What dashboards and alerts ask for is what the bridge shows, and every alert says what to do."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bridge.telemetry import METRICS, Kind

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))
RULES = sorted((ROOT / "deploy/prometheus").glob("*.rules.yaml"))
RUNBOOK = (ROOT / "docs/runbook.md").read_text()

OF_SCRAPES = frozenset(("job", "instance", "worker", "le"))
"""Labels that Prometheus, the text format or `--workers` add."""

_NAME = re.compile(r"\b((?:otelcol|bridge)_[a-z0-9_]+)(\{[^}]*\})?")


def _alerts() -> list[dict[str, Any]]:
    yaml = YAML(typ="safe")
    return [
        rule
        for file in RULES
        for group in yaml.load(file.read_text())["groups"]
        for rule in group["rules"]
    ]


def _panels() -> list[dict[str, Any]]:
    return [panel for file in DASHBOARDS for panel in json.loads(file.read_text())["panels"]]


def _queries() -> list[str]:
    found = [target["expr"] for panel in _panels() for target in panel.get("targets", ())]
    found += [alert["expr"] for alert in _alerts()]
    for file in DASHBOARDS:
        found += [
            variable["definition"]
            for variable in json.loads(file.read_text())["templating"]["list"]
            if "definition" in variable
        ]
    return found


def _spec_name(name: str) -> str:
    return name if name in METRICS else re.sub(r"_(bucket|sum|count)$", "", name)


QUERIES = _queries()


@pytest.mark.parametrize("query", QUERIES)
def test_query_asks_for_metrics_and_labels_that_exist(query: str) -> None:
    """Names, the labels in braces and those that are summed by, against the table of metrics."""
    known: set[str] = set(OF_SCRAPES)
    for name, matchers in _NAME.findall(query):
        spec = METRICS.get(_spec_name(name))
        assert spec is not None, f"{name} is not in the table of metrics"
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert asked <= set(spec.labels) | OF_SCRAPES, (name, asked)
        known |= set(spec.labels)
    for labels in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", query):
        assert {label.strip() for label in labels.split(",")} <= known, labels


@pytest.mark.parametrize("query", QUERIES)
def test_query_takes_rates_of_counters_only(query: str) -> None:
    """A rate of a gauge, or a bare counter on a plot, says nothing."""
    for name in re.findall(r"\b(?:rate|increase)\(\s*(\w+)", query):
        spec = METRICS[_spec_name(name)]
        assert spec.kind is not Kind.GAUGE, name
    bare = re.sub(r"\b(?:rate|increase)\(\s*\w+", "", query)
    for name, _ in _NAME.findall(bare):
        counter = METRICS[_spec_name(name)].kind is Kind.COUNTER
        assert not counter, f"{name} is a counter and stands without rate or increase"


@pytest.mark.parametrize("alert", _alerts(), ids=lambda alert: alert["alert"])
def test_alert_has_severity_texts_an_entry_and_a_test(alert: dict[str, Any]) -> None:
    """The runbook says what to type, and a test of promtool makes it fire."""
    name = alert["alert"]
    assert alert["labels"]["severity"] in ("critical", "warning")
    notes = alert["annotations"]
    assert notes["summary"]
    assert notes["description"]
    assert notes["runbook"] == f"docs/runbook.md#{name.lower()}"
    entry = RUNBOOK.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert len(entry.split()) > 20, f"docs/runbook.md has no entry {name}"
    tests = "".join(file.read_text() for file in (ROOT / "deploy/prometheus").glob("*.test.yaml"))
    assert f"name: {name} fires" in tests


def test_runbook_has_no_entry_without_an_alert() -> None:
    """An alert that went takes its entry along."""
    assert re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE) == [
        alert["alert"] for alert in _alerts()
    ]


def test_runbook_names_verbs_that_exist() -> None:
    """Whoever reads it at night shall not find out that a command is none."""
    from bridge.cli.app import build_app

    app = build_app()
    for verb in set(re.findall(r"`otlp-bridge ([a-z-]+)", RUNBOOK)):
        assert verb in app, verb


def test_panels_have_distinct_ids_and_stay_on_the_grid() -> None:
    """Grafana draws what overlaps over each other."""
    panels = _panels()
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_queries_are_promql(tmp_path: Path) -> None:
    """As deploy/check asks promtool, with variables filled in."""
    script = ROOT / "deploy/check_dashboards.py"
    command = [sys.executable, str(script), *map(str, DASHBOARDS)]
    rules = tmp_path / "queries.yaml"
    rules.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)

    told = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True)

    assert told.returncode == 0, told.stderr
