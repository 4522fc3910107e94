"""The taps of a worker, by questions of its parent."""

import asyncio
from typing import Any

import pytest

from bridge.core import Batch, Origin, SystemClock
from bridge.extensions.admin import tap_desk
from bridge.extensions.admin.tap_desk import OPEN_MAX, TapDesk
from bridge.testing import FakeHost, trace_request

STAGE = "exporters/otlp"


@pytest.fixture
def host() -> FakeHost:
    """A worker with one stage."""
    return FakeHost(watchers={STAGE: []})


def opening(tap: str = "a", **other: Any) -> dict[str, Any]:
    """The first question."""
    return {"do": "open", "tap": tap, "stage": STAGE, "where": "", "limit": 10, **other}


def pass_batches(host: FakeHost, count: int, padding_bytes: int = 0) -> None:
    """So many batches of one span go through, past all who watch."""
    for number in range(count):
        made = trace_request(seed=number, padding_bytes=padding_bytes)
        for watcher in list(host.watchers[STAGE]):
            batch = Batch(made.signal, made.body, made.items, Origin("kafka"))
            watcher.left(watcher.entered(STAGE, batch), None)


async def test_next_gives_what_passed_since(host: FakeHost) -> None:
    """With its content, and how much was seen in all."""
    desk = TapDesk(host, SystemClock())
    assert desk.answer(opening()) == {}
    assert desk.answer(opening()) == {}  # It is open already.
    pass_batches(host, 2)
    first = desk.answer({"do": "next", "tap": "a"})
    second = desk.answer({"do": "next", "tap": "a"})
    desk.answer({"do": "end", "tap": "a"})

    assert [event["event"] for event in first["events"]] == ["batch", "outcome"] * 2
    assert first["events"][0]["request"]["resourceSpans"]
    assert (first["seen"], first["missed"]) == (2, 0)
    assert second["events"] == []
    assert host.watchers[STAGE] == []


async def test_an_answer_is_bounded_and_the_rest_comes_later(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame between the processes has a limit."""
    monkeypatch.setattr(tap_desk, "ANSWER_BYTES_MAX", 1000)
    desk = TapDesk(host, SystemClock())
    desk.answer(opening())
    pass_batches(host, 5, padding_bytes=600)
    shown = [len(desk.answer({"do": "next", "tap": "a"})["events"]) for _ in range(6)]

    assert sum(shown) == 10
    assert max(shown) < 10


async def test_tap_that_nobody_empties_ends(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parent may be told to stop in the middle."""
    monkeypatch.setattr(tap_desk, "LEASE_S", 0.0)
    desk = TapDesk(host, SystemClock())
    desk.answer(opening())
    async with asyncio.timeout(5):
        while host.watchers[STAGE]:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)

    assert desk.answer({"do": "next", "tap": "a"}) == {"unknown": True}


async def test_what_cannot_be_watched_is_an_answer(host: FakeHost) -> None:
    """With the reason; nothing stays open."""
    desk = TapDesk(host, SystemClock())
    condition = desk.answer(opening(where="nonsense ="))
    stage = desk.answer(opening(stage="exporters/none"))

    assert condition["refused"] == "where"
    assert stage["refused"] == "stage"
    assert STAGE in stage["text"]
    assert host.watchers[STAGE] == []


async def test_taps_are_bounded(host: FakeHost) -> None:
    """Also those that wait for the end of their lease."""
    desk = TapDesk(host, SystemClock())
    answers = [desk.answer(opening(str(number))) for number in range(OPEN_MAX + 1)]

    assert answers[:-1] == [{}] * OPEN_MAX
    assert "too many" in answers[-1]["text"]
