"""
What systemd wants to hear of a ``Type=notify`` service: sd_notify(3) in a few lines.

Without ``NOTIFY_SOCKET`` in the environment everything here does nothing.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

log = structlog.get_logger()

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def reloading() -> str:
    """The state at the begin of a reload, which ends with `READY`."""
    # The manager tells this reload from an earlier one by the time, see sd_notify(3).
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


class Systemd:
    """
    The service manager, if it started this process.

    Args:
        environment:
            ``NOTIFY_SOCKET`` is where to tell, with ``@`` for an abstract name; ``WATCHDOG_USEC``
            the microseconds of silence after which we are killed, and ``WATCHDOG_PID`` whom that
            is meant for.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self.watchdog_s = _watchdog_s(environment) if name else 0.0

    def tell(self, state: str) -> None:
        """Send one state. A failure is logged: nothing that is running ends for it."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling:
                # The manager reads at once; a full queue shall not stop the loop.
                telling.setblocking(False)
                telling.connect(self._address)
                telling.send(state.encode())
        except OSError as error:
            log.warning("systemd_not_told", state=state, reason=str(error))

    @asynccontextmanager
    async def watched(self, live: Callable[[], bool]) -> AsyncIterator[None]:
        """
        Feed the watchdog while the body runs and *live* says so.

        That it is fed shows that the loop turns; a loop that hangs, or a component that can never
        work again, is ended and started anew by the manager.
        """
        if not self.watchdog_s:
            yield
            return
        feeding = asyncio.create_task(self._feed(live))
        try:
            yield
        finally:
            feeding.cancel()
            await asyncio.wait((feeding,))

    async def _feed(self, live: Callable[[], bool]) -> None:
        while True:
            if live():
                self.tell(WATCHDOG)
            # Twice as often as needed, as sd_watchdog_enabled(3) advises.
            await asyncio.sleep(self.watchdog_s / 2)


def _watchdog_s(environment: Mapping[str, str]) -> float:
    meant_for = environment.get("WATCHDOG_PID", "")
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or meant_for not in ("", str(os.getpid())):
        return 0.0
    return int(microseconds) / 1e6
