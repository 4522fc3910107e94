"""One aiokafka consumer under our rules, against the in-process broker."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiokafka.errors as kafka
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition

from bridge.flow import Lane
from bridge.kafka.consumer import ConsumerClient, Fetching, Membership, Subscription
from bridge.kafka.embedded import EmbeddedBroker
from tests.unit.kafka.consuming import LIMITS

SPANS = TopicPartition("spans", 0)
FETCHING = Fetching(1, 1 << 20, 1 << 20, 0.05, None)


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    """Tells when partitions came."""

    def __init__(self) -> None:
        self.assigned = asyncio.Event()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self.assigned.clear()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self.assigned.set()


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    """A running broker with one topic of one partition that holds three records."""
    broker = EmbeddedBroker({"spans": 1})
    await broker.start()
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    for value in (b"a", b"b", b"c"):
        await producer.send_and_wait("spans", value, partition=0)
    await producer.stop()
    yield broker
    await broker.stop()


@pytest.fixture
async def client(broker: EmbeddedBroker) -> AsyncIterator[ConsumerClient]:
    """A started client."""
    membership = Membership("processing", None, ("sticky",), 6.0, 1.0, 10.0)
    client = ConsumerClient({"bootstrap_servers": broker.bootstrap}, membership, FETCHING)
    await client.start()
    yield client
    await client.stop(5.0)


async def _join(client: ConsumerClient) -> None:
    listener = Listener()
    client.subscribe(Subscription(("spans",)), listener)
    async with asyncio.timeout(10.0):
        await listener.assigned.wait()


async def _read(client: ConsumerClient, count: int, offset: int = 0) -> list[bytes]:
    client.seek(SPANS, offset)
    values: list[bytes] = []
    async with asyncio.timeout(10.0):
        while len(values) < count:
            try:
                found = await client.poll([], 0.1, 100)
            except kafka.NoOffsetForPartitionError:
                client.seek(SPANS, offset)  # What the poller does: nothing is guessed.
                continue
            values += [record.value for record in found.get(SPANS, ()) if record.value]
    return values


async def test_client_reads_from_where_it_is_sent(client: ConsumerClient) -> None:
    """Reading begins at the offset that was sought; position and end are known then."""
    await _join(client)

    assert await _read(client, 2, offset=1) == [b"b", b"c"]
    assert client.position(SPANS) == 3
    assert client.high_watermark(SPANS) is not None


async def test_client_at_the_end_knows_it(client: ConsumerClient) -> None:
    """Having read everything that a fetch of the last second saw is being at the end."""
    await _join(client)
    lane = Lane("spans", 0, 1, LIMITS)

    assert not client.at_end(lane)

    await _read(client, 3)
    async with asyncio.timeout(10.0):
        while not client.at_end(lane):
            await client.poll([], 0.1, 100)

    assert time.time() * 1000 - (client.high_watermark(SPANS) or (0, 0))[1] <= 1000


async def test_client_commit_comes_back_with_metadata(client: ConsumerClient) -> None:
    """Offset and metadata of a commit are read as they were written."""
    await _join(client)

    assert await client.committed([SPANS]) == {}

    await client.commit({SPANS: (2, "islands")})

    found = (await client.committed([SPANS]))[SPANS]
    assert (found.offset, found.metadata) == (2, "islands")


async def test_client_knows_the_bounds_of_logs(client: ConsumerClient) -> None:
    """First offset and end of each log are asked for."""
    assert await client.log_bounds([SPANS]) == {SPANS: (0, 3)}
    assert await client.log_ends([SPANS]) == {SPANS: 3}


async def test_client_paused_partition_brings_nothing(client: ConsumerClient) -> None:
    """A paused partition is polled without a result; afterwards it goes on where it was."""
    await _join(client)
    await _read(client, 1)
    client.seek(SPANS, 0)
    client.set_paused(SPANS, True)

    assert await client.poll([], 0.2, 100) == {}

    client.set_paused(SPANS, False)

    assert await _read(client, 3) == [b"a", b"b", b"c"]


async def test_client_ignores_partitions_of_others(client: ConsumerClient) -> None:
    """Pausing and seeking what was taken from us does nothing."""
    await _join(client)
    other = TopicPartition("elsewhere", 9)

    client.set_paused(other, True)
    client.seek(other, 5)

    assert client.position(other) is None
    assert client.assignment() == {SPANS}


async def test_client_names_missing_topics(client: ConsumerClient) -> None:
    """Topics that do not exist are named."""
    assert await client.missing_topics(["spans", "nowhere"]) <= {"nowhere"}
    with pytest.raises(kafka.IllegalStateError):
        await ConsumerClient({}, _membership(), FETCHING).missing_topics(["spans"])


def _membership() -> Membership:
    return Membership("processing", None, ("sticky",), 6.0, 1.0, 10.0)


async def test_client_poll_tells_a_foreign_cancellation(client: ConsumerClient) -> None:
    """The end of aiokafka's own task is an error of the client and not our own end."""
    await _join(client)
    await _read(client, 3)
    task = client._consumer._coordinator._coordination_task
    task.cancel()
    await asyncio.wait([task])

    with pytest.raises(kafka.KafkaError, match="cancelled"):
        await client.poll([], 0.01, 1)


async def test_client_stop_is_bounded(client: ConsumerClient) -> None:
    """A consumer that does not leave is left: tasks and sockets end nevertheless."""
    await _join(client)
    consumer = client._consumer

    async def never() -> None:
        await asyncio.Event().wait()

    consumer._coordinator.close = never
    await client.stop(0.05)
    await client.stop(0.05)

    assert consumer._coordinator._coordination_task.done()
    assert consumer._fetcher._fetch_task.done()


def test_members_of_one_process_remember_partitions_apart() -> None:
    """aiokafka keeps them in the assignor's class, which all consumers would share."""
    one, other = _membership(), _membership()
    [mine], [theirs] = one.assignors, other.assignors
    mine.on_generation_assignment(7)

    assert one == other
    assert mine.name == theirs.name == "sticky"
    assert (mine.generation, theirs.generation) == (7, -1)
