"""How far long work is."""

import io

import pytest

from bridge.cli import progress
from bridge.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, not more often than is readable."""
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", 0.0)
    stream = io.StringIO()
    shown = Progress("reading", "records", stream)
    shown.show(1_000, 4_000)
    shown.end()

    assert stream.getvalue() == "reading: 1,000 of 4,000 records (25 %)\n"


def test_quick_work_prints_nothing() -> None:
    """A line would be gone before anybody read it."""
    stream = io.StringIO()
    Progress("reading", "records", stream).show(1, 2)

    assert stream.getvalue() == ""


def test_line_on_a_terminal_moves_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is overwritten in place, and leaves nothing."""
    monkeypatch.setattr(progress, "_MOVING_EVERY_S", 0.0)
    stream = Terminal()
    shown = Progress("reading", "records", stream)
    shown.show(10, 20)
    shown.show(5, 0)
    shown.end()

    lines = stream.getvalue().split("\r")
    assert lines[:2] == ["", "reading: 10 of 20 records (50 %)"]
    assert lines[2].rstrip() == "reading: 5 of 0 records"
    assert len(lines[2]) == len(lines[1]), "the rest of the longer line is overwritten"
    assert lines[-1] == ""
