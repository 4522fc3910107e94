"""The endpoint that Prometheus scrapes, ``localhost:8888/metrics`` by default."""

from collections.abc import Awaitable, Callable

from bridge.core import ConfigError, Deadline, SystemClock
from bridge.http1 import PageServer, Response
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
        self._server = PageServer({"/metrics": self._scrape}, SystemClock(), "metrics")

    async def start(self) -> None:
        """
        Listen.

        Raises:
            ConfigError: If the address cannot be bound.
        """
        try:
            self.port = await self._server.start(self._host, self.port)
        except OSError as error:
            raise ConfigError(
                f"cannot serve metrics on {self._host}:{self.port}: {error.strerror or error}; "
                "set service.telemetry.metrics.address to a free address, or "
                "service.telemetry.metrics.level to none"
            ) from error

    async def stop(self, deadline: Deadline) -> None:
        """Stop listening; answers under way are finished until *deadline*."""
        await self._server.stop(deadline)

    async def _scrape(self) -> Response:
        shown = self._metrics if self._page is None else await self._page()
        return Response(200, ((b"content-type", CONTENT_TYPE.encode()),), render(shown))
