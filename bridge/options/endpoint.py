"""Addresses as people write them: ``host:port``, ``:port``, ``[::1]:port``, URLs and sockets."""

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):(?://)?")
_SCHEMES = ("http", "https", "dns", "passthrough", "unix")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    A place to connect to or to listen at.

    `host` is empty for "all interfaces" and for sockets; `path` is the socket of ``unix:``
    endpoints. `secure` is what the scheme demands: True for https, False for http, None if it
    says nothing.
    """

    host: str
    port: int
    secure: bool | None = None
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str, port_default: int | None = None) -> Endpoint:
    """
    Read an endpoint.

    Args:
        port_default:
            Port to take when none is written; `None` demands one.

    Raises:
        ValueError: If it is empty, has an unknown scheme, no port, or a port out of range.
    """
    rest, secure = text.strip(), None
    if match := _SCHEME.match(rest):
        scheme = match[1].lower()
        if scheme in _SCHEMES:
            rest = rest[match.end() :]
            if scheme == "unix":
                return Endpoint("", 0, None, rest)
            if scheme in ("http", "https"):
                secure = scheme == "https"
        elif "://" in rest:
            raise ValueError(f"{text!r}: unknown scheme {scheme}: use http, https, dns or unix")
    # grpc resolvers write dns:///host:port, with an authority before the third slash.
    rest = rest.lstrip("/").rstrip("/")
    host, port = _split(rest, text)
    if port is None:
        port = port_default
    if port is None:
        raise ValueError(f"{text!r}: the port is missing: write for example {rest or 'host'}:4317")
    if not 0 <= port <= 65535:
        raise ValueError(f"{text!r}: port {port} is not between 0 and 65535")
    return Endpoint(host, port, secure)


def _split(rest: str, text: str) -> tuple[str, int | None]:
    if not rest:
        raise ValueError(f"{text!r}: the endpoint is empty: write host:port")
    if "/" in rest or "@" in rest or any(letter.isspace() for letter in rest):
        raise ValueError(f"{text!r} is no endpoint: write host:port")
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise ValueError(f"{text!r}: write IPv6 addresses as [::1]:4317")
        port_text = tail[1:]
    else:
        host, _, port_text = rest.partition(":")
        if ":" in port_text:
            raise ValueError(f"{text!r}: write IPv6 addresses in brackets, as [::1]:4317")
    if not port_text:
        return host, None
    if not port_text.isdecimal():
        raise ValueError(f"{text!r}: {port_text!r} is no port number")
    return host, int(port_text)


def parse_url(text: str) -> str:
    """
    Check an ``http(s)://host[:port][/path]`` address and give it without a trailing slash.

    Raises:
        ValueError: If the scheme or the host is missing, or it carries credentials.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{text!r} must begin with http:// or https://")
    if not parts.hostname:
        raise ValueError(f"{text!r} names no host")
    if parts.username or parts.password:
        raise ValueError("credentials do not belong into a URL: use headers")
    _ = parts.port  # Raises ValueError when it is no number or out of range.
    return text.strip().rstrip("/")


Url = Annotated[str, AfterValidator(parse_url)]
"""An http or https address."""
