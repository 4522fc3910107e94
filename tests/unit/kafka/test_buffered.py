"""What was fetched of a paused partition stays, within bounds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import ConsumerStoppedError

from bridge.kafka import buffered
from bridge.kafka.buffered import Buffered, Wanted
from bridge.kafka.embedded import EmbeddedBroker
from bridge.kafka.fetched import read_by_ourselves

SPANS = TopicPartition("spans", 0)


@pytest.fixture
async def consumer() -> AsyncIterator[AIOKafkaConsumer]:
    """One that has a partition with three records in one batch, without a group."""
    broker = EmbeddedBroker({"spans": 1})
    await broker.start()
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=200)
    await producer.start()
    sent = [await producer.send("spans", value, partition=0) for value in (b"a", b"b", b"c")]
    await asyncio.gather(*sent)
    await producer.stop()
    made = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )
    await made.start()
    read_by_ourselves(made._fetcher)
    made.assign([SPANS])
    yield made
    await made.stop()
    await broker.stop()


async def read_one(held: Buffered, consumer: AIOKafkaConsumer) -> bytes | None:
    """One record, so that the others wait."""
    async with asyncio.timeout(10):
        while not (found := await held.poll(consumer, [], 0.5, 1)):
            continue
    (record,) = found[SPANS]
    value: bytes | None = record.value  # type: ignore[attr-defined]  # A FetchedRecord.
    return value


def test_wanted_follows_what_is_paused() -> None:
    """It is looked into while a poll waits; to aiokafka it is never nothing."""
    one, other = TopicPartition("a", 0), TopicPartition("a", 1)
    paused: set[TopicPartition] = set()
    everything, named = Wanted([], paused), Wanted([one], paused)

    assert [one in everything, other in everything, one in named, other in named] == [
        True,
        True,
        True,
        False,
    ]
    paused.add(one)
    assert [one in everything, other in everything, one in named] == [False, True, False]
    assert everything
    assert named


async def test_paused_partition_keeps_what_was_fetched(consumer: AIOKafkaConsumer) -> None:
    """Polls in between bring nothing and cost nothing; then it goes on where it was."""
    held = Buffered(1000)
    assert await read_one(held, consumer) == b"a"
    kept = consumer._fetcher._records[SPANS]
    held.set_paused(consumer, SPANS, True)

    assert await held.poll(consumer, [], 0.05, 10) == {}
    assert consumer._fetcher._records[SPANS] is kept
    held.set_paused(consumer, SPANS, False)
    assert await read_one(held, consumer) == b"b"
    assert consumer._fetcher._records[SPANS] is kept


async def test_poll_that_waits_finds_what_goes_on(consumer: AIOKafkaConsumer) -> None:
    """Nobody waits for the poll's end, which is half a second away."""
    held = Buffered(1000)
    await read_one(held, consumer)
    held.set_paused(consumer, SPANS, True)
    poll = asyncio.create_task(held.poll(consumer, [], 60.0, 10))
    for _ in range(3):
        await asyncio.sleep(0)  # It begins to wait in its first turn.
    assert consumer._fetcher._fetch_waiters
    held.set_paused(consumer, SPANS, False)

    async with asyncio.timeout(10):
        found: Any = await poll
    assert [record.value for record in found[SPANS]] == [b"b", b"c"]


async def test_more_than_may_be_kept_is_let_go(
    consumer: AIOKafkaConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is fetched again when the partition goes on: nothing is missing."""
    monkeypatch.setattr(buffered, "KEPT_BYTES_MAX", 1)
    held = Buffered(1)
    await read_one(held, consumer)
    held.set_paused(consumer, SPANS, True)

    assert await held.poll(consumer, [], 0.01, 10) == {}
    assert SPANS not in consumer._fetcher._records
    held.set_paused(consumer, SPANS, False)
    assert [await read_one(held, consumer) for _ in range(2)] == [b"b", b"c"]


async def test_seek_while_paused_is_obeyed(consumer: AIOKafkaConsumer) -> None:
    """What was kept is of no use then."""
    held = Buffered(1000)
    await read_one(held, consumer)
    held.set_paused(consumer, SPANS, True)
    consumer.seek(SPANS, 2)
    held.set_paused(consumer, SPANS, False)

    assert await read_one(held, consumer) == b"c"


async def test_partition_of_others_is_left_alone(consumer: AIOKafkaConsumer) -> None:
    """Neither paused nor gone on with."""
    held = Buffered(1000)
    for paused in (True, False):
        held.set_paused(consumer, TopicPartition("other", 7), paused)

    assert held._paused == set()


async def test_stopped_consumer_says_so(consumer: AIOKafkaConsumer) -> None:
    """As aiokafka's own polling does."""
    await consumer.stop()

    with pytest.raises(ConsumerStoppedError):
        await Buffered(1).poll(consumer, [], 0.01, 1)
