"""Exit codes, as ``sysexits.h`` numbers them."""

from bridge.core import BridgeError, ConfigError, Denied, Retryable

EXIT_OK = 0
EXIT_WARNINGS = 1
"""It works, and something was found that will hurt some day."""
EXIT_USAGE = 64
"""The command line makes no sense, or names something that does not exist."""
EXIT_UNAVAILABLE = 69
"""Something that is needed does not answer or refuses for good."""
EXIT_TRY_AGAIN = 75
"""It did not work now and may work later."""
EXIT_NOT_PERMITTED = 77
"""Credentials or permissions are missing."""
EXIT_CONFIG = 78
"""The configuration cannot be run."""


def exit_code(error: BridgeError) -> int:
    """What a process that ends with *error* exits with."""
    if isinstance(error, ConfigError):
        return EXIT_CONFIG
    if isinstance(error, Denied):
        return EXIT_NOT_PERMITTED
    return EXIT_TRY_AGAIN if isinstance(error, Retryable) else EXIT_UNAVAILABLE
