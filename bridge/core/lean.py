"""
What a process that only runs pipelines does without.

It has to be decided before the rest is imported, so it stands here, where nothing else is needed.
A sidecar's start and its memory are what its host pays for each copy of it.
"""

import gc
import importlib
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

PUT_OFF = (
    # Compression: only the codec that is configured, or that a sender uses, is needed.
    "cramjam",
    "zstandard",
    # Regular expressions of OTTL, of sampling policies and of topics that data may choose.
    "re2",
    # Certificates that stand in the configuration, dates in Retry-After, times in protobuf.
    "tempfile",
    "email.utils",
    "calendar",
    # Hints for those whose configuration is wrong.
    "difflib",
    # The middle of a few timestamps, after a rebalance.
    "statistics",
    # What makes objects of YAML and writes it: its parser is in modules of its own.
    "ruamel.yaml",
    # The parts of HPACK that are written here.
    "hpack",
    # protobuf in Python: imported besides the compiled one, which does all the work.
    "google.protobuf.internal.python_message",
)
"""
What is imported as a module and runs only once something in it is used: 0.2 to 2 MiB each, and few
processes need more than one or two of them.

Source:
    perf/results/2026-11-28-idle-memory.md.
"""

_PROBED = frozenset(("__path__", "__wrapped__"))
"""What the import system and `inspect` ask of any module, and a plain module does not have."""

_descriptions = True
_lock = RLock()
_waiting: set[str] = set()


def start_lean() -> None:
    """
    Leave out of this process what serves people at a terminal; call it before any other import.

    The collector of cycles stays off until the service is up and turns it on (`tune_gc`): while
    modules are imported next to nothing becomes garbage, and it would walk all of them each time.
    """
    global _descriptions
    _descriptions = False
    gc.disable()
    import_without("structlog", "rich")
    _without_plugins()
    for name in PUT_OFF:
        put_off(name)


def wants_descriptions() -> bool:
    """Whether config models keep the texts of their fields, which `explain` shows."""
    return _descriptions


def put_off(name: str) -> None:
    """
    Let ``import`` of module *name* cost next to nothing until something in it is used.

    Only ``import name`` and ``from package import name`` profit: ``from name import something``
    uses it at once. Nothing happens if it is imported already; if it is not installed, its
    importer learns that as ever.
    """
    if name in sys.modules:
        return
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return
    if spec is None or spec.loader is None:
        return
    module = sys.modules[name] = module_from_spec(spec)
    module.__class__ = _Later
    _waiting.add(name)
    package, _, own_name = name.rpartition(".")
    if package:
        setattr(sys.modules[package], own_name, module)


class _Later(ModuleType):
    """
    A module whose code runs when it is first asked for something; from then on a plain module.

    `importlib.util.LazyLoader` does not do here: before Python 3.12 the ``import`` statement itself
    asks it for its specification, and so runs it.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in _PROBED:
            with _lock:
                # What its own code asks for while it runs is there, or is missing.
                if self.__name__ in _waiting:
                    self._run()
        return ModuleType.__getattribute__(self, name)

    def _run(self) -> None:
        spec = self.__spec__
        assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - `put_off` saw both
        _waiting.discard(spec.name)
        try:
            spec.loader.exec_module(self)
        except BaseException:
            _waiting.add(spec.name)
            raise
        self.__class__ = ModuleType  # type: ignore[assignment]  # It has what it needs.


def _without_plugins() -> None:
    """
    Let pydantic look for no plugins of its own: it would read what all of them say of themselves.

    The same as its ``PYDANTIC_DISABLE_PLUGINS=__all__``, which imports `importlib.metadata` before
    it looks at that.
    """
    loader = ModuleType("pydantic.plugin._loader")
    loader.__dict__["get_plugins"] = tuple
    sys.modules.setdefault(loader.__name__, loader)


def door(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """
    The `__getattr__` of *package*: a name is imported from its module when it is first asked for.

    For a room of which one process needs a part. The type checker is to see plain imports instead;
    `tests/test_architecture.py` compares the two. No name may be that of a module of the package.

    Args:
        places: By module of *package* the names that it has, separated by spaces.
    """
    homes = {
        name: f"{package}.{module}" for module, names in places.items() for name in names.split()
    }

    def find(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(home), name)
        setattr(sys.modules[package], name, found)
        return found

    return find


def import_without(name: str, left_out: str) -> None:
    """
    Import module *name* as if the optional package *left_out* were not installed.

    structlog imports rich, and with it pygments, for tracebacks in colour that we never ask for.
    *left_out* can be imported afterwards as ever. Nothing happens if either is imported already.
    """
    if name in sys.modules or left_out in sys.modules:
        return
    sys.modules[left_out] = None  # type: ignore[assignment]  # Import reads it as "not there".
    try:
        importlib.import_module(name)
    finally:
        del sys.modules[left_out]
