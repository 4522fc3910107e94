"""What the verbs that take a configuration have in common."""

import os
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from bridge.cli.output import Output, print_problems
from bridge.config import ConfigErrors, LoadedConfig, load

Config = Annotated[list[str], Parameter(name=["--config", "-c"], negative="")]
"""Configuration sources; several are merged in order. A path, file:PATH, env:NAME or yaml:TEXT."""

Set = Annotated[list[str] | None, Parameter(name="--set", negative="")]
"""A value to lay over the configuration, as in processors.batch.timeout=2s or with ``::``."""


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
