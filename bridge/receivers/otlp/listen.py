"""Binding the sockets that a config names."""

import errno
import socket
from contextlib import ExitStack
from typing import Final

from bridge.core import ConfigError
from bridge.options import Endpoint, parse_endpoint

_FAMILIES: Final = {
    "tcp": socket.AF_UNSPEC,
    "tcp4": socket.AF_INET,
    "tcp6": socket.AF_INET6,
}


def bind(text: str, transport: str, where: str, *, reuse_port: bool) -> list[socket.socket]:
    """
    Bound sockets for the endpoint *text*, not yet listening.

    A name such as localhost is bound on every address it has, as far as they exist here; port 0
    takes the same free port on all of them.

    Raises:
        ConfigError: If the name is unknown, or the port in use, forbidden or not ours.
    """
    endpoint = parse_endpoint(text)
    addresses = _resolve(endpoint, _FAMILIES[transport], where)
    port = endpoint.port
    with ExitStack() as undo:
        bound: list[socket.socket] = []
        for family, host in addresses:
            try:
                listener = _bind_one(family, host, port, reuse_port=reuse_port)
            except OSError as error:
                if bound and error.errno in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
                    # The second address of a name is a courtesy.
                    continue
                raise _explain(error, text, host, port, where) from error
            undo.callback(listener.close)
            bound.append(listener)
            port = listener.getsockname()[1]
        undo.pop_all()
        return bound


def _resolve(endpoint: Endpoint, family: int, where: str) -> list[tuple[int, str]]:
    if not endpoint.host:
        if family == socket.AF_INET or not socket.has_dualstack_ipv6():
            return [(socket.AF_INET, "0.0.0.0")]  # noqa: S104 - what ":port" asks for
        return [(socket.AF_INET6, "::")]
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(
            f"{where}.endpoint: cannot resolve {endpoint.host!r}: {error.strerror}"
        ) from error
    # IPv4 first, as the Collector; each address once.
    unique = dict.fromkeys((entry[0], str(entry[4][0])) for entry in found)
    return sorted(unique, key=lambda entry: entry[0] != socket.AF_INET)


def _bind_one(family: int, host: str, port: int, *, reuse_port: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        listener.setblocking(False)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _explain(error: OSError, text: str, host: str, port: int, where: str) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        advice = f"the port is in use: see who has it with `ss -ltnp 'sport = :{port}'`"
    elif error.errno == errno.EACCES:
        advice = "ports below 1024 need the right to bind them: choose another"
    elif error.errno == errno.EADDRNOTAVAIL:
        advice = f"{host} is no address of this machine: use localhost, 0.0.0.0 or one of its own"
    else:
        advice = error.strerror or str(error)
    return ConfigError(f"{where}.endpoint: cannot listen at {text}: {advice}")
