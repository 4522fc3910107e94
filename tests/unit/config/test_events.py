"""The events of YAML, as ruamel.yaml itself gives them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from bridge.config.events import yaml_events

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path
    for folder in ("bridge", "deploy", "tests", ".github")
    for path in (ROOT / folder).rglob("*.y*ml")
)
TEXTS = (
    "%YAML 1.1\n---\na: 0o7\nb: 07\nc: yes\n",
    "%YAML 1.2\n%TAG ! tag:example.com,2000:\n---\na: !x 1\n...\n---\nb: &b [1, *b]\n",
    "%YAML 3.0\n---\na: 1\n",
    "a: [1, 2\n",
    "a:\n\t- 1\n",
    "a: b: c\n",
    "a: \x07\n",
    "? |\n  block\n: >-\n  folded\n# comment\n- x\n",
    "'a': \"b\\x41\\u00e9\"\nc: !!binary aGk=\n",
    "\ufeffa: 1\r\nb: 2\r",
    "a: *nobody\n",
    "",
    "--- \n...\n",
)


def _official(text: str) -> list[Any]:
    return _told(lambda: YAML(typ="safe", pure=True).parse(text))


def _told(parse: Any) -> list[Any]:
    """Every event with its places, and the error in the end."""
    events: list[Any] = []
    try:
        for event in parse():
            kind, marks = type(event).__name__, (event.start_mark, event.end_mark)
            events.append((kind, repr(event), [(m.line, m.column) for m in marks], _of(event)))
    except MarkedYAMLError as error:
        place = None if error.problem_mark is None else (error.problem_mark.line, error.context)
        events.append((type(error).__name__, error.problem, place))
    except YAMLError as error:
        events.append((type(error).__name__, str(error)))
    return events


def _of(event: Any) -> list[str]:
    names = ("anchor", "tag", "implicit", "value", "style", "flow_style", "version", "tags")
    return [str(getattr(event, name, None)) for name in names]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_have_the_official_events(path: Path) -> None:
    """Every YAML file of the repository: samples, manifests, broken configurations."""
    text = path.read_text(errors="replace")

    assert _official(text) == _told(lambda: yaml_events(text))


@pytest.mark.parametrize("text", TEXTS)
def test_texts_have_the_official_events(text: str) -> None:
    """Directives, tags, quoting, and each way of being wrong."""
    assert _official(text) == _told(lambda: yaml_events(text))


PIECES = [
    *("a", "b:", "-", "[", "]", "{", "}", ",", "#", "'", '"', "|", ">", "&", "*", "!", "%", "@"),
    *("`", "?", ":", "\t", "---", "...", "1", "0x1", "~"),
    *("\n", "\n  ", " ", "- ", ": ", "%YAML 1.1\n", "é", "\x00"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_any_text_has_the_official_events(text: str) -> None:
    """Whatever stands in it."""
    assert _official(text) == _told(lambda: yaml_events(text))
