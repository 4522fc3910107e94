"""Starting the service for ``run``, however its command line was read."""

import json
import sys
from typing import cast

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_USAGE, exit_code
from bridge.cli.loader import load_installed, load_or_print
from bridge.cli.output import Output, print_failure, print_problems
from bridge.cli.plain_run import RunArguments
from bridge.config import LoadedConfig, render_json
from bridge.core import BridgeError
from bridge.options import parse_duration_s


def start(arguments: RunArguments) -> int:
    """Run until a signal; the exit code of the process."""
    output = cast(Output, arguments.output)
    try:
        shutdown_timeout_s = parse_duration_s(arguments.shutdown_timeout)
    except ValueError as error:
        print_failure(f"--shutdown-timeout: {error}", "", output)
        return EXIT_USAGE
    loaded = load_or_print(arguments.config, arguments.sets, output)
    if loaded is None:
        return EXIT_CONFIG
    _warn(loaded)
    from bridge.service import run as run_service

    return run_service(
        loaded,
        workers=arguments.workers,
        ready_file=arguments.ready_file,
        shutdown_timeout_s=shutdown_timeout_s,
        load=lambda: load_installed(arguments.config, arguments.sets),
    )


def start_guarded(arguments: RunArguments) -> int:
    """The same; what goes wrong is printed and becomes the exit code."""
    try:
        return start(arguments)
    except BridgeError as error:
        print_failure(str(error), "", cast(Output, arguments.output))
        return exit_code(error)


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
