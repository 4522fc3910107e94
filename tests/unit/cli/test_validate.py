"""``otlp-bridge validate``"""

import json
from pathlib import Path

import pytest

from bridge.cli.app import dispatch

Capture = pytest.CaptureFixture[str]


def test_validate_sound_config_prints_its_pipelines(good: str, capsys: Capture) -> None:
    """What runs from where to where, and that it is ok."""

    assert dispatch(["validate", "--config", good]) == 0
    assert capsys.readouterr() == (
        "traces/x: otlp -> batch -> debug\nok: 1 pipeline, 0 warnings\n",
        "",
    )


def test_validate_broken_config_prints_its_problems(broken: str, capsys: Capture) -> None:
    """With the line and the fix, on standard error."""

    assert dispatch(["validate", broken]) == 78
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{broken}:3:22: error BR-1301: unknown key timeot" in printed.err
    assert "fix: did you mean timeout?" in printed.err


def test_validate_set_is_laid_over(good: str, broken: str, capsys: Capture) -> None:
    """An option can break a file and is named then, or mend one."""

    assert dispatch(["validate", good, "--set", "processors.batch.timeout=9"]) == 78
    assert "--set processors.batch.timeout=9:1:1" in capsys.readouterr().err
    assert dispatch(["validate", broken, "--set=processors={batch: }"]) == 0


def test_validate_several_sources_are_merged(good: str, capsys: Capture) -> None:
    """--config may be repeated, and be text."""
    extra = "yaml:exporters: {nop: }"

    assert dispatch(["validate", "--config", good, "--config", extra]) == 0
    assert "no pipeline uses exporter nop" in capsys.readouterr().err


def test_validate_warning_fails_only_if_strict(warned: str, capsys: Capture) -> None:
    """Warnings are for people, unless asked otherwise."""

    assert (dispatch(["validate", warned]), dispatch(["validate", warned, "--strict"])) == (0, 78)
    printed = capsys.readouterr().out.splitlines()
    assert (printed[1], printed[3]) == (
        "ok: 1 pipeline, 1 warning",
        "not ok: 1 pipeline, 1 warning",
    )


def test_validate_json_has_the_same_facts(good: str, warned: str, capsys: Capture) -> None:
    """Pipelines and problems."""
    dispatch(["validate", good, "--output", "json"])
    sound = json.loads(capsys.readouterr().out)
    dispatch(["validate", warned, "--output", "json"])
    unsound = json.loads(capsys.readouterr().out)

    assert sound == {
        "ok": True,
        "pipelines": {
            "traces/x": {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["debug"]}
        },
        "problems": [],
    }
    assert (unsound["ok"], unsound["problems"][0]["code"]) == (True, "BR-2001")


def test_validate_broken_config_as_json(broken: str, capsys: Capture) -> None:
    """One document on standard output, nothing on standard error."""

    assert dispatch(["validate", broken, "--output", "json"]) == 78
    printed = capsys.readouterr()
    data = json.loads(printed.out)
    assert (data["ok"], data["problems"][0]["line"], printed.err) == (False, 3, "")


def test_validate_shows_every_ottl_error_with_its_caret(tmp_path: Path, capsys: Capture) -> None:
    """All statements of all processors in one run: file, line, column, what was expected."""
    file = tmp_path / "c.yaml"
    file.write_text(
        "receivers: {otlp: {protocols: {http: }}}\n"
        "processors:\n"
        "  filter:\n"
        "    trace_conditions:\n"
        '      - span.attributes["a" == 1\n'
        "      - span.kid == 3\n"
        "  transform:\n"
        "    trace_statements:\n"
        "      - >-\n"
        "        set(span.name,\n"
        "        Nope(span.name))\n"
        "exporters: {debug: }\n"
        "service: {pipelines: {traces: {receivers: [otlp], processors: [filter, transform],"
        " exporters: [debug]}}}\n"
    )

    assert dispatch(["validate", str(file)]) == 78
    printed = capsys.readouterr().err
    for place in (":5:33: error", ":6:14: error", ":11:9: error"):
        assert f"{file}{place}" in printed
    assert "unexpected end, expected ]" in printed
    assert "       |         ^" in printed
    assert "3 errors" in printed
