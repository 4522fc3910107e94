"""``otlp-bridge run``"""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_USAGE
from bridge.cli.loading import Config, Set, load_or_print
from bridge.cli.output import Output, print_failure, print_problems
from bridge.config import LoadedConfig, render_json
from bridge.options import format_duration, parse_duration_s

SHUTDOWN_TIMEOUT_S = 25.0
"""Five seconds less than the 30 s that Kubernetes grants."""

WORKERS_MAX = 256
"""More processes than any machine has cores for is a slip of the finger."""


def run(
    config: Config,
    *,
    set_: Set = None,
    workers: Annotated[int, Parameter(validator=Number(gte=1, lte=WORKERS_MAX))] = 1,
    ready_file: Annotated[Path | None, Parameter(negative="")] = None,
    shutdown_timeout: str = format_duration(SHUTDOWN_TIMEOUT_S),
    output: Output = "text",
) -> int:
    """
    Run the pipelines of a configuration until SIGTERM or SIGINT.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order. A path, file:PATH, env:NAME or
        yaml:TEXT.
    set_
        A value to lay over the configuration, as in processors.batch.timeout=2s; with :: instead
        of dots if a name holds dots. May be repeated.
    workers
        Processes that share the OTLP ports and, by their consumer group, the topics; about one a
        core. Totals such as max_in_flight_mib are divided among them. One that ends is started
        again.
    ready_file
        Written once everything listens: JSON with the process id and the bound addresses.
    shutdown_timeout
        Time for finishing what was taken after the signal, as in 25s.
    output
        How problems of the configuration are printed. Logs follow service.telemetry.logs.
    """
    try:
        shutdown_timeout_s = parse_duration_s(shutdown_timeout)
    except ValueError as error:
        print_failure(f"--shutdown-timeout: {error}", "", output)
        return EXIT_USAGE
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    _warn(loaded)
    from bridge.service import run as run_service

    return run_service(
        loaded, workers=workers, ready_file=ready_file, shutdown_timeout_s=shutdown_timeout_s
    )


def _warn(loaded: LoadedConfig) -> None:
    """Warnings go where the logs go: standard error, one JSON object a line if logs are JSON."""
    if not loaded.warnings:
        return
    if loaded.telemetry.logs.encoding == "console":
        print_problems(loaded.warnings, "text")
        return
    for warning in render_json(loaded.warnings):
        line = {"event": "config_warning", "level": "warning", **warning}
        print(json.dumps(line, ensure_ascii=False), file=sys.stderr)
