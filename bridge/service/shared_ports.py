"""The ports that all workers listen at, kept by the parent while no worker runs."""

import socket
from dataclasses import dataclass, field, replace

from bridge.options import parse_endpoint


@dataclass(slots=True)
class _Held:
    endpoint: str
    sockets: list[socket.socket]

    @property
    def port(self) -> int:
        port: int = self.sockets[0].getsockname()[1]
        return port

    def close(self) -> None:
        for each in self.sockets:
            each.close()


@dataclass(slots=True)
class SharedPorts:
    """
    Ports taken for all workers.

    A socket that is bound and does not listen gets no connection; it keeps the port while no
    worker runs, and a free port chosen here is the same for all.
    """

    _held: dict[tuple[str, str, str], _Held] = field(default_factory=dict)
    _asked: set[tuple[str, str, str]] = field(default_factory=set)
    """By endpoint, transport and place: what was asked for since the last `settle`."""
    _new: set[tuple[str, str, str]] = field(default_factory=set)

    def reserve(self, endpoint: str, transport: str, where: str) -> str:
        """
        The endpoint with the port that all workers listen at; the same for the same question.

        Raises:
            ConfigError: If the port cannot be had.
        """
        key = (endpoint, transport, where)
        self._asked.add(key)
        if key not in self._held:
            self._held[key] = self._take(*key)
            self._new.add(key)
        return self._held[key].endpoint

    def settle(self) -> None:
        """Let go of what was not asked for again."""
        self._close(self._held.keys() - self._asked)

    def undo(self) -> None:
        """Let go of what is new since the last `settle` or `undo`."""
        self._close(self._new)

    def close(self) -> None:
        """Let go of everything."""
        self._close(set(self._held))

    def _close(self, keys: set[tuple[str, str, str]]) -> None:
        for key in list(keys):
            self._held.pop(key).close()
        self._asked.clear()
        self._new.clear()

    def _take(self, endpoint: str, transport: str, where: str) -> _Held:
        from bridge.receivers.otlp import bind

        parsed = parse_endpoint(endpoint)
        if parsed.port not in {held.port for held in self._held.values()}:
            # Alone first: sharing would also succeed beside another bridge, and mix their traffic.
            alone = _Held(endpoint, bind(endpoint, transport, where, reuse_port=False))
            parsed = replace(parsed, port=alone.port)
            alone.close()
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
        shared = f"{host}:{parsed.port}"
        return _Held(shared, bind(shared, transport, where, reuse_port=True))
