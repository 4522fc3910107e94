"""Loading a configuration for a verb: what is wrong with it is printed."""

import os
from collections.abc import Sequence

from bridge.cli.output import Output, print_problems
from bridge.config import ConfigErrors, LoadedConfig, load


def load_or_print(
    config: Sequence[str], sets: Sequence[str] | None, output: Output
) -> LoadedConfig | None:
    """The configuration with the installed components; `None` after its problems were printed."""
    try:
        return load_installed(config, sets)
    except ConfigErrors as error:
        print_problems(error.problems, output)
        return None


def load_installed(config: Sequence[str], sets: Sequence[str] | None) -> LoadedConfig:
    """
    The configuration with the installed components.

    Raises:
        ConfigErrors: With everything that is wrong.
    """
    from bridge.service import Registry  # The service with its dependencies; not for --help.

    return load(config, sets or (), Registry(), os.environ)


def quiet_logs() -> None:
    """
    Let only errors of our own be logged, on standard error.

    A verb that asks says itself what went wrong; a library's lines would say it again, and the
    default of one of them is standard output, where JSON is expected.
    """
    from bridge.config import LogSettings
    from bridge.telemetry import configure_logging

    configure_logging(LogSettings(level="error"))
