"""Binding what a config names."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bridge.core import ConfigError
from bridge.receivers.otlp.listen import bind


@contextmanager
def bound(
    endpoint: str, transport: str = "tcp", *, reuse_port: bool = False
) -> Iterator[list[socket.socket]]:
    """Bound sockets, closed at the end."""
    sockets = bind(endpoint, transport, "receivers.otlp.protocols.grpc", reuse_port=reuse_port)
    try:
        yield sockets
    finally:
        for each in sockets:
            each.close()


def test_localhost_is_bound_with_ipv4_first() -> None:
    """Port 0 takes one free port for all addresses of the name."""
    with bound("localhost:0") as sockets:
        names = [each.getsockname() for each in sockets]

    assert names[0][0] == "127.0.0.1"
    assert len({name[1] for name in names}) == 1


@pytest.mark.parametrize(
    ("endpoint", "transport", "host"),
    [
        ("0.0.0.0:0", "tcp", "0.0.0.0"),
        (":0", "tcp4", "0.0.0.0"),
        ("127.0.0.1:0", "tcp4", "127.0.0.1"),
    ],
)
def test_address_is_bound_as_written(endpoint: str, transport: str, host: str) -> None:
    """One socket, on that address."""
    with bound(endpoint, transport) as sockets:
        assert [each.getsockname()[0] for each in sockets] == [host]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
@pytest.mark.parametrize("endpoint", [":0", "[::]:0"])
def test_all_interfaces_take_both_families(endpoint: str) -> None:
    """IPv4 clients reach it too."""
    with bound(endpoint) as sockets:
        sockets[0].listen()
        with socket.create_connection(("127.0.0.1", sockets[0].getsockname()[1])):
            pass

    assert len(sockets) == 1


def test_port_in_use_is_explained() -> None:
    """With the key to change and the command that shows who has it."""
    with bound("127.0.0.1:0") as sockets:
        sockets[0].listen()
        port = sockets[0].getsockname()[1]
        with pytest.raises(ConfigError) as error, bound(f"127.0.0.1:{port}"):
            pass

    assert "receivers.otlp.protocols.grpc.endpoint" in str(error.value)
    assert f"ss -ltnp 'sport = :{port}'" in str(error.value)


def test_port_is_shared_by_workers() -> None:
    """With SO_REUSEPORT on both."""
    with bound("127.0.0.1:0", reuse_port=True) as first:
        port = first[0].getsockname()[1]
        with bound(f"127.0.0.1:{port}", reuse_port=True) as second:
            assert second[0].getsockname()[1] == port


def test_foreign_address_is_explained() -> None:
    """An address of another machine cannot be listened at."""
    with pytest.raises(ConfigError, match="no address of this machine"), bound("192.0.2.1:0"):
        pass


def test_unknown_name_is_explained() -> None:
    """A name that does not resolve."""
    with pytest.raises(ConfigError, match="cannot resolve"), bound("nowhere.invalid:0"):
        pass
