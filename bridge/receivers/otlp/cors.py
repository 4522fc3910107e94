"""Cross-origin requests of browsers."""

import re

from bridge.http1 import Head, Response
from bridge.http2 import Field
from bridge.receivers.otlp.config import Cors

_SAFE_HEADERS = ("accept", "accept-language", "content-language", "content-type")


class CorsPolicy:
    """Which origins may send, and what is told to their browsers."""

    def __init__(self, config: Cors) -> None:
        patterns = [re.escape(origin).replace(r"\*", ".*") for origin in config.allowed_origins]
        self._origins = re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)
        allowed = {name.lower() for name in config.allowed_headers}
        self._any_header = "*" in allowed
        self._headers = ", ".join(sorted(allowed | set(_SAFE_HEADERS))).encode()
        self._max_age = str(config.max_age).encode() if config.max_age else None
        self._exposed = ", ".join(config.exposed_headers).encode()

    def fields(self, head: Head) -> tuple[Field, ...]:
        """What to add to the answer of *head*; nothing for strangers and for no browsers."""
        origin = head.get(b"origin")
        if origin is None or not self._origins.fullmatch(origin.decode("latin-1")):
            return ()
        fields: list[Field] = [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
        if self._exposed:
            fields.append((b"access-control-expose-headers", self._exposed))
        return tuple(fields)

    def preflight(self, head: Head) -> Response | None:
        """The answer to a preflight request, or `None` if *head* is none."""
        if head.method != b"OPTIONS" or head.get(b"access-control-request-method") is None:
            return None
        allowed = self.fields(head)
        if not allowed:
            return Response(204)
        asked = head.get(b"access-control-request-headers") or b""
        names = asked if self._any_header and asked else self._headers
        fields = [
            *allowed,
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", names),
        ]
        if self._max_age is not None:
            fields.append((b"access-control-max-age", self._max_age))
        return Response(204, fields)
