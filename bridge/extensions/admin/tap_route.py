"""``POST /api/tap``: the batches that pass a stage, one JSON object a line."""

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import Field, ValidationError

from bridge.core import Host, SystemClock
from bridge.extensions.admin.looks import NoWorkerAnswers, open_look
from bridge.options import Duration, Options

TAPS_MAX = 4
"""Taps at the same time: each costs up to a tenth of the process's time."""

_BODY_BYTES_MAX = 64 * 1024
_HEARTBEAT_S = 1.0


class TapRequest(Options):
    """What is asked for."""

    stage: str
    """Name of the stage, such as ``exporters/otlp``."""
    where: str = ""
    """Condition on the items; empty for all."""
    limit: int = Field(default=10, ge=1, le=10_000)
    """Batches to show."""
    timeout: Duration = Field(default=60.0, gt=0, le=3600.0)
    """Seconds after which it ends."""


async def answer_tap(host: Host, request: web.Request) -> web.StreamResponse:
    """
    Watch a stage until enough was shown, the time is over, or nobody reads any more.

    Only for requests from this machine: what passes is shown as it is, secrets in it included.
    """
    if not _is_local(request.remote):
        raise web.HTTPForbidden(
            text="Data is shown to this machine only: ask from there, as by kubectl exec or ssh.\n"
        )
    wanted = await _read(request)
    with _SEATS:
        return await _stream(host, request, wanted)


async def _stream(host: Host, request: web.Request, wanted: TapRequest) -> web.StreamResponse:
    clock = SystemClock()
    try:
        look = await open_look(host, wanted.stage, wanted.where, wanted.limit, clock)
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"where: {error}\n") from error
    except LookupError as error:
        # Not 404: that is what a server says that has no taps at all.
        raise web.HTTPUnprocessableEntity(text=f"{error.args[0]}\n") from error
    except NoWorkerAnswers as error:
        raise web.HTTPServiceUnavailable(text="no worker answers yet: try again\n") from error
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    try:
        await response.prepare(request)
        await response.write(_line({"event": "watching", "stage": wanted.stage}))
        until_s = clock.monotonic() + wanted.timeout
        while not look.complete and (left_s := until_s - clock.monotonic()) > 0:
            event = await look.next(min(_HEARTBEAT_S, left_s))
            # An empty line finds out whether somebody still reads.
            await response.write(b"\n" if event is None else _line(event))
        reason = "limit" if look.complete else "timeout"
        await response.write(_line({"event": "end", "reason": reason, **look.counts}))
    except ConnectionResetError:
        return response  # Whoever watched has seen enough.
    finally:
        await look.close()
    return response


async def _read(request: web.Request) -> TapRequest:
    if (request.content_length or 0) > _BODY_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(_BODY_BYTES_MAX, request.content_length or 0)
    try:
        return TapRequest.model_validate(json.loads(await request.content.read(_BODY_BYTES_MAX)))
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise web.HTTPBadRequest(text=f"{reasons}\n") from error
    except ValueError as error:
        raise web.HTTPBadRequest(text="the body is no JSON\n") from error


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _is_local(address: str | None) -> bool:
    try:
        return ipaddress.ip_address((address or "").partition("%")[0]).is_loopback
    except ValueError:
        return False


class _Seats:
    """How many look at the same time, in the whole process."""

    def __init__(self, seats: int) -> None:
        self._free = seats

    def __enter__(self) -> None:
        if not self._free:
            raise web.HTTPTooManyRequests(text=f"{TAPS_MAX} taps are open already: end one first\n")
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


_SEATS = _Seats(TAPS_MAX)
