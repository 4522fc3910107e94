"""Loading a configuration for a verb: what is wrong with it is printed."""

import os
from collections.abc import Sequence

from bridge.cli.output import Output, print_problems
from bridge.config import ConfigErrors, LoadedConfig, load


def load_or_print(
    config: Sequence[str], sets: Sequence[str] | None, output: Output
) -> LoadedConfig | None:
    """The configuration with the installed components; `None` after its problems were printed."""
    from bridge.service import Registry  # The service with its dependencies; not for --help.

    try:
        return load(config, sets or (), Registry(), os.environ)
    except ConfigErrors as error:
        print_problems(error.problems, output)
        return None
