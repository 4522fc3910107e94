"""``otlp-bridge tap``"""

import json
from http.client import HTTPConnection, HTTPException
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from bridge.cli.durations import positive_s
from bridge.cli.exit_codes import (
    EXIT_OK,
    EXIT_TRY_AGAIN,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)
from bridge.cli.output import Output, print_failure
from bridge.core import Signal
from bridge.options import format_duration, parse_endpoint

ENDPOINT = "localhost:13134"
"""Where the extension admin listens by default."""

LIMIT_MAX = 10_000
TIMEOUT_S = 60.0
_ANSWER_S = 10.0
_CODES = {400: EXIT_USAGE, 422: EXIT_USAGE, 429: EXIT_TRY_AGAIN, 503: EXIT_TRY_AGAIN}


def tap(
    stage: str,
    *,
    where: str = "",
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=LIMIT_MAX))] = 10,
    endpoint: str = ENDPOINT,
    timeout: str = format_duration(TIMEOUT_S),
    output: Output = "text",
) -> int:
    """
    Watch the batches that enter a stage of a running bridge, and how each was answered.

    The bridge needs the extension admin, and shows data only to its own machine. Looking changes
    nothing and holds nothing back: it takes at most a tenth of the process's time, and what it
    cannot look at is counted as missed. Data is shown as it is, secrets in it included. With
    --workers all of them are watched.

    Exit codes: 0 something was shown; 64 wrong usage, no such stage, or a condition that cannot
    run; 69 no bridge answers, or it does not show data to us; 75 nothing matched in time, too many
    are looking, or the workers have not started.

    Parameters
    ----------
    stage
        receivers/ID (what it hands on), processors/ID@PIPELINE or exporters/ID; kind and pipeline
        may be left out where the rest is clear.
    where
        Show only items that meet this: an attribute and a value, as in 'service.name == "shop"',
        or an OTTL condition on spans, log records or metrics, as in 'status.code == 2'.
    limit
        Batches to show.
    endpoint
        host:port of its extension admin.
    timeout
        How long to look, as in 60s.
    output
        Text for people, or JSON: one object a line.
    """
    try:
        timeout_s = positive_s("--timeout", timeout)
        found = parse_endpoint(endpoint, 13134)
    except ValueError as problem:
        print_failure(str(problem), "try: otlp-bridge tap exporters/otlp --limit 3", output)
        return EXIT_USAGE
    connection = HTTPConnection(found.host or "localhost", found.port, timeout=_ANSWER_S)
    wanted = {"stage": stage, "where": where, "limit": limit, "timeout": format_duration(timeout_s)}
    try:
        body = json.dumps(wanted).encode()
        connection.request("POST", "/api/tap", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            told = response.read(4096).decode(errors="replace").strip()
            if response.status in (404, 405):
                told = f"what answers at {endpoint} shows no data: {told or response.reason}"
            print_failure(told or response.reason, _advice(response.status), output)
            return _CODES.get(response.status, EXIT_UNAVAILABLE)
        return _show(response, output)
    except KeyboardInterrupt:
        return EXIT_OK
    except (OSError, ValueError, HTTPException) as problem:
        print_failure(
            f"no bridge answers at {endpoint}: {problem}",
            "Is it running, and is admin listed under service.extensions?",
            output,
        )
        return EXIT_UNAVAILABLE
    finally:
        connection.close()


def _show(lines: Any, output: Output) -> int:
    shown = 0
    for line in lines:
        if not line.strip():
            continue  # A sign that it still looks.
        event = json.loads(line)
        shown += event["event"] == "batch"
        if output == "json":
            print(json.dumps(event, ensure_ascii=False), flush=True)
        else:
            _print(event)
    return EXIT_OK if shown else EXIT_TRY_AGAIN


def _print(event: dict[str, Any]) -> None:
    if event["event"] == "batch":
        place = event["source"]
        if "topic" in event:
            offsets = f"{event['first_offset']}-{event['last_offset']}"
            place = f"{place} {event['topic']}/{event['partition']}@{offsets}"
        worker = f" in worker {event['worker']}" if "worker" in event else ""
        print(
            f"#{event['number']} {event['stage']}{worker}: {event['matched']} of {event['items']} "
            f"{Signal(event['signal']).items.replace('_', ' ')} from {place}"
        )
        if "too_large_bytes" in event:
            print(f"  not shown: {event['too_large_bytes']} bytes")
        else:
            from bridge.cli.request_text import lines_of_json

            print("\n".join(f"  {line.text}" for line in lines_of_json(event["request"])))
    elif event["event"] == "outcome":
        reason = f": {event['reason']}" if "reason" in event else ""
        spent = f"{event['seconds'] * 1000:.1f}ms"
        print(f"#{event['number']} {event['outcome']} after {spent}{reason}")
    elif event["event"] == "end":
        missed = f", {event['missed']} could not be looked at" if event["missed"] else ""
        print(f"{event['shown']} of {event['seen']} batches shown{missed} ({event['reason']})")


def _advice(status: int) -> str:
    if status == 422:
        return "name one of these"
    if status == 400:
        return "write for example: --where 'service.name == \"shop\"'"
    if status in (404, 405):
        return "name the endpoint of its extension admin with --endpoint; 13133 is health_check"
    return ""
