"""Who may send: the protocol that authenticator extensions follow."""

import asyncio
from typing import Protocol, runtime_checkable

from bridge.core import BridgeError, ComponentId, ConfigError, Host, Metadata


@runtime_checkable
class Authenticator(Protocol):
    """
    An extension that `receivers.otlp.protocols.*.auth.authenticator` may name.

    Synchronous, since it decides before a body is buffered: what needs the network, such as
    fetching keys, an authenticator does in a task of its own. It may have a text ``challenge``,
    which HTTP senders without access get as ``WWW-Authenticate``; "Bearer" if it has none.
    """

    def authenticate(self, headers: Metadata) -> asyncio.Future[BridgeError | None] | None:
        """
        Return if the sender of *headers* (lower-case names) may send.

        Returns:
            `None` if it may. A future where that takes a while: its result is what would have been
            raised, or `None`. Several requests may wait for the same one; none cancels it.

        Raises:
            bridge.core.Denied: If not. Its text is told to the sender.
            bridge.core.Overloaded: If it cannot be said now; the sender keeps its data.
        """
        ...


def find_authenticator(host: Host, name: str, where: str) -> Authenticator:
    """
    The extension *name*, which *where* asks for.

    Raises:
        ConfigError: If none of that id is configured, or it is no authenticator.
    """
    extension = host.extension(ComponentId.parse(name))
    if not isinstance(extension, Authenticator):
        raise ConfigError(f"{where}: extension {name} is no authenticator")
    return extension


def challenge_of(authenticator: Authenticator | None) -> str:
    """The value of ``WWW-Authenticate`` for who may not send."""
    return str(getattr(authenticator, "challenge", "Bearer"))
