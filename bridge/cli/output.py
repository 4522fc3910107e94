"""Text for people, JSON for machines, and no colours into a pipe."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TextIO

from bridge.config import STYLES, Problem, render_json, render_plain, segments

Output = Literal["text", "json"]


def print_json(data: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their longest cell."""
    for line in table_lines((head, *rows), words=len(head)):
        print(line)


def table_lines(rows: Sequence[Sequence[str]], words: int) -> list[str]:
    """Columns as wide as their longest cell: the first *words* hold text, the others numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if index < words else text.rjust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def size_text(size_bytes: float) -> str:
    """Bytes in the unit that one would say."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size_bytes >= 1024**power:
            return f"{size_bytes / 1024**power:.1f} {unit}"
    return f"{size_bytes:.0f} B"


def print_failure(message: str, advice: str, output: Output) -> None:
    """Why a verb failed: on standard error, or as JSON on standard output."""
    if output == "json":
        print_json({"ok": False, "error": message, "advice": advice})
        return
    print(f"otlp-bridge: {message}", file=sys.stderr)
    if advice:
        print(advice, file=sys.stderr)


def print_problems(problems: Sequence[Problem], output: Output) -> None:
    """The problems of a configuration: on standard error, or as JSON on standard output."""
    if output == "json":
        print_json({"ok": not any(map(_is_error, problems)), "problems": render_json(problems)})
    elif wants_colours(sys.stderr):
        _print_coloured(problems)
    else:
        print(render_plain(problems), file=sys.stderr)


def wants_colours(stream: TextIO) -> bool:
    """Whether *stream* is a terminal and nobody asked for plain text (``NO_COLOR``)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def progress(output: Output) -> Iterator[Callable[[str], None]]:
    """
    Tell what is being done, in one line of standard error that is gone at the end.

    Only on a terminal: nothing reads a line that changes in a pipe or a log.
    """
    if output == "json" or not sys.stderr.isatty():
        yield lambda part: None
        return
    try:
        yield lambda part: print(f"\r\x1b[K{part} ...", end="", file=sys.stderr, flush=True)
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _is_error(problem: Problem) -> bool:
    return problem.is_error


def _print_coloured(problems: Sequence[Problem]) -> None:
    # Only for eyes: a run in a container never pays for it.
    from rich.console import Console
    from rich.text import Text

    text = Text.assemble(*((part, STYLES[style]) for part, style in segments(problems)))
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, end="")
