"""The endpoint that Prometheus scrapes."""

import aiohttp
import pytest

from bridge.core import ConfigError, Deadline, SystemClock
from bridge.telemetry import Kind, MetricRegistry, MetricSpec, MetricsServer


async def test_server_serves_metrics_and_stops() -> None:
    """A scrape gives the figures; after the stop, twice, nobody listens."""
    registry = MetricRegistry({"hits": MetricSpec("hits", Kind.COUNTER, "Hits.")})
    registry.counter("hits").add(5)
    server = MetricsServer(registry, "127.0.0.1", 0)
    await server.start()
    url = f"http://127.0.0.1:{server.port}/metrics"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            text = await answer.text()
            content_type = answer.headers["Content-Type"]

        assert "hits 5.0" in text
        assert content_type.startswith("text/plain; version=0.0.4")
        deadline = Deadline.after(1, SystemClock())
        await server.stop(deadline)
        await server.stop(deadline)
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)


async def test_server_port_in_use_says_what_to_set() -> None:
    """A taken port is a config error that names the key."""
    registry = MetricRegistry({})
    first = MetricsServer(registry, "127.0.0.1", 0)
    await first.start()
    second = MetricsServer(registry, "127.0.0.1", first.port)
    with pytest.raises(ConfigError, match=r"service\.telemetry\.metrics\.address"):
        await second.start()
    await first.stop(Deadline.after(1, SystemClock()))
