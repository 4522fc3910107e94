"""
Workers that pass connections on to the one that serves the fewest.

The system chooses among the listeners of a port by a hash: of 16 long-lived connections one of two
workers gets 10 or more in every other case. So who accepts one that is another's turn sends it
there, over a socket that all workers inherited (`bridge/adr/0019`).
"""

import asyncio
import mmap
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from bridge.core import ConnectionShare, Take
from bridge.service.connection_table import ABSENT, ConnectionTable, table_bytes

log = structlog.get_logger()

_MESSAGE_BYTES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class SharingPlan:
    """What a worker inherits: file descriptors, of the table and of sockets."""

    worker: int
    table: int
    inbox: int
    outboxes: tuple[int, ...]
    """To each worker, itself among them."""

    @property
    def files(self) -> tuple[int, ...]:
        """All of them."""
        return (self.table, self.inbox, *self.outboxes)


@dataclass(slots=True)
class Exchange:
    """
    The parent's half: what the workers share, kept while any of them starts again.

    Raises:
        OSError: If the system has no memory or no sockets for it.
    """

    workers: int
    _table_file: int = field(init=False)
    _table: ConnectionTable = field(init=False)
    _pairs: list[tuple[socket.socket, socket.socket]] = field(init=False)

    def __post_init__(self) -> None:
        self._table_file = os.memfd_create("connections")
        os.ftruncate(self._table_file, table_bytes(self.workers))
        self._table = _map_table(self._table_file, self.workers)
        self._pairs = [
            socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(self.workers)
        ]
        for each in self._sockets():
            each.setblocking(False)
        for number in range(self.workers):
            self._table.leave(number)

    def plan(self, number: int) -> SharingPlan:
        """What worker *number* inherits."""
        inbox, _ = self._pairs[number]
        outboxes = tuple(outbox.fileno() for _, outbox in self._pairs)
        return SharingPlan(number, self._table_file, inbox.fileno(), outboxes)

    def ended(self, number: int) -> None:
        """
        Worker *number* has ended: nobody passes anything on to it.

        What it had not fetched is closed, so that its senders connect again at once.
        """
        self._table.leave(number)
        inbox, _ = self._pairs[number]
        for kind, sender, _, accepted in _received(inbox):
            self._table.receive(kind, number, sender)
            accepted.close()

    def close(self) -> None:
        """Let go of everything."""
        self._table.close()
        os.close(self._table_file)
        for each in self._sockets():
            each.close()

    def _sockets(self) -> Iterator[socket.socket]:
        for pair in self._pairs:
            yield from pair


def make_exchange(workers: int) -> Exchange | None:
    """An exchange for *workers*; `None` where the system lacks what it needs (it is Linux's)."""
    if workers < 2 or not hasattr(os, "memfd_create") or not hasattr(socket, "SOCK_SEQPACKET"):
        return None
    return Exchange(workers)


class ConnectionSharing:
    """
    A worker's half: gives connections away, and takes those of others; needs a running loop.

    What *plan* names belongs to it from now on.
    """

    def __init__(self, plan: SharingPlan) -> None:
        self._plan = plan
        self._table = _map_table(plan.table, len(plan.outboxes))
        os.close(plan.table)
        self._inbox = socket.socket(fileno=plan.inbox)
        self._outboxes = [socket.socket(fileno=number) for number in plan.outboxes]
        self._shares: dict[str, _Share] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._inbox, self._fetch)

    def join(self, name: str, kind: str, take: Take) -> ConnectionShare:
        """
        Have connections that others accepted at the listener *name* served by *take*.

        A later listener of the name takes the place of the earlier, as on a reload.

        Args:
            kind: What it counts as: one of `connection_table.KINDS`.
        """
        share = self._shares[name] = _Share(self, name, kind, take)
        return share

    def close(self) -> None:
        """Take nothing from the others any more."""
        self._table.leave(self._plan.worker)
        self._loop.remove_reader(self._inbox)
        for each in (self._inbox, *self._outboxes):
            each.close()
        self._table.close()

    def _fetch(self) -> None:
        for kind, sender, name, accepted in _received(self._inbox):
            share = self._shares.get(name)
            if share is None:  # It has just been closed: who connected does so again.
                accepted.close()
            else:
                share.take(accepted)
            self._table.receive(kind, self._plan.worker, sender)

    def _send(self, share: "_Share", accepted: socket.socket) -> bool:
        worker = self._plan.worker
        to = self._table.least(share.kind, worker)
        if to == worker:
            return False
        message = f"{share.kind} {worker} {share.name}".encode()
        if len(message) > _MESSAGE_BYTES_MAX:
            return False
        try:
            socket.send_fds(self._outboxes[to], [message], [accepted.fileno()])
        except OSError as error:
            log.warning("connection_not_passed_on", to_worker=to, reason=str(error))
            return False
        self._table.hand(share.kind, worker, to)
        return True

    def _show(self, kind: str) -> None:
        served = [share.served for share in self._shares.values() if share.kind == kind]
        self._table.serve(kind, self._plan.worker, sum(served) if served else ABSENT)

    def _end(self, share: "_Share") -> None:
        if self._shares.get(share.name) is share:
            del self._shares[share.name]
        self._show(share.kind)


class _Share:
    def __init__(self, sharing: ConnectionSharing, name: str, kind: str, take: Take) -> None:
        self._sharing = sharing
        self.name = name
        self.kind = kind
        self.take = take
        self.served = 0
        self._closed = False

    def pass_on(self, accepted: socket.socket) -> bool:
        """As `bridge.core.ConnectionShare`."""
        if self._closed or not self._sharing._send(self, accepted):
            return False
        accepted.close()  # It is open where it went.
        return True

    def count(self, connections: int) -> None:
        """As `bridge.core.ConnectionShare`."""
        self.served = connections
        if not self._closed:
            self._sharing._show(self.kind)

    def close(self) -> None:
        """As `bridge.core.ConnectionShare`."""
        if not self._closed:
            self._closed = True
            self._sharing._end(self)


def _map_table(file: int, workers: int) -> ConnectionTable:
    return ConnectionTable(memoryview(mmap.mmap(file, table_bytes(workers))), workers)


def _received(inbox: socket.socket) -> Iterator[tuple[str, int, str, socket.socket]]:
    """Kind, sender, name of the listener and the connection, of all that wait."""
    while True:
        try:
            message, files, _, _ = socket.recv_fds(inbox, _MESSAGE_BYTES_MAX, 1)
        except (BlockingIOError, InterruptedError):
            return
        if not message:
            return
        kind, sender, name = message.decode().split(" ", 2)
        for file in files:
            yield kind, int(sender), name, socket.socket(fileno=file)
