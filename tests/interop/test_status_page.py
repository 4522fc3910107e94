"""The status page in a real browser, while data flows and while a partition is held."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from aiokafka import AIOKafkaProducer

from bridge.testing import trace_request
from tests.bridge_process import BridgeProcess, running_backend, running_bridge
from tests.interop.browser import Page, browsing
from tests.kafka_client import Kafka
from tests.load_clients import EXPORT

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

PICTURES = os.environ.get("STATUS_PAGE_PICTURES", "")
"""A folder to keep the pictures in, as docs/ does."""

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}}}}}
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    traces: {{topics: ["{topic}"]}}
    dead_letter: {{topic: "{dead}"}}
  kafka/strict:
    brokers: ["{kafka}"]
    group_id: "{group}-strict"
    traces: {{topics: ["{odd}"]}}
processors:
  batch: {{}}
  filter/health: {{trace_conditions: ['resource.attributes["service.name"] == "health"']}}
  tail_sampling:
    decision_wait: 5s
    policies:
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
      - {{name: a-tenth, type: probabilistic, probabilistic: {{sampling_percentage: 10}}}}
exporters:
  kafka: {{brokers: ["{kafka}"], traces: {{topic: "{topic}"}}}}
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
extensions: {{admin: {{endpoint: "127.0.0.1:0", interval: 1s}}}}
service:
  extensions: [admin]
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces/ingest: {{receivers: [otlp], processors: [batch], exporters: [kafka]}}
    traces/process:
      receivers: [kafka]
      processors: [filter/health, tail_sampling, batch]
      exporters: [otlp]
    traces/strict: {{receivers: [kafka/strict], exporters: [otlp]}}
"""

LOAD_INTERVAL_S = 0.05
POISON = b"\xff<img src=x onerror=document.title='taken'> no request"


async def _load(endpoint: str) -> None:
    """About a thousand spans a second, until cancelled."""
    async with grpc.aio.insecure_channel(endpoint) as channel:
        call = channel.unary_unary(EXPORT)
        for seed in range(1 << 30):
            service = "health" if seed % 4 == 0 else "checkout"
            made = trace_request(10, 5, seed=seed, failed_share=0.1, service=service)
            await call(made.body, timeout=20)
            await asyncio.sleep(LOAD_INTERVAL_S)


@asynccontextmanager
async def _scene(kafka: Kafka, folder: Path) -> AsyncIterator[tuple[BridgeProcess, Page]]:
    """A bridge under load, with a dead letter and a held partition, and a page that shows it."""
    topic, dead = await kafka.create_topic(partitions=6), await kafka.create_topic(partitions=1)
    odd = await kafka.create_topic(partitions=1)
    async with running_backend() as backend:
        config = CONFIG.format(
            kafka=kafka.bootstrap,
            group=kafka.unique("group"),
            topic=topic,
            dead=dead,
            odd=odd,
            backend=backend.grpc,
        )
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
            await producer.send_and_wait(topic, POISON)
            await producer.send_and_wait(odd, POISON)
        async with running_bridge(config, folder) as bridge:
            load = asyncio.create_task(_load(bridge.endpoints["receivers/otlp/grpc"]))
            try:
                url = f"http://{bridge.endpoints['extensions/admin']}/"
                async with browsing(url, folder / "browser") as page:
                    yield bridge, page
            finally:
                load.cancel()


async def _focusable(page: Page, presses: int) -> list[str]:
    """What Tab leads to, in order: ids, texts of links, labels."""
    found = []
    for _ in range(presses):
        await page.press("Tab", 9)
        found.append(
            await page.evaluate(
                "(e => e.id || e.getAttribute('aria-label') || e.textContent)"
                "(document.activeElement)"
            )
        )
    return found


async def test_page_shows_a_bridge_under_load(kafka: Kafka, tmp_path: Path) -> None:
    """Figures that move, the held record with its command, the dead letter, and no stranger."""
    async with _scene(kafka, tmp_path) as (bridge, page):
        await page.until("document.querySelectorAll('#plots polyline').length >= 12")
        await page.until("document.getElementById('partitions').innerText.includes('holding')")
        await page.until("/dlq skip/.test(document.getElementById('troubles').innerText)")
        await page.until("document.getElementById('letters').innerText.includes('Malformed')")
        await page.until("latest.tail_sampling.decided.sampled > 0")
        await page.until("document.querySelectorAll('#sampling polyline').length === 2")
        await page.until("latest.receivers.find(r => r.id === 'otlp').accepted_per_s > 0")

        if PICTURES:  # Curves that go somewhere.
            await page.until("latest.history.times.length >= 40", timeout_s=120)
        rows = await page.evaluate("document.querySelectorAll('#partitions tbody tr').length")
        balance = await page.evaluate("document.getElementById('balance').innerText")
        title = await page.evaluate("document.title")
        shown = await page.evaluate("document.getElementById('letters').innerText")
        span = await page.evaluate("document.getElementById('t1').innerText")
        keys = await _focusable(page, 18)
        requested = {url.rstrip("/") for url in page.requested if not url.startswith("data:")}
        await _take_pictures(page, Path(PICTURES) if PICTURES else tmp_path)

    here = f"http://{bridge.endpoints['extensions/admin']}"
    assert rows == 7
    assert balance == "the ledger balances"
    assert (title, "<img src=x" in shown) == ("otlp-bridge", True)
    assert re.fullmatch(r"Last [\d.]+ (?:s|min)", span)
    assert shown.startswith("1 record since")
    assert requested == {here, f"{here}/api/status"}
    assert page.complaints == []
    for reached in ("Skip to the figures", "Pipelines", "Events", "hold", "theme", "level"):
        assert reached in keys, keys
    assert "partitions" in keys


async def _take_pictures(page: Page, folder: Path) -> None:
    """Light and dark, each with its own background."""
    await page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    backgrounds = set()
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await page.call("Emulation.setEmulatedMedia", features=features)
        backgrounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
        await page.picture(folder / f"status-page-{scheme}.png")
        assert (folder / f"status-page-{scheme}.png").stat().st_size > 20_000
    assert len(backgrounds) == 2


async def test_page_says_when_nobody_answers(kafka: Kafka, tmp_path: Path) -> None:
    """The old figures stay, marked as such; it goes on by itself when the bridge is back."""
    async with _scene(kafka, tmp_path) as (bridge, page):
        await page.until("document.getElementById('ready').innerText.includes('ready')")
        await bridge.kill()
        await page.until("document.getElementById('ready').innerText.startsWith('no answer')")

        assert await page.evaluate("document.querySelectorAll('#plots svg').length") > 0
