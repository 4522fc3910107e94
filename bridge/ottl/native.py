"""The compiled forms of what runs for every item; see `bridge.core.load_compiled`."""

from types import ModuleType

from bridge.core import load_compiled


def load() -> ModuleType | None:
    """The compiled module, or `None` if it was not built or is switched off."""
    return load_compiled("bridge.ottl")


compiled = load()
"""
The module in use. Its functions give `None` or `NotImplemented` where the Python form must decide.
"""
