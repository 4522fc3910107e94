"""The endpoint that Prometheus scrapes, ``localhost:8888/metrics`` by default."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from bridge.core import ConfigError, Deadline
from bridge.telemetry.exposition import CONTENT_TYPE, render
from bridge.telemetry.registry import MetricRegistry


class MetricsServer:
    """
    Serves ``GET /metrics``.

    Args:
        host, port:
            Where to listen. Port 0 takes a free one; `port` tells which after `start`.
        page:
            Gives what to show, for figures that have to be fetched first; without it *metrics*.
    """

    def __init__(
        self,
        metrics: MetricRegistry,
        host: str,
        port: int,
        page: Callable[[], Awaitable[MetricRegistry]] | None = None,
    ) -> None:
        self._metrics = metrics
        self._page = page
        self._host = host
        self.port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """
        Listen.

        Raises:
            ConfigError: If the address cannot be bound.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._scrape)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"cannot serve metrics on {self._host}:{self.port}: {error.strerror or error}; "
                "set service.telemetry.metrics.address to a free address, or "
                "service.telemetry.metrics.level to none"
            ) from error
        address = self._runner.addresses[0]
        self.port = int(address[1])

    async def stop(self, deadline: Deadline) -> None:
        """Stop listening; answers that are being written are finished."""
        del deadline  # aiohttp bounds its own clean-up; a scrape takes milliseconds.
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _scrape(self, request: web.Request) -> web.Response:
        del request
        shown = self._metrics if self._page is None else await self._page()
        return web.Response(body=render(shown), headers={"Content-Type": CONTENT_TYPE})
