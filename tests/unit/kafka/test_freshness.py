"""An answer proves what was in the log when it was asked for, not when it is read."""

from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from bridge.kafka.freshness import Freshness

SPANS = TopicPartition("spans", 0)


class SlowClient:
    """Answers after *takes_s* seconds of the clock that it moves."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.takes_s = 0.0
        self.asked: list[tuple[int, Any, dict[str, Any]]] = []

    async def send(self, node_id: int, request: Any, **more: Any) -> str:
        """Let time pass."""
        self.asked.append((node_id, request, more))
        self.now_s += self.takes_s
        return "answer"


def _fetch(offset: int) -> FetchRequest:
    return FetchRequest(250, 1, 1 << 20, 0, [("spans", [(0, offset, 1 << 20)])], "")


@pytest.fixture
def client() -> SlowClient:
    return SlowClient()


@pytest.fixture
def freshness(client: SlowClient) -> Freshness:
    made = Freshness({SPANS: 7}.get, lambda: client.now_s)
    made.listen(client)
    return made


async def test_freshness_counts_from_the_question(client: SlowClient, freshness: Freshness) -> None:
    """A process that stood still while the answer lay there does not take it for a new one."""
    client.takes_s = 5.0
    assert await client.send(1, _fetch(7), group=2) == "answer"

    assert freshness.age_s(SPANS) == 5.0
    client.now_s += 1.0
    assert freshness.age_s(SPANS) == 6.0
    assert [(node, more) for node, _, more in client.asked] == [(1, {"group": 2})]


async def test_freshness_of_a_partition_that_was_not_asked_about_is_none(
    client: SlowClient, freshness: Freshness
) -> None:
    """Nor does what is no fetch say anything, nor an answer that is thrown away."""
    await client.send(1, object())
    await client.send(1, _fetch(6))

    assert freshness.age_s(SPANS) == float("inf")
