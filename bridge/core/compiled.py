"""
Compiled forms of hot functions, where they were built and are wanted.

Installing needs no compiler: without one the Python forms do the same work. ``OTLP_BRIDGE_PURE=1``
in the environment switches the compiled forms off, for all of the bridge.
"""

import importlib
import os
from types import ModuleType


def load_compiled(package: str) -> ModuleType | None:
    """The module ``_native`` of *package*, or `None` if it was not built or is switched off."""
    if os.environ.get("OTLP_BRIDGE_PURE"):
        return None
    try:
        return importlib.import_module(f"{package}._native")
    except ImportError:
        return None
