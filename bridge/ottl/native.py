"""
The compiled forms of what runs for every item, where they were built and are wanted.

Installing needs no compiler: without one the Python forms do the same work. ``OTLP_BRIDGE_PURE=1``
in the environment switches the compiled forms off, for all of the bridge.
"""

import os
from types import ModuleType


def load() -> ModuleType | None:
    """The compiled module, or `None` if it was not built or is switched off."""
    if os.environ.get("OTLP_BRIDGE_PURE"):
        return None
    try:
        from bridge.ottl import _native
    except ImportError:
        return None
    return _native


compiled = load()
"""
The module in use. Its functions give `None` or `NotImplemented` where the Python form must decide.
"""
