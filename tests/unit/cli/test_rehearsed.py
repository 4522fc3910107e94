"""The outcome of a rehearsal as tables and as JSON."""

import json
from typing import Any

import pytest

from bridge.cli import rehearsed
from bridge.cli.rehearsed import as_json, as_lines
from bridge.processors.tail_sampling import Rehearsal, Retained, TailSamplingOptions
from bridge.testing import make_settings, trace_request

NOW_MS = 1_800_000_000_000
ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
ALL = {"name": "all", "type": "always_sample"}


def options(*policies: dict[str, Any]) -> TailSamplingOptions:
    return TailSamplingOptions.model_validate({"decision_wait": "2s", "policies": list(policies)})


def rehearsal(*, beside: bool) -> Rehearsal:
    current = options(ALL) if beside else None
    found = Rehearsal(options(ERRORS), current, (make_settings(), make_settings()), NOW_MS)
    for number in range(6):
        made = trace_request(
            1, 2, seed=number, failed_share=number % 2, service=f"shop-{number % 3}"
        )
        found.take("t", 0, [Retained(number, NOW_MS - 60_000, made.body, 2)])
    found.end()
    return found


def test_tables_compare_candidate_and_current() -> None:
    """Totals, policies and services; bytes in units that can be read."""
    lines = as_lines(rehearsal(beside=True), ["t"], "1h", ["left out"])
    cells = [line.split() for line in lines]

    assert lines[0].startswith("t, the last 1h: 6 records, 12 spans, ")
    assert ["kept", "by", "current", "6", "12"] in [row[:5] for row in cells]
    assert ["no", "longer", "kept", "3", "6"] in [row[:5] for row in cells]
    assert ["all", "keeps", "0", "0", "0", "B", "6", "12"] in cells
    assert ["shop-0", "2", "2", "1", "0", "1"] in cells
    assert "note: left out" in lines
    assert any("6 traces were still waiting" in line for line in lines)


def test_tables_of_a_candidate_alone_have_no_column_of_now() -> None:
    """Nothing is compared."""
    lines = as_lines(rehearsal(beside=False), ["t"], "1h", [])

    assert ["kept", "3", "6"] in [line.split()[:3] for line in lines]
    assert "now" not in "".join(lines)


def test_services_beyond_the_table_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that change most come first."""
    monkeypatch.setattr(rehearsed, "SERVICES_SHOWN_MAX", 1)
    lines = as_lines(rehearsal(beside=True), ["t"], "1h", [])

    assert "and 2 more services: --output json has all" in lines


def test_nothing_read_is_said_in_a_line() -> None:
    """Instead of tables of zeros."""
    empty = Rehearsal(options(ALL), None, (make_settings(), make_settings()), NOW_MS)
    empty.end()

    assert as_lines(empty, ["t"], "5m", []) == ["t: no record of the last 5m"]


def test_json_holds_the_same_figures() -> None:
    """And can be written as such."""
    found = json.loads(json.dumps(as_json(rehearsal(beside=True), ["t"], 3600.0, ["left out"])))

    assert {name: amount["traces"] for name, amount in found["outcomes"].items()} == {
        "kept_by_both": 3,
        "no_longer_kept": 3,
    }
    assert found["candidate"]["open_at_end"] == 6
    assert found["first"] == "2027-01-15T07:59:00+00:00"
    assert {"shop-0", "shop-1", "shop-2"} == set(found["services"])
