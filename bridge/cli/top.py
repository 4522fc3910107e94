"""``otlp-bridge top``"""

import contextlib
import sys
import time
from typing import Annotated, Any

from cyclopts import Parameter

from bridge.cli.admin_client import ADVICE, ENDPOINT, NoBridge, ask
from bridge.cli.exit_codes import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from bridge.cli.output import Output, print_failure, print_json, wants_colours
from bridge.options import parse_duration_s

INTERVAL_MIN_S = 0.2


def top(
    endpoint: str = ENDPOINT,
    *,
    once: Annotated[bool, Parameter(negative="")] = False,
    interval: str = "2s",
    output: Output = "text",
) -> int:
    """
    Watch a running bridge: what flows, what waits and why, and whether the ledger balances.

    Shows the figures of its status page, which the bridge serves by the extension admin. Ctrl-C
    ends it. JSON is one document a line, or with --once one document.

    Exit codes: 0 shown, 64 wrong usage, 69 no bridge answers.

    Parameters
    ----------
    endpoint
        host:port of its extension admin.
    once
        Show the figures once and end, without taking the screen.
    interval
        Time between two looks, as in 2s.
    output
        Tables, or JSON.
    """
    try:
        interval_s = max(INTERVAL_MIN_S, parse_duration_s(interval))
        told = ask(endpoint, "/api/status")
    except ValueError as error:
        print_failure(str(error), f"try: otlp-bridge top {ENDPOINT}", output)
        return EXIT_USAGE
    except NoBridge as error:
        print_failure(str(error), ADVICE, output)
        return EXIT_UNAVAILABLE
    if once and output == "json":
        print_json(told)
    elif once:
        _print(told)
    else:
        # Ctrl-C is how this ends.
        with contextlib.suppress(KeyboardInterrupt):
            return _follow(endpoint, told, interval_s, output)
    return EXIT_OK


def _follow(endpoint: str, told: dict[str, Any], interval_s: float, output: Output) -> int:
    try:
        if output == "json":
            _print_lines(endpoint, told, interval_s)
        elif sys.stdout.isatty():
            _take_screen(endpoint, told, interval_s)
        else:
            while True:
                _print(told)
                time.sleep(interval_s)
                told = ask(endpoint, "/api/status")
    except NoBridge as error:
        print_failure(str(error), ADVICE, output)
    return EXIT_UNAVAILABLE


def _print_lines(endpoint: str, told: dict[str, Any], interval_s: float) -> None:
    import json

    while True:
        print(json.dumps(told, ensure_ascii=False), flush=True)
        time.sleep(interval_s)
        told = ask(endpoint, "/api/status")


def _take_screen(endpoint: str, told: dict[str, Any], interval_s: float) -> None:
    from rich.live import Live

    from bridge.cli.top_view import view

    console = _console()
    with Live(view(told), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(interval_s)
            told = ask(endpoint, "/api/status")
            live.update(view(told), refresh=True)


def _print(told: dict[str, Any]) -> None:
    from bridge.cli.top_view import view

    _console().print(view(told))


def _console() -> Any:
    from rich.console import Console

    # Into a pipe lines are as wide as they need to be: who reads them may cut them.
    width = None if sys.stdout.isatty() else 160
    return Console(no_color=not wants_colours(sys.stdout), highlight=False, width=width)
