"""``grpc.health.v1.Health`` for the gRPC port."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bridge.core import SETTLED, Pending
from bridge.http2 import (
    Beginning,
    Call,
    Code,
    Method,
    Response,
    closing_response,
    further_response,
    message_response,
    opening_response,
    status_response,
)

_IS_SERVING: Final = b"\x08\x01"
_IS_NOT_SERVING: Final = b"\x08\x02"
_IS_UNKNOWN: Final = b"\x08\x03"

_SERVING: Final = message_response(_IS_SERVING)
_NOT_SERVING: Final = message_response(_IS_NOT_SERVING)
_UNKNOWN: Final = status_response(Code.NOT_FOUND, "unknown service")
_INVALID: Final = status_response(Code.INVALID_ARGUMENT, "no HealthCheckRequest")

_NOW_SERVING: Final = opening_response(_IS_SERVING)
_NOW_STOPPED: Final = opening_response(_IS_NOT_SERVING)
_NOW_UNKNOWN: Final = opening_response(_IS_UNKNOWN)
_STOPS: Final = further_response(_IS_NOT_SERVING)
_GOODBYE: Final = closing_response(Code.UNAVAILABLE, "the server stops")
_SERVICE_TAG: Final = 0x0A

CHECK_PATH: Final = b"/grpc.health.v1.Health/Check"
WATCH_PATH: Final = b"/grpc.health.v1.Health/Watch"


class Health:
    """
    Answers Check and Watch for the server ("") and for each service; they are serving until `stop`.

    A watch of a service that does not exist is told so and goes on, as the protocol wants it.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._services = frozenset(services) | {""}
        self._serving = True
        self._watchers: set[_Watcher] = set()

    def stop(self) -> None:
        """Answer NOT_SERVING from now on; tell watchers, and end their streams."""
        self._serving = False
        watchers, self._watchers = self._watchers, set()
        for watcher in watchers:
            watcher.answer(_STOPS)
            watcher.answer(_GOODBYE)

    @property
    def methods(self) -> Mapping[bytes, Method]:
        """The methods by path."""
        return {CHECK_PATH: self._check, WATCH_PATH: _cannot_watch}

    @property
    def beginnings(self) -> Mapping[bytes, Beginning]:
        """By path, those whose answers go on."""
        return {WATCH_PATH: self._watch}

    def _watch(self, call: Call, answer: Callable[[Response], None]) -> Pending | None:
        service = _read_service(call.message)
        if service is None:
            answer(_INVALID)
            return SETTLED
        if not self._serving:
            answer(_NOW_STOPPED)
            answer(_GOODBYE)
            return SETTLED
        answer(_NOW_SERVING if service in self._services else _NOW_UNKNOWN)
        watcher = _Watcher(answer, self._watchers)
        self._watchers.add(watcher)
        return watcher

    async def _check(self, call: Call) -> Response:
        service = _read_service(call.message)
        if service is None:
            return _INVALID
        if service not in self._services:
            return _UNKNOWN
        return _SERVING if self._serving else _NOT_SERVING


class _Watcher:
    """One who is told when the server stops."""

    def __init__(self, answer: Callable[[Response], None], watchers: set["_Watcher"]) -> None:
        self.answer = answer
        self._watchers = watchers

    def cancel(self) -> None:
        """The peer has gone."""
        self._watchers.discard(self)


async def _cannot_watch(call: Call) -> Response:
    """Stand behind a guard that takes its time, which none does for this service."""
    del call
    return status_response(Code.UNIMPLEMENTED, "Watch cannot wait for a decision: use Check")


def _read_service(message: bytes) -> str | None:
    """The one field of a ``HealthCheckRequest``; its names are shorter than 128 bytes."""
    if not message:
        return ""
    if len(message) < 2 or message[0] != _SERVICE_TAG or message[1] != len(message) - 2:
        return None
    try:
        return message[2:].decode()
    except UnicodeDecodeError:
        return None
