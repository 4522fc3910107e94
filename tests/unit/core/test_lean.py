"""What a process that only runs pipelines leaves out."""

import subprocess
import sys
from pathlib import Path

import pytest

from bridge.core import lean, put_off


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


def test_put_off_module_runs_when_something_in_it_is_used() -> None:
    """Importing it does nothing yet; afterwards it is a module like any other."""
    told = _answer(
        "import sys; from bridge.core import put_off; put_off('this');"
        "import this; early = type(this).__name__;"
        "from importlib import import_module; assert import_module('this') is this;"
        "print(early, this.d['a'], type(this).__name__, this is sys.modules['this'])"
    )

    assert told.splitlines()[-1] == "_Later n module True"
    assert told.startswith("The Zen of Python")


def test_put_off_module_of_a_package_is_found_in_the_package() -> None:
    """Also by `from package import module`, and its own imports of itself work."""
    told = _answer(
        "import sys; from bridge.core import put_off; put_off('json.decoder'); import json.tool;"
        "put_off('xml.dom.minidom'); from xml.dom import minidom;"
        "early = type(minidom).__name__; minidom.parseString('<a/>');"
        "print(early, type(minidom).__name__)"
    )

    assert told == "_Later module"


def test_put_off_module_tells_what_it_lacks() -> None:
    """As an AttributeError, before and after it has run; a failing import can be tried again."""
    told = _answer(
        "from bridge.core import put_off; put_off('colorsys'); import colorsys;"
        "print(hasattr(colorsys, '__path__'), hasattr(colorsys, 'nothing'), colorsys.ONE_THIRD < 1)"
    )

    assert told == "False False True"


def test_put_off_module_that_fails_is_tried_again(tmp_path: Path) -> None:
    """Its error reaches whoever uses it, each time."""
    (tmp_path / "moody.py").write_text("import json.nothing\n")
    told = _answer(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "from bridge.core import put_off; put_off('moody'); import moody\n"
        "for _ in range(2):\n"
        "    try: moody.mood\n"
        "    except ModuleNotFoundError as error: print(error.name)\n"
    )

    assert told.split() == ["json.nothing", "json.nothing"]


def test_put_off_leaves_missing_and_imported_modules_alone() -> None:
    """Their importer learns of the one as ever, and somebody uses the other."""
    put_off("no_such_module_anywhere")
    put_off("no_such_package_anywhere.module")
    put_off("json")

    assert "no_such_module_anywhere" not in sys.modules
    assert type(sys.modules["json"]) is type(sys)


def test_put_off_module_runs_once_for_all_threads(tmp_path: Path) -> None:
    """Whoever comes while it runs waits, and finds everything in it."""
    (tmp_path / "slow.py").write_text(
        "import threading\n"
        "class Meeting:\n"
        "    runs = getattr(threading, 'runs', 0) + 1\n"
        "threading.runs = Meeting.runs\n"
        "threading.Event().wait(0.05)\n"
        "last = Meeting.runs\n"
    )
    told = _answer(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "from concurrent.futures import ThreadPoolExecutor;"
        "from bridge.core import put_off; put_off('slow'); import slow\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    print(*pool.map(lambda _: slow.last, range(8)))\n"
    )

    assert told.split() == ["1"] * 8


def test_door_opens_name_by_name() -> None:
    """Only the module of the name is imported, and the name is found at once from then on."""
    told = _answer(
        "import sys, bridge.kafka; from bridge.kafka import Backlog;"
        "print('bridge.kafka.session' in sys.modules, vars(bridge.kafka)['Backlog'] is Backlog)"
    )

    assert told == "False True"


def test_door_without_the_name_says_so() -> None:
    """As any module does, so that `hasattr` and a failing import tell what is missing."""
    find = lean.door("bridge.kafka", {"backlog": "Backlog"})

    with pytest.raises(AttributeError, match=r"'bridge\.kafka' has no attribute 'Nothing'"):
        find("Nothing")
