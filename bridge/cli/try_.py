"""``otlp-bridge try``"""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bridge.cli.exit_codes import EXIT_CONFIG, EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from bridge.cli.loading import Config, Set, load_or_print
from bridge.cli.output import Output, print_failure, print_json, wants_colours
from bridge.cli.request_text import Change, compare, lines_of, read_request, show_json
from bridge.cli.trial import Outcome, find_processors, put_through
from bridge.core import ConfigError, Malformed, Signal

Names = Annotated[list[str] | None, Parameter(name=["--processor", "-p"], negative="")]

_MARKS: dict[Change, str] = {"item": "@@ ", "same": "  ", "removed": "- ", "added": "+ "}
_COLOURS: dict[Change, str] = {"item": "cyan", "same": "dim", "removed": "red", "added": "green"}


def try_(
    config: Config,
    *,
    processor: Names = None,
    pipeline: str = "",
    request: Path | None = None,
    set_: Set = None,
    output: Output = "text",
) -> int:
    """
    Put a request through processors and show what becomes of it, without Kafka or a backend.

    Time is turned as far as a processor waits, so that batching and sampling answer at once.

    Exit codes: 0 it passed, 64 wrong usage or no request, 69 a processor refused it, 78 the
    configuration is wrong.

    Parameters
    ----------
    config
        Configuration sources; several are merged in order. A path, file:PATH, env:NAME or
        yaml:TEXT.
    processor
        The processor to try, such as transform/x. May be repeated: they follow each other.
    pipeline
        Try all processors of this pipeline instead.
    request
        A file with one request as OTLP/JSON; standard input by default. Attributes may be written
        as a plain map.
    set_
        A value to lay over the configuration, as in processors.batch.timeout=2s. May be repeated.
    output
        The differences, or the outcome as JSON.
    """
    loaded = load_or_print(config, set_, output)
    if loaded is None:
        return EXIT_CONFIG
    from bridge.telemetry import configure_logging  # Failing statements say why.

    configure_logging(loaded.telemetry.logs)
    try:
        signal, body = read_request(request)
    except Malformed as error:
        print_failure(f"no request: {error}", "give one as OTLP/JSON on standard input", output)
        return EXIT_USAGE
    try:
        found = find_processors(loaded, processor or [], pipeline)
    except ConfigError as error:
        print_failure(str(error), "", output)
        return EXIT_USAGE
    outcome = put_through(loaded, found, signal, body)
    if output == "json":
        print_json(_data(signal, outcome))
    else:
        _print(signal, body, outcome)
    return EXIT_UNAVAILABLE if outcome.refused else EXIT_OK


def _data(signal: Signal, outcome: Outcome) -> dict[str, object]:
    return {
        "ok": not outcome.refused,
        "items_before": outcome.items_before,
        "items_after": outcome.items_after,
        "refused": outcome.refused,
        "failures": [{"statement": text, "count": count} for text, count in outcome.failures],
        "request": show_json(signal, outcome.body) if outcome.body else None,
    }


def _print(signal: Signal, body: bytes, outcome: Outcome) -> None:
    if outcome.refused:
        print(f"refused: {outcome.refused}")
        return
    before, after = lines_of(signal, body), lines_of(signal, outcome.body)
    show_differences(list(compare(before, after)) if outcome.body else [])
    print(summary(outcome, changed=before != after))
    for text, count in outcome.failures:
        print(f"failed on {count} of them: {text}")


def summary(outcome: Outcome, *, changed: bool) -> str:
    """What became of the items, in a line."""
    if not outcome.body:
        return f"{outcome.items_before} in, all dropped"
    kept = f"{outcome.items_before} in, {outcome.items_after} out"
    return f"{kept}, {'changed as shown' if changed else 'unchanged'}"


def show_differences(differences: list[tuple[Change, str]]) -> None:
    """Print differences, in colours on a terminal."""
    if not wants_colours(sys.stdout):
        for change, text in differences:
            print(_MARKS[change] + text)
        return
    # Only for eyes: a pipe never pays for it.
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for change, text in differences:
        console.print(Text(_MARKS[change] + text, _COLOURS[change]))
