"""Ports that the parent keeps for its workers."""

import socket

import pytest

from bridge.core import ConfigError
from bridge.service.shared_ports import SharedPorts


def _port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def test_same_question_keeps_its_port_over_a_reload() -> None:
    """Port 0 is chosen once; what is not asked for again is let go."""
    ports = SharedPorts()
    grpc = ports.reserve("127.0.0.1:0", "tcp", "grpc")
    http = ports.reserve("127.0.0.1:0", "tcp", "http")
    ports.settle()
    assert grpc != http
    assert ports.reserve("127.0.0.1:0", "tcp", "grpc") == grpc
    ports.settle()
    assert (_taken(_port(grpc)), _taken(_port(http))) == (True, False)
    ports.close()
    assert not _taken(_port(grpc))


def test_undo_lets_go_of_what_a_refused_config_asked_for() -> None:
    """And of nothing else."""
    ports = SharedPorts()
    old = ports.reserve("127.0.0.1:0", "tcp", "grpc")
    ports.settle()
    new = ports.reserve("127.0.0.1:0", "tcp", "http")
    ports.undo()
    assert (_taken(_port(old)), _taken(_port(new))) == (True, False)
    ports.close()


def test_own_port_may_be_asked_for_by_another_address() -> None:
    """localhost becoming 0.0.0.0 finds the port taken by nobody but ourselves."""
    ports = SharedPorts()
    old = ports.reserve("127.0.0.1:0", "tcp", "grpc")
    ports.settle()
    new = ports.reserve(f"0.0.0.0:{_port(old)}", "tcp", "grpc")
    ports.settle()
    assert _port(new) == _port(old)
    ports.close()


def test_port_of_somebody_else_is_refused() -> None:
    """Also of somebody who would share it: traffic of two bridges must not mix."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigError):
            SharedPorts().reserve(f"127.0.0.1:{other.getsockname()[1]}", "tcp", "grpc")
