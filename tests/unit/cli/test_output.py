"""Text, JSON and colours."""

import io
import sys

import pytest

from bridge.cli.output import print_failure, print_problems, size_text, table_lines, wants_colours
from bridge.config import Position, Problem, Source

PROBLEM = Problem("BR-1301", "unknown key", Position(Source("a.yaml", "a: 1"), 1, 1))
Capture = pytest.CaptureFixture[str]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_problems_into_a_pipe_have_no_colours(capsys: Capture) -> None:
    """No control sequences in logs."""
    print_problems([PROBLEM], "text")

    assert "\x1b" not in capsys.readouterr().err


def test_problems_on_a_terminal_are_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same text besides."""
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    print_problems([PROBLEM], "text")

    assert "\x1b[" in terminal.getvalue()
    assert "unknown key" in terminal.getvalue()


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the user and by the terminal."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    before = wants_colours(_Terminal())
    monkeypatch.setenv(name, value)

    assert (before, wants_colours(_Terminal()), wants_colours(io.StringIO())) == (
        True,
        False,
        False,
    )


def test_failure_is_text_or_json(capsys: Capture) -> None:
    """With the advice, if there is one."""
    print_failure("no", "", "text")
    print_failure("no", "try", "text")
    print_failure("no", "try", "json")

    assert capsys.readouterr() == (
        '{\n  "ok": false,\n  "error": "no",\n  "advice": "try"\n}\n',
        "otlp-bridge: no\notlp-bridge: no\ntry\n",
    )


def test_table_has_text_on_the_left_and_numbers_on_the_right() -> None:
    """So that figures can be compared down a column; nothing hangs over at the end."""
    rows = [("name", "kind", "count"), ("a", "", "1,234"), ("longer", "x", "5")]

    assert table_lines(rows, words=2) == [
        "name    kind  count",
        "a             1,234",
        "longer  x         5",
    ]


def test_size_is_told_in_the_unit_one_would_say() -> None:
    """To a tenth."""
    sizes = (0, 1023, 1024, 3 << 20, 5 << 29, 2 << 40)

    assert [size_text(size) for size in sizes] == [
        "0 B", "1023 B", "1.0 KiB", "3.0 MiB", "2.5 GiB", "2.0 TiB",
    ]  # fmt: skip
