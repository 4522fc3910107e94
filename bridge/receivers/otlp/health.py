"""``grpc.health.v1.Health`` for the gRPC port."""

from collections.abc import Iterable, Mapping
from typing import Final

from bridge.http2 import Call, Code, Method, Response, message_response, status_response

_SERVING: Final = message_response(b"\x08\x01")
_NOT_SERVING: Final = message_response(b"\x08\x02")
_UNKNOWN: Final = status_response(Code.NOT_FOUND, "unknown service")
_INVALID: Final = status_response(Code.INVALID_ARGUMENT, "no HealthCheckRequest")
_SERVICE_TAG: Final = 0x0A

CHECK_PATH: Final = b"/grpc.health.v1.Health/Check"


class Health:
    """
    Answers Check for the server ("") and for each service; they are serving until `stop`.

    Watch is a stream, which the server does not have: it is answered UNIMPLEMENTED, upon which
    clients stop asking and take the server for healthy.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._services = frozenset(services) | {""}
        self._serving = True

    def stop(self) -> None:
        """Answer NOT_SERVING from now on."""
        self._serving = False

    @property
    def methods(self) -> Mapping[bytes, Method]:
        """The methods by path."""
        return {CHECK_PATH: self._check}

    async def _check(self, call: Call) -> Response:
        service = _read_service(call.message)
        if service is None:
            return _INVALID
        if service not in self._services:
            return _UNKNOWN
        return _SERVING if self._serving else _NOT_SERVING


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
