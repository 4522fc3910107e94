"""``otlp-bridge doctor``"""

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from bridge.cli.durations import positive_s
from bridge.cli.exit_codes import (
    EXIT_CONFIG,
    EXIT_NOT_PERMITTED,
    EXIT_OK,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
    EXIT_WARNINGS,
)
from bridge.cli.loading import Config, Set, load_or_print, quiet_logs
from bridge.cli.output import Output, print_failure, print_json, progress, wants_colours
from bridge.core import SystemClock
from bridge.options import format_duration

if TYPE_CHECKING:
    from bridge.service.doctor import Finding

TIMEOUT_S = 5.0

_STYLES = {"ok": "32", "info": "36", "warning": "33", "error": "31"}


def doctor(
    config: Config,
    *,
    set_: Set = None,
    timeout: str = format_duration(TIMEOUT_S),
    output: Output = "text",
) -> int:
    """
    Look at everything that a configuration needs, and say what to type where something is wrong.

    Brokers (names, ports, certificates, login), rights, topics and their settings, records that
    are there already, consumer groups and their lag, backends, ports, open files, memory. Nothing
    is written, created or joined; backends get an empty request.

    Exit codes by the worst finding: 0 ok or info, 1 warning, 69 error, 77 all errors are about
    credentials or rights, 64 wrong usage, 78 the configuration is wrong.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order.
    set_
        A value to lay over the configuration. May be repeated.
    timeout
        Time for each question, as in 5s.
    output
        Text for people, or JSON.
    """
    try:
        timeout_s = positive_s("--timeout", timeout)
    except ValueError as problem:
        print_failure(str(problem), "write for example --timeout 5s", output)
        return EXIT_USAGE
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    from bridge.service.doctor import examine, worst  # All components: not for --help.

    quiet_logs()
    with progress(output) as tell:
        found = asyncio.run(examine(loaded, SystemClock(), timeout_s=timeout_s, progress=tell))
    code = _exit_code(found)
    if output == "json":
        rows = [{**asdict(one), "severity": one.severity.value} for one in found]
        print_json({"ok": code == EXIT_OK, "worst": worst(found).value, "findings": rows})
    else:
        _print(found)
    return code


def _exit_code(found: "list[Finding]") -> int:
    ranks = [one.severity.rank for one in found]
    errors = [one for one in found if one.severity.value == "error"]
    if errors:
        return EXIT_NOT_PERMITTED if all(one.permission for one in errors) else EXIT_UNAVAILABLE
    return EXIT_WARNINGS if 2 in ranks else EXIT_OK


def _print(found: "list[Finding]") -> None:
    colours = wants_colours(sys.stdout)
    for one in sorted(found, key=lambda each: each.severity.rank):
        word = one.severity.value.ljust(7)
        if colours:
            word = f"\x1b[{_STYLES[one.severity.value]}m{word}\x1b[0m"
        code = "" if one.severity.value == "ok" else f"{one.code} "
        print(f"{word}  {code}{one.subject}: {one.cause}")
        if one.mend:
            print(f"         mend: {one.mend}")
    counts = {name: sum(one.severity.value == name for one in found) for name in _STYLES}
    print(
        f"{len(found)} findings: {counts['error']} to mend, {counts['warning']} warnings, "
        f"{counts['info']} to know, {counts['ok']} ok"
    )
