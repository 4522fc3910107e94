"""Assembly and running of a config: the registry of components, the service, the process."""

from bridge.service.registry import KINDS, Registry
from bridge.service.runner import (
    EXIT_CONFIG,
    EXIT_INTERRUPTED,
    EXIT_OK,
    SHUTDOWN_TIMEOUT_S,
    run,
)
from bridge.service.service import Service

__all__ = [
    "EXIT_CONFIG",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "KINDS",
    "SHUTDOWN_TIMEOUT_S",
    "Registry",
    "Service",
    "run",
]
