"""Listening sockets that outlive their receiver, and connections that several workers share."""

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

Take = Callable[[socket.socket], None]
"""Serves an accepted connection, which belongs to it from then on."""


class ConnectionShare(Protocol):
    """
    One listener's part in spreading the connections at a port evenly over the workers.

    All of it synchronous.
    """

    def pass_on(self, accepted: socket.socket) -> bool:
        """
        Give *accepted* to the worker with the fewest connections, if that is not this one.

        `False` if it stays here: it is this one's turn, or the other took nothing.
        """
        ...

    def count(self, connections: int) -> None:
        """Tell the others how many this listener serves now."""
        ...

    def close(self) -> None:
        """Take none from the others any more."""
        ...


Join = Callable[[Take], ConnectionShare]
"""Has what others pass on served by *take*."""


@runtime_checkable
class PortHolder(Protocol):
    """
    A receiver whose ports its successor of the same id may take over when the config is read anew.

    Between the two nobody is refused: the system keeps who connects until the successor listens.
    """

    def lend_ports(self) -> Mapping[str, Sequence[socket.socket]]:
        """
        Copies of the listening sockets, by all that decides whether another may use them.

        They belong to the caller, who closes them or passes them on.
        """
        ...

    def borrow_ports(self, ports: Mapping[str, Sequence[socket.socket]]) -> None:
        """Take over, at the next `start`, those that are as configured; the others are closed."""
        ...
