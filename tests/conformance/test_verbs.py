"""Every verb with bad input: no traceback, a documented exit code, JSON where it was asked for."""

import importlib
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cyclopts
import pytest

from bridge.cli.app import _VERBS, dispatch
from bridge.cli.exit_codes import (
    EXIT_CONFIG,
    EXIT_NOT_PERMITTED,
    EXIT_OK,
    EXIT_TRY_AGAIN,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    EXIT_WARNINGS,
)

Capture = pytest.CaptureFixture[str]

DOCUMENTED = {
    EXIT_OK,
    EXIT_WARNINGS,
    EXIT_USAGE,
    EXIT_UNAVAILABLE,
    EXIT_TRY_AGAIN,
    EXIT_NOT_PERMITTED,
    EXIT_CONFIG,
}


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb or one of its own verbs, and the function behind it."""

    words: tuple[str, ...]
    function: Callable[..., int]

    def __str__(self) -> str:
        return " ".join(self.words)

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """By name."""
        return dict(inspect.signature(self.function).parameters)

    @property
    def takes_config(self) -> bool:
        """Whether it reads a configuration."""
        return "config" in self.parameters

    def required(self) -> list[str]:
        """Words for what must be given besides a configuration, of the right form."""
        return [
            _SAMPLES[name]
            for name, parameter in self.parameters.items()
            if parameter.default is inspect.Parameter.empty and name != "config"
        ]


_SAMPLES = {
    "key": "exporters.kafka",
    "stage": "exporters/otlp",
    "place": "topic/0@1",
    "places": "topic/0@1",
    "shell": "bash",
    "mode": "sidecar",
    "cases": "absent.yaml",
    "request": "absent.json",
}


def _verbs() -> list[Verb]:
    found = []
    for name, target, _ in _VERBS:
        module, _, attribute = target.partition(":")
        behind: Any = getattr(importlib.import_module(module), attribute)
        if isinstance(behind, cyclopts.App):
            found += [
                Verb((name, own), behind[own].default_command)
                for own in behind
                if not own.startswith("-")
            ]
        else:
            found.append(Verb((name,), behind))
    return found


VERBS = _verbs()
IDS = [str(verb) for verb in VERBS]
every_verb = pytest.mark.parametrize("verb", VERBS, ids=IDS)
configured = pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb.takes_config], ids=lambda verb: str(verb)
)


@every_verb
def test_help_tells_what_it_does(verb: Verb, capsys: Capture) -> None:
    """In the first line, and what each option means."""
    assert dispatch([*verb.words, "--help"]) == EXIT_OK
    told = capsys.readouterr().out

    assert told.startswith("Usage: otlp-bridge ")
    assert "--output" in told


@every_verb
def test_unknown_option_is_wrong_usage(verb: Verb, capsys: Capture) -> None:
    """Before anything else is looked at; as JSON if that is asked for."""
    line = [*verb.words, *verb.required(), "--nope"]
    assert dispatch(line) == EXIT_USAGE
    told = capsys.readouterr().err
    assert "--nope" in told
    assert f"try: otlp-bridge {verb} --help" in told
    assert dispatch([*line, "--output", "json"]) == EXIT_USAGE
    told = capsys.readouterr()
    assert json.loads(told.out)["ok"] is False
    assert told.err == ""


@every_verb
def test_unknown_form_of_output_is_wrong_usage(verb: Verb, capsys: Capture) -> None:
    """Text and JSON are all there is."""
    config = ["--config", "absent.yaml"] if verb.takes_config else []
    line = [*verb.words, *verb.required(), *config, "--output", "yaml"]
    assert dispatch(line) == EXIT_USAGE
    assert "yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb.takes_config or verb.required()], ids=str
)
def test_missing_argument_is_wrong_usage(verb: Verb, capsys: Capture) -> None:
    """It is named as one types it, or what else would do; and what to type is told."""
    assert dispatch(list(verb.words)) == EXIT_USAGE
    told = capsys.readouterr().err
    assert told.startswith("otlp-bridge: ")
    assert f"otlp-bridge {verb} " in told
    first = next(iter(verb.parameters.values()))
    if first.default is inspect.Parameter.empty:
        wanted = "--config FILE" if first.name == "config" else first.name.upper()
        assert told.startswith(f"otlp-bridge: {verb} needs {wanted}\n")


@configured
@pytest.mark.parametrize(
    "text",
    [
        "{",
        "receivers: [1, 2]",
        "exporters: {kafka: {brokers: 7}}",
        "service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}",
        "\x00\x01",
        "",
    ],
    ids=["no yaml", "a list", "wrong type", "undefined", "binary", "empty"],
)
def test_broken_configuration_is_told(
    verb: Verb, text: str, tmp_path: Path, capsys: Capture
) -> None:
    """With exit code 78, or 0 where the configuration is only carried along; JSON is JSON."""
    file = tmp_path / "bridge.yaml"
    file.write_text(text)
    more = ["--file", str(tmp_path / "out")] if "file" in verb.parameters else []
    line = [*verb.words, *verb.required(), "--config", str(file), *more]
    code = dispatch(line)
    told = capsys.readouterr()

    assert code in DOCUMENTED
    assert "Traceback" not in told.out + told.err
    assert code in (EXIT_CONFIG, EXIT_USAGE) or str(verb) in CARRIES, (code, told)
    more = ["--file", str(tmp_path / "other")] if more else []
    again = dispatch([*verb.words, *verb.required(), "--config", str(file), *more, *JSON])
    told = capsys.readouterr()
    assert again in DOCUMENTED
    json.loads(told.out)


JSON = ("--output", "json")
CARRIES = {"bundle"}
"""Verbs that do their work with a broken configuration too."""


@configured
def test_configuration_that_is_not_there_is_told(
    verb: Verb, tmp_path: Path, capsys: Capture
) -> None:
    """By its path."""
    absent = tmp_path / "absent.yaml"
    more = ["--file", str(tmp_path / "out")] if "file" in verb.parameters else []
    code = dispatch([*verb.words, *verb.required(), "--config", str(absent), *more])
    told = capsys.readouterr()

    assert code in DOCUMENTED
    assert code != EXIT_OK or str(verb) in CARRIES
    if code == EXIT_CONFIG:
        assert str(absent) in told.err


@every_verb
def test_exit_codes_are_documented(verb: Verb) -> None:
    """In the help of the verb; none that no other verb knows."""
    told = _codes(inspect.getdoc(verb.function) or "")
    codes = {int(code) for code in re.findall(r"(?<![\d.-])(\d{1,2})(?= [a-z])", told)}

    assert {EXIT_OK, EXIT_USAGE} <= codes <= DOCUMENTED


def _codes(told: str) -> str:
    """The paragraph about exit codes."""
    return next((part for part in told.split("\n\n") if part.startswith("Exit codes")), "")


def test_every_verb_takes_output() -> None:
    """Machines ask for JSON everywhere."""
    assert [str(verb) for verb in VERBS if "output" not in verb.parameters] == []


def test_colours_are_off_into_a_pipe(capsys: Capture) -> None:
    """And with NO_COLOR: nothing of the help or an error has an escape in it."""
    dispatch(["--help"])
    dispatch(["doctor"])
    told = capsys.readouterr()

    assert "\x1b" not in told.out + told.err
