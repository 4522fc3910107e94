"""``POST /api/tap`` over a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bridge.core import Batch, Deadline, Origin, SystemClock
from bridge.extensions.admin import Admin, AdminOptions
from bridge.extensions.admin.tap_route import TAPS_MAX
from bridge.testing import FakeHost, make_settings, trace_request


@pytest.fixture
def host() -> FakeHost:
    """A service with one stage."""
    return FakeHost(watchers={"exporters/otlp": []})


@pytest.fixture
async def url(host: FakeHost) -> AsyncIterator[str]:
    """A started endpoint, stopped afterwards."""
    config = AdminOptions.model_validate({"endpoint": "127.0.0.1:0"})
    subject = Admin(config, make_settings("admin", host=host))
    await subject.start()
    yield f"http://127.0.0.1:{subject.port}/api/tap"
    await subject.stop(Deadline.after(1, SystemClock()))


async def ask(url: str, wanted: Any, **headers: str) -> tuple[int, str]:
    """Status and text of the whole answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=wanted, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


def pass_one(host: FakeHost) -> None:
    """A batch of one span goes through the stage, past all who watch."""
    made = trace_request()
    for watcher in list(host.watchers["exporters/otlp"]):
        batch = Batch(made.signal, made.body, made.items, Origin("kafka"))
        watcher.left(watcher.entered("exporters/otlp", batch), None)


async def wait_watched(host: FakeHost, watchers: int = 1) -> None:
    """Until so many watch."""
    async with asyncio.timeout(10):
        while len(host.watchers["exporters/otlp"]) != watchers:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)


async def test_batches_are_lines_with_their_content_and_outcome(url: str, host: FakeHost) -> None:
    """The watching ends with the answer."""
    answer = asyncio.create_task(ask(url, {"stage": "exporters/otlp", "limit": 1}))
    await wait_watched(host)
    pass_one(host)
    status, text = await answer
    watching, batch, outcome, end = [json.loads(line) for line in text.splitlines() if line]

    assert status == 200
    assert watching == {"event": "watching", "stage": "exporters/otlp"}
    assert batch["request"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
    assert (outcome["number"], outcome["outcome"]) == (1, "taken")
    assert end == {"event": "end", "reason": "limit", "seen": 1, "shown": 1, "missed": 0}
    assert host.watchers["exporters/otlp"] == []


async def test_time_ends_it_too(url: str, host: FakeHost) -> None:
    """With what was seen until then."""
    status, text = await ask(url, {"stage": "exporters/otlp", "timeout": "50ms"})

    assert status == 200
    assert json.loads(text.splitlines()[-1])["reason"] == "timeout"
    assert host.watchers["exporters/otlp"] == []


async def test_who_goes_away_watches_no_longer(url: str, host: FakeHost) -> None:
    """Found out by the signs of life, without any batch."""
    session = aiohttp.ClientSession()
    answer = await session.post(url, json={"stage": "exporters/otlp", "timeout": "60s"})
    await wait_watched(host)
    answer.close()
    await session.close()

    await wait_watched(host, 0)


@pytest.mark.parametrize(
    ("wanted", "status", "told"),
    [
        ({"stage": "exporters/x"}, 422, "there is no stage exporters/x: exporters/otlp"),
        ({"stage": "exporters/otlp", "where": "foo("}, 400, "where: line 1"),
        ({"stage": "exporters/otlp", "limit": 0}, 400, "limit"),
        ({"stage": "exporters/otlp", "timeout": "5"}, 400, "timeout"),
        ({"stage": "exporters/otlp", "hidden": 1}, 400, "hidden"),
        ({}, 400, "stage"),
        ([1], 400, "dictionary"),
    ],
)
async def test_wrong_request_is_told(wanted: Any, status: int, told: str, url: str) -> None:
    """And nothing is watched."""
    found, text = await ask(url, wanted)

    assert (found, told in text) == (status, True), text


async def test_page_of_another_origin_is_refused(url: str) -> None:
    """As for everything that is no mere look."""
    status, _ = await ask(url, {"stage": "exporters/otlp"}, Origin="http://evil.example")

    assert status == 403


async def test_taps_at_the_same_time_are_bounded(url: str, host: FakeHost) -> None:
    """One more than may be open is told to come later; the others go on."""
    wanted = {"stage": "exporters/otlp", "limit": 1}
    answers = [asyncio.create_task(ask(url, wanted)) for _ in range(TAPS_MAX)]
    await wait_watched(host, TAPS_MAX)
    status, text = await ask(url, wanted)
    pass_one(host)

    assert (status, "end one first" in text) == (429, True)
    assert [found for found, _ in await asyncio.gather(*answers)] == [200] * TAPS_MAX
