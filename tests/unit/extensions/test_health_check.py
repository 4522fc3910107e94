"""Is it alive, and does it do its work?"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from bridge.core import ComponentId, ConfigError, Deadline, Settings, State, Status, SystemClock
from bridge.extensions.health_check import HealthCheck, HealthCheckConfig
from bridge.service.host import ServiceHost
from bridge.service.status_book import StatusBook
from bridge.telemetry import MetricRegistry


class Running:
    """A health endpoint with the book it answers from."""

    def __init__(self, **config: Any) -> None:
        self.book = StatusBook(lambda: 1.0)
        self.host = ServiceHost(self.book)
        self.host.started = True
        settings = Settings(
            ComponentId("health_check"),
            SystemClock(),
            MetricRegistry(),
            self.book.reporter("extensions/health_check"),
            self.host,
        )
        self.extension = HealthCheck(
            HealthCheckConfig.model_validate({"endpoint": "127.0.0.1:0", **config}), settings
        )

    async def get(self, path: str) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.extension.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            text = await answer.text()
            return answer.status, await answer.json() if text.startswith("{") else text


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """A started endpoint, stopped afterwards."""
    subject = Running()
    await subject.extension.start()
    yield subject
    await subject.extension.stop(Deadline.after(1, SystemClock()))


async def test_health_ready_service_answers_200(running: Running) -> None:
    """With every component OK, all paths say so, the Collector's in its own words."""

    assert (await running.get("/livez"))[0] == 200
    assert await running.get("/readyz") == (200, {"ready": True, "not_ready": []})
    status, body = await running.get("/")
    assert (status, body["status"]) == (200, "Server available")


async def test_health_impaired_component_is_not_ready_but_live(running: Running) -> None:
    """A Kafka outage must not restart the fleet: readiness goes with the reason, liveness stays."""
    report = running.book.reporter("exporters/kafka")
    report(Status(State.RECOVERABLE, "no broker answers", "check exporters.kafka.brokers"))

    assert (await running.get("/livez"))[0] == 200
    status, body = await running.get("/readyz")
    assert status == 503
    assert body["not_ready"] == [
        {
            "component": "exporters/kafka",
            "reason": "no broker answers",
            "hint": "check exporters.kafka.brokers",
        }
    ]
    assert (await running.get("/"))[0] == 503
    components = (await running.get("/healthz"))[1]["components"]
    assert components["exporters/kafka"]["status"] == "StatusRecoverableError"


async def test_health_fatal_component_is_not_live(running: Running) -> None:
    """Only what a restart mends fails liveness."""
    running.book.reporter("exporters/kafka")(Status(State.FATAL, "gone"))

    assert (await running.get("/livez"))[0] == 503


async def test_health_draining_service_is_not_ready(running: Running) -> None:
    """Readiness goes first when a stop begins."""
    running.host.draining = True

    assert (await running.get("/readyz"))[0] == 503


async def test_health_own_path_and_texts_are_honoured() -> None:
    """The Collector's `path` and `response_body` work as there."""
    subject = Running(path="/healthy", response_body={"healthy": "fine", "unhealthy": "ill"})
    await subject.extension.start()
    try:
        assert await subject.get("/healthy") == (200, "fine")
        subject.host.draining = True
        assert await subject.get("/healthy") == (503, "ill")
    finally:
        await subject.extension.stop(Deadline.after(1, SystemClock()))


async def test_health_port_in_use_names_the_key(running: Running) -> None:
    """A taken port says which key to change."""
    second = Running(endpoint=f"127.0.0.1:{running.extension.port}")
    with pytest.raises(ConfigError, match=r"extensions\.health_check\.endpoint"):
        await second.extension.start()


@pytest.mark.parametrize("endpoint", ["127.0.0.1:99999", "127.0.0.1", "127.0.0.1:http", ""])
def test_health_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    """A port beyond 65535 too, which the socket would take modulo 65536."""
    with pytest.raises(ValidationError, match=r"port|empty"):
        HealthCheckConfig(endpoint=endpoint)
