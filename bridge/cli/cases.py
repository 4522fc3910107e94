"""A user's own test cases: requests, and what the processors of a configuration make of them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bridge.cli.request_text import Change, compare, lines_of, parse_request
from bridge.cli.trial import find_processors, put_through
from bridge.config import LoadedConfig
from bridge.core import ConfigError, Malformed
from bridge.options import Options

WALL_S = 1_767_225_600.0
"""What ``Now()`` gives in test cases: the first moment of 2026, always."""


class Case(Options):
    """One test case."""

    name: str
    """What is proven."""
    processors: list[str] = Field(default_factory=list)
    """The processors that the request goes through, one after the other."""
    pipeline: str = ""
    """A pipeline whose processors it goes through instead."""
    input: dict[str, Any] | str
    """The request as OTLP/JSON, or the name of a file with it."""
    expected: dict[str, Any] | str
    """What comes out: a request, a file with one, ``dropped``, ``unchanged`` or ``refused``."""

    @field_validator("processors", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class CaseFile(Options):
    """A file of test cases."""

    cases: list[Case]
    """The cases, run in order, each on its own."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case went."""

    name: str
    passed: bool
    reason: str = ""
    differences: list[tuple[Change, str]] = field(default_factory=list)


def read_cases(file: Path) -> list[Case]:
    """
    The cases of a file.

    Raises:
        ConfigError: If it cannot be read, is no YAML, or a case is not complete.
    """
    try:
        content = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
        return CaseFile.model_validate(content).cases
    except (OSError, YAMLError) as error:
        raise ConfigError(f"{file}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{file}: {where}: {first['msg']}") from error


def judge(case: Case, loaded: LoadedConfig, folder: Path) -> Verdict:
    """
    Run one case.

    Args:
        folder:
            Where the files that it names are.

    Raises:
        ConfigError: If it names no processors, or holds no request.
    """
    word = case.expected if isinstance(case.expected, str) else ""
    try:
        signal, body = parse_request(_document(case.input, folder))
        processors = find_processors(loaded, case.processors, case.pipeline)
        outcome = put_through(loaded, processors, signal, body, wall_s=WALL_S)
        if outcome.refused or word == "refused":
            reason = outcome.refused or "nothing was refused"
            return Verdict(case.name, bool(outcome.refused) and word == "refused", reason)
        wanted = body if word == "unchanged" else b""
        if word not in ("unchanged", "dropped"):
            _, wanted = parse_request(_document(case.expected, folder))
    except (Malformed, OSError, ValueError) as error:
        raise ConfigError(f"case {case.name!r}: {error}") from error
    expected, actual = lines_of(signal, wanted), lines_of(signal, outcome.body)
    if expected == actual:
        return Verdict(case.name, passed=True)
    reason = "everything was dropped" if not actual else "not dropped" if not expected else ""
    return Verdict(case.name, False, reason, list(compare(expected, actual)))


def _document(given: dict[str, Any] | str, folder: Path) -> Any:
    if isinstance(given, dict):
        return given
    return json.loads((folder / given).read_text(encoding="utf-8"))
