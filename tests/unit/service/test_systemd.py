"""What the service manager is told."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.service.systemd import READY, Systemd


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A listening notify socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def test_state_arrives_as_one_datagram(manager: socket.socket) -> None:
    """The text of sd_notify(3), as it is."""
    Systemd({"NOTIFY_SOCKET": manager.getsockname()}).tell(READY)
    assert manager.recv(100) == b"READY=1"


def test_abstract_socket_is_reached() -> None:
    """A leading ``@`` stands for the zero byte of the abstract namespace."""
    name = f"otlp-bridge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(5)
        Systemd({"NOTIFY_SOCKET": "@" + name}).tell(READY)
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_absent_manager_is_no_failure(environment: dict[str, str]) -> None:
    """Neither without systemd nor when its socket has gone."""
    Systemd(environment).tell(READY)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_watchdog_counts_for_the_process_that_it_names(
    variables: dict[str, str], expected: float
) -> None:
    """A worker inherits the variables of its parent and leaves them alone."""
    assert Systemd({"NOTIFY_SOCKET": "/x", **variables}).watchdog_s == expected


async def test_watchdog_is_fed_only_while_live(manager: socket.socket) -> None:
    """Each turn asks; a dead service goes unfed and is started anew."""
    manager.setblocking(False)
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1"}
    asked = iter([True, False, True])
    turns: list[bool] = []

    def live() -> bool:
        turns.append(next(asked, False))
        return turns[-1]

    async with Systemd(environment).watched(live), asyncio.timeout(5):
        while len(turns) < 5:  # noqa: ASYNC110 - counts turns of the loop
            await asyncio.sleep(0)
    assert [manager.recv(100), manager.recv(100)] == [b"WATCHDOG=1"] * 2
    with pytest.raises(BlockingIOError):
        manager.recv(100)
