"""What a process that only runs pipelines leaves out."""

import subprocess
import sys

import pytest

from bridge.core import lean


def _answer(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_logging_comes_without_rich_which_can_come_later() -> None:
    """structlog sees no rich; whoever asks for it afterwards gets it."""
    told = _answer(
        "import sys; from bridge.core.lean import start_lean; start_lean();"
        "early = ['structlog' in sys.modules, 'rich' in sys.modules];"
        "import rich.console, structlog.dev; print(early, structlog.dev.rich)"
    )

    assert told == "[True, False] None"


def test_lean_start_turns_the_collector_off_and_texts_away() -> None:
    """Both stay as they are in every other process."""
    told = _answer(
        "import gc; from bridge.core import lean;"
        "before = gc.isenabled(), lean.wants_descriptions(); lean.start_lean();"
        "print(before, gc.isenabled(), lean.wants_descriptions())"
    )

    assert told == "(True, True) False False"


def test_import_without_leaves_imported_packages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody uses them already."""
    monkeypatch.delitem(sys.modules, "this", raising=False)
    here = sys.modules["sys"]

    lean.import_without("this", "sys")

    assert sys.modules["sys"] is here
    assert "this" not in sys.modules


def test_import_without_hides_only_while_it_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the import fails."""
    monkeypatch.delitem(sys.modules, "this", raising=False)

    with pytest.raises(ModuleNotFoundError):
        lean.import_without("no_such_module_anywhere", "this")

    assert "this" not in sys.modules
