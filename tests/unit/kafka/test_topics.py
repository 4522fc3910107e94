"""What is known of topics, and what is said of those that are missing."""

from collections.abc import AsyncIterator

import pytest

from bridge.core import Deadline, Denied, SystemClock
from bridge.kafka import Producer, Topic, TopicBook
from bridge.testing import ManualClock
from tests.unit.kafka.fake_cluster import FakeCluster
from tests.unit.kafka.test_producer import Heard

CLOCK = SystemClock()


class Bench:
    """A book on a fake cluster."""

    def __init__(self) -> None:
        self.cluster = FakeCluster({"t": 3}, limit=2048)
        self.clock = ManualClock()
        self.producer = Producer(self.cluster.opening(), Heard(), self.clock)
        self.book = TopicBook(
            self.producer,
            self.clock,
            auto_create=False,
            refresh_s=600,
            timeout_s=5,
            principal="User:me",
            broker="b:1",
        )


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A book with a started producer."""
    bench = Bench()
    await bench.producer.start()
    yield bench
    await bench.producer.stop(Deadline.after(5, CLOCK))


async def test_topic_is_asked_for_once(bench: Bench) -> None:
    """Partitions and limit, from memory afterwards, and anew when they are old."""
    assert bench.book.known("t") is None
    assert await bench.book.topic("t") == Topic("t", 3, 2048)
    assert bench.book.known("t") == Topic("t", 3, 2048)
    client = bench.cluster.producers[0].client
    await bench.book.topic("t")
    assert client.asked == 1
    await bench.clock.advance(601)
    await bench.book.topic("t")
    assert client.asked == 2


async def test_added_partitions_are_seen_without_asking(bench: Bench) -> None:
    """The client follows its topics: traces must go where other producers put them."""
    await bench.book.topic("t")
    bench.cluster.topics["t"] = 6

    assert bench.book.known("t") == Topic("t", 6, 2048)


async def test_missing_topic_is_denied_and_not_asked_for_by_each_request(bench: Bench) -> None:
    """The hint is the command; the topic is found soon after it was created."""
    for _ in range(3):
        with pytest.raises(Denied, match="does not exist") as caught:
            await bench.book.topic("absent")
    assert "kafka-topics --bootstrap-server b:1 --create --topic absent" in caught.value.hint
    assert bench.cluster.producers[0].client.asked == 1
    bench.cluster.topics["absent"] = 1
    await bench.clock.advance(1.5)

    assert (await bench.book.topic("absent")).partitions == 1


async def test_forgotten_topic_is_asked_for_again(bench: Bench) -> None:
    """After a broker said that it is gone."""
    await bench.book.topic("t")
    bench.book.forget("t")

    assert bench.book.known("t") is None
