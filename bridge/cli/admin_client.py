"""Asking the admin endpoint of a running bridge."""

import http.client
import json
from typing import Any

from bridge.options import parse_endpoint

ENDPOINT = "localhost:13134"
"""Where the extension admin listens by default."""

TIMEOUT_S = 10.0
"""With --workers, an answer waits for the slowest worker, which has five seconds."""

ADVICE = "Is it running, and is admin listed under service.extensions?"


class NoBridge(Exception):
    """Nobody answers, or somebody else does; the text says which."""


def ask(endpoint: str, path: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """
    The JSON object at *path*.

    Raises:
        ValueError: If *endpoint* is no host:port.
        NoBridge: If no bridge answers there in time.
    """
    where = parse_endpoint(endpoint)
    connection = http.client.HTTPConnection(
        where.host or "localhost", where.port, timeout=timeout_s
    )
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            text = body.decode(errors="replace").strip()
            raise NoBridge(f"{endpoint} answers {answer.status}: {text[:300]}")
        told = json.loads(body)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NoBridge(f"no bridge answers at {endpoint}: {error}") from error
    finally:
        connection.close()
    if not isinstance(told, dict):
        raise NoBridge(f"{endpoint} answers as something else than a bridge")
    return told
