"""``otlp-bridge offsets``; what it does to a group is in tests/integration/test_offsets.py."""

from pathlib import Path

import pytest

from bridge.cli.app import dispatch
from bridge.cli.offsets import parse_time_ms
from bridge.testing import ManualClock


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("2026-11-28T07:00:00Z", 1795849200000),
        ("2026-11-28T07:00:00", 1795849200000),
        ("2026-11-28T08:00:00.250+01:00", 1795849200250),
        ("2026-11-28", 1795824000000),
        ("90s", 910_000),
        ("-90s", 910_000),
    ],
)
def test_time_is_a_moment_or_how_long_ago(text: str, time_ms: int) -> None:
    """Without a zone it is UTC, as the logs are; the clock stands at 1000 s."""
    assert parse_time_ms(text, ManualClock(wall_s=1000.0)) == time_ms


@pytest.mark.parametrize("words", [["--to-time", "never"], ["--to-offset", "x"], []])
def test_wrong_usage_is_told_before_the_configuration_is_read(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the code of wrong usage."""
    assert dispatch(["offsets", "reset", "-c", str(tmp_path / "absent"), *words]) == 64
    assert capsys.readouterr().err
