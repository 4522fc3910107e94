"""Findings, their order and their codes."""

import ast
from pathlib import Path

import pytest

import bridge.service.doctor as package
from bridge.core import Denied, Unavailable
from bridge.service.doctor import DOCTOR_CODES, Severity, worst
from bridge.service.doctor.findings import error, failed, info, ok, warning


def test_worst_is_the_highest_rank() -> None:
    """Nothing looked at is ok."""
    found = [ok("a", "b"), warning("c", "d", "e", "f"), info("g", "h", "i")]

    assert worst(found) is Severity.WARNING
    assert worst([]) is Severity.OK
    assert worst([*found, error("c", "s", "c", "m")]) is Severity.ERROR


def test_failed_prefers_the_hint_that_the_error_carries() -> None:
    """And counts as a matter of permission if it was one."""
    denied = failed("BR-3602", "s", Denied("no", hint="ask"), "or else")
    away = failed("BR-3113", "s", Unavailable("away"), "or else")

    assert (denied.mend, denied.permission) == ("ask", True)
    assert (away.mend, away.permission) == ("or else", False)


def _used() -> set[str]:
    folder = Path(package.__file__).parent
    return {
        node.value
        for path in folder.glob("*.py")
        if path.name != "codes.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("BR-3")
    }


def test_every_code_is_explained_and_used() -> None:
    """`otlp-bridge explain` knows each code that a finding can have, and no other."""
    assert _used() == set(DOCTOR_CODES)


@pytest.mark.parametrize("code", DOCTOR_CODES)
def test_explanations_are_sentences(code: str) -> None:
    """What it means and what helps."""
    assert DOCTOR_CODES[code].meaning.endswith(".")
    assert DOCTOR_CODES[code].fix.endswith(".")
