"""Compiled forms where they were built and are wanted."""

import sys
from types import ModuleType

import pytest

from bridge.core import load_compiled


def test_compiled_form_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each package has a module of its own."""
    monkeypatch.delenv("OTLP_BRIDGE_PURE", raising=False)
    built = ModuleType("bridge.core._native")
    monkeypatch.setitem(sys.modules, "bridge.core._native", built)

    assert load_compiled("bridge.core") is built


def test_compiled_form_that_was_not_built_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installing needs no compiler."""
    monkeypatch.delenv("OTLP_BRIDGE_PURE", raising=False)

    assert load_compiled("bridge.core") is None


def test_compiled_form_that_is_not_wanted_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """One switch for all of the bridge."""
    monkeypatch.setitem(sys.modules, "bridge.core._native", ModuleType("bridge.core._native"))
    monkeypatch.setenv("OTLP_BRIDGE_PURE", "1")

    assert load_compiled("bridge.core") is None
