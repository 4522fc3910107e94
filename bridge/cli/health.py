"""``otlp-bridge health``"""

import http.client
import json
from typing import Annotated, Any

from cyclopts import Parameter

from bridge.cli.exit_codes import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE
from bridge.cli.output import Output, print_failure, print_json
from bridge.options import format_duration, parse_duration_s, parse_endpoint

ENDPOINT = "localhost:13133"
"""Where the extension health_check listens by default."""

TIMEOUT_S = 3.0
"""Less than the five seconds after which orchestrators give up a check."""


def health(
    endpoint: str = ENDPOINT,
    *,
    live: Annotated[bool, Parameter(negative="")] = False,
    timeout: str = format_duration(TIMEOUT_S),
    output: Output = "text",
) -> int:
    """
    Ask a running bridge whether it does its work.

    For container health checks, where no other client is installed. The bridge needs the
    extension health_check.

    Exit codes: 0 it does, 64 wrong usage, 69 it does not, or does not answer.

    Parameters
    ----------
    endpoint
        host:port of its extension health_check.
    live
        Ask only whether the process is alive: true also while Kafka or a backend is away.
    timeout
        How long to wait for the answer, as in 3s.
    output
        Lines, or JSON.
    """
    try:
        timeout_s = parse_duration_s(timeout)
        where = parse_endpoint(endpoint)
    except ValueError as error:
        print_failure(str(error), "try: otlp-bridge health localhost:13133", output)
        return EXIT_USAGE
    try:
        status, told = _get(where.host or "localhost", where.port, live, timeout_s)
    except (OSError, ValueError, http.client.HTTPException) as error:
        print_failure(
            f"no bridge answers at {endpoint}: {error}",
            "Is it running, and is health_check listed under service.extensions?",
            output,
        )
        return EXIT_UNAVAILABLE
    well = status == http.client.OK
    if output == "json":
        print_json({"ok": well, **told})
    else:
        print(("live" if live else "ready") if well else ("dead" if live else "not ready"))
        for part in told.get("not_ready", ()):
            hint = f" ({part['hint']})" if part.get("hint") else ""
            print(f"  {part['component']}: {part['reason'] or 'starting'}{hint}")
    return EXIT_OK if well else EXIT_UNAVAILABLE


def _get(host: str, port: int, live: bool, timeout_s: float) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", "/livez" if live else "/readyz")
        answer = connection.getresponse()
        told = json.loads(answer.read())
    finally:
        connection.close()
    if not isinstance(told, dict):
        raise ValueError("it answers as something else")  # noqa: TRY004 - a fault of the other side
    return answer.status, told
