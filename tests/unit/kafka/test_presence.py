"""Asking for topics without creating them."""

from types import SimpleNamespace
from typing import Any

import aiokafka.errors as kafka
import pytest

from bridge.kafka.presence import missing_topics


class Cluster:
    """Answers as a broker does."""

    def __init__(self, *topics: tuple[int, str]) -> None:
        self.topics = [(code, name, False, []) for code, name in topics]
        self.asked: list[Any] = []

    def get_random_node(self) -> int | None:
        return 1 if self.topics else None

    async def send(self, node: int, request: Any) -> Any:
        self.asked.append(request)
        return SimpleNamespace(topics=self.topics)


async def test_missing_topics_are_those_that_no_broker_knows() -> None:
    """A topic with another trouble exists; asking creates nothing."""
    cluster = Cluster((0, "a"), (3, "b"), (5, "c"))

    assert await missing_topics(cluster, ["a", "b", "c", "d"]) == {"b", "d"}
    assert cluster.asked[0]._allow_auto_topic_creation is False


async def test_missing_topics_that_we_may_not_see_are_an_error() -> None:
    """Not being allowed is not the same as not being there."""
    with pytest.raises(kafka.TopicAuthorizationFailedError, match="a"):
        await missing_topics(Cluster((29, "a")), ["a"])


async def test_missing_topics_without_brokers_are_unknown() -> None:
    """Asking before any broker is known is an error, no answer."""
    with pytest.raises(kafka.NoBrokersAvailable):
        await missing_topics(Cluster(), ["a"])
