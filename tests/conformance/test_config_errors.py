"""
A corpus of broken configurations: each says in comments which code belongs to which line.

The files under ``broken_configs/`` are read with the installed components, as `validate` reads
them. What they are marked with must be exactly what is found: nothing missing, nothing besides.
"""

import re
from functools import cache
from pathlib import Path

import pytest

from bridge.config import CODES, ConfigErrors, Problem, load, render_json, render_plain
from bridge.service import Registry

FOLDER = Path(__file__).parent / "broken_configs"
FILES = sorted(FOLDER.glob("*.yaml"))
REGISTRY = Registry()
_MARK = re.compile(r"# ((?:BR-\d{4} ?)+)$")

# Codes that no file alone can provoke: they are about the command line or the installation.
_NOT_OF_FILES = {"BR-1001", "BR-1007", "BR-1008", "BR-1208"}


@cache
def _problems(file: Path) -> tuple[Problem, ...]:
    try:
        return load([str(file)], [], REGISTRY, {}).warnings
    except ConfigErrors as error:
        return error.problems


def _marked(file: Path) -> set[tuple[str, int]]:
    return {
        (code, number)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (match := _MARK.search(line))
        for code in match[1].split()
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_broken_config_is_reported_at_its_line(file: Path) -> None:
    """Every mistake is found with its code at its line, and nothing else is."""
    problems = _problems(file)

    assert _marked(file) == {
        (problem.code, problem.position.line if problem.position else 0) for problem in problems
    }, render_plain(problems)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_broken_config_shows_line_and_fix(file: Path) -> None:
    """The text for people has the place, the code, the line itself, and what to do."""
    problems = _problems(file)
    text = render_plain(problems)

    for problem in problems:
        assert f"{problem.position}: {problem.severity} {problem.code}: " in text
        assert problem.fix in text
    assert "\x1b" not in text
    assert len(problems) == len(render_json(problems))


def test_corpus_covers_every_code() -> None:
    """Each code that a file can provoke is provoked by one of the corpus."""
    marked = {code for file in FILES for code, _ in _marked(file)}

    assert set(CODES) - _NOT_OF_FILES == marked
    assert len(FILES) >= 50
