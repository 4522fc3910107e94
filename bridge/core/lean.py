"""
What a process that only runs pipelines does without.

It has to be decided before the rest is imported, so it stands here, where nothing else is needed.
A sidecar's start and its memory are what its host pays for each copy of it.
"""

import gc
import importlib
import sys

_descriptions = True


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


def wants_descriptions() -> bool:
    """Whether config models keep the texts of their fields, which `explain` shows."""
    return _descriptions


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
