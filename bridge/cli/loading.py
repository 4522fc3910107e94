"""What the verbs that take a configuration have in common."""

from typing import Annotated

from cyclopts import Parameter

from bridge.cli.loader import load_or_print, quiet_logs

Config = Annotated[list[str], Parameter(name=["--config", "-c"], negative="")]
"""Configuration sources; several are merged in order. A path, file:PATH, env:NAME or yaml:TEXT."""

Set = Annotated[list[str] | None, Parameter(name="--set", negative="")]
"""A value to lay over the configuration, as in processors.batch.timeout=2s or with ``::``."""

__all__ = ["Config", "Set", "load_or_print", "quiet_logs"]
