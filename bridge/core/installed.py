"""
What is installed, read from where installers write it.

`importlib.metadata` does the same for every way of installing, imports e-mail, ZIP and CSV for it,
and asks each distribution anew for each group: 1.2 MiB, and a tenth of the start of a process that
only runs pipelines. It is asked where something is installed that is no plain folder.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

_SUFFIXES = (".dist-info", ".egg-info")
_SAME_IN_NAMES = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class InstalledEntry:
    """A line of a group of entry points: a name, and ``module:attribute`` that it stands for."""

    group: str
    name: str
    value: str

    def load(self) -> Any:
        """
        Import what it stands for.

        Raises:
            ImportError: If there is no such module.
            AttributeError: If the module has no such attribute.
        """
        # Extras in brackets may follow; nobody writes them any more.
        module, _, attributes = self.value.partition("[")[0].partition(":")
        found: Any = import_module(module.strip())
        for attribute in filter(None, attributes.strip().split(".")):
            found = getattr(found, attribute)
        return found


def installed_entries(prefix: str, path: Sequence[str] | None = None) -> list[InstalledEntry]:
    """
    All entry points of groups that begin with *prefix*, in the order of the path.

    Args:
        path:
            Where to look, instead of `sys.path`. Of a distribution that is there twice the first
            one counts, as for ``import``.
    """
    if not _is_plain(path):
        return _ask_for_entries(prefix, path)
    return [
        entry
        for _, folder in _distributions(path)
        for entry in parse_entries(_text(folder / "entry_points.txt"), prefix)
    ]


def installed_version(name: str, path: Sequence[str] | None = None) -> str | None:
    """The version of the distribution *name*; `None` if it is not installed."""
    wanted = _same(name)
    if _is_plain(path):
        for found, folder in _distributions(path):
            if found == wanted:
                head = _text(folder / "METADATA") or _text(folder / "PKG-INFO")
                version = re.search(r"^Version: *(\S+)", head, re.MULTILINE)
                return version[1] if version else None
        return None
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as ask

    try:
        return ask(name)
    except PackageNotFoundError:
        return None


def parse_entries(text: str, prefix: str) -> Iterator[InstalledEntry]:
    """The entries of groups that begin with *prefix* in the text of an ``entry_points.txt``."""
    group = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif group.startswith(prefix) and not line.startswith("#"):
            name, equals, value = line.partition("=")
            if equals:
                yield InstalledEntry(group, name.strip(), value.strip())


def _distributions(path: Sequence[str] | None) -> Iterator[tuple[str, Path]]:
    """The name and the folder of each distribution."""
    seen: set[str] = set()
    for place in dict.fromkeys(sys.path if path is None else path):
        try:
            children = os.listdir(place or ".")
        except OSError:
            continue  # Not there, as the ZIP file that Python puts on its path.
        for child in children:
            if child.lower().endswith(_SUFFIXES):
                name = _same(child.rpartition(".")[0].partition("-")[0])
                if name not in seen:
                    seen.add(name)
                    yield name, Path(place, child)


def _same(name: str) -> str:
    """*name* as it is compared."""
    return _SAME_IN_NAMES.sub("-", name).lower()


def _text(file: Path) -> str:
    """The text of *file*; empty if there is none."""
    try:
        return file.read_text("utf-8")
    except OSError:
        return ""


def _is_plain(path: Sequence[str] | None) -> bool:
    """Whether all distributions are folders on the path: no ZIP file, no egg, no bundle."""
    return not any(
        place.lower().endswith(".egg") or Path(place).is_file()
        for place in (sys.path if path is None else path)
    ) and not any(
        hasattr(finder, "find_distributions") and finder is not PathFinder
        for finder in sys.meta_path
    )


def _ask_for_entries(prefix: str, path: Sequence[str] | None) -> list[InstalledEntry]:
    from importlib.metadata import distributions

    found: list[InstalledEntry] = []
    seen: set[str] = set()
    for one in distributions() if path is None else distributions(path=list(path)):
        name = _same(one.metadata["Name"] or "")
        if name not in seen:
            seen.add(name)
            found += parse_entries(one.read_text("entry_points.txt") or "", prefix)
    return found
