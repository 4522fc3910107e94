"""Tail sampling behind the Kafka receiver, on a real Kafka: what a restart in the middle keeps."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from bridge.core import Deadline, Signal, SystemClock
from bridge.processors.tail_sampling import TailSampling, TailSamplingOptions
from bridge.receivers.kafka import KafkaReceiver, KafkaReceiverOptions
from bridge.testing import FakeStage, make_settings, span_ids, trace_request
from tests.kafka_client import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

WAIT_S = 30.0
SPANS_PER_TRACE = 4
ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}


class Oracle:
    """Knows every span that was sent: which must come out, and in which records they stand."""

    def __init__(self, traces: int) -> None:
        self.records: list[tuple[bytes, int]] = []
        self.wanted: dict[bytes, int] = {}
        began_ms = int(time.time() * 1000) - 120_000
        for number in range(traces):
            made = trace_request(1, SPANS_PER_TRACE, seed=number, failed_share=number % 3 == 0)
            if number % 3 == 0:
                self.wanted |= dict.fromkeys(made.span_ids, number)
            self.records.append((made.body, began_ms + number * 100))

    @property
    def committable(self) -> int:
        return len(self.records)

    def lowest_missing(self, got: Counter[bytes]) -> int:
        """The offset of the first record with a span that must come out and has not."""
        missing = [offset for span, offset in self.wanted.items() if span not in got]
        return min(missing, default=self.committable)


@asynccontextmanager
async def sampling(
    kafka: Kafka, topic: str, group: str, backend: FakeStage, **options: Any
) -> AsyncIterator[TailSampling]:
    """Receiver and sampler, sources stopped first."""
    config = TailSamplingOptions.model_validate(
        {"decision_wait": "2s", "policies": [ERRORS], **options}
    )
    sampler = TailSampling(config, make_settings("tail_sampling"), Signal.TRACES, backend)
    receiver = KafkaReceiver(
        KafkaReceiverOptions.model_validate(
            {
                "brokers": kafka.bootstrap.split(","),
                "group_id": group,
                "traces": {"topics": [topic]},
                "session_timeout": "6s",
                "heartbeat_interval": "500ms",
                "autocommit": {"interval": "100ms"},
                "max_batch_kib": 8,
            }
        ),
        make_settings("kafka"),
        {Signal.TRACES: sampler},
    )
    await sampler.start()
    await receiver.start()
    try:
        yield sampler
    finally:
        await receiver.stop(Deadline.after(5.0, SystemClock()))
        await sampler.stop(Deadline.after(1.0, SystemClock()))


async def produce(kafka: Kafka, topic: str, oracle: Oracle) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        for body, at_ms in oracle.records:
            await producer.send(topic, body, partition=0, timestamp_ms=at_ms)
        await producer.flush()
    finally:
        await producer.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - A broker tells nobody.
            await asyncio.sleep(0.02)


async def until_committed(kafka: Kafka, group: str, topic: str, offset: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while (await kafka.committed(group, topic)).get(0) != offset:  # noqa: ASYNC110 - As above.
            await asyncio.sleep(0.05)


def delivered(backend: FakeStage) -> Counter[bytes]:
    """How often each span came out."""
    return Counter(one for batch in backend.taken for one in span_ids(batch.body))


async def test_tail_sampling_restart_loses_no_undecided_trace(kafka: Kafka) -> None:
    """Offsets never pass an undecided trace, so that a restart reads it again in full."""
    topic, group = kafka.unique("spans"), kafka.unique("group")
    await kafka.create_topic(topic, partitions=1)
    oracle = Oracle(300)
    await produce(kafka, topic, oracle)
    first, second = FakeStage(), FakeStage()
    async with sampling(kafka, topic, group, first, delivery_bytes_max=1024):
        await until(lambda: len(first.taken) >= 20)
        first.hold()
        await asyncio.sleep(0.5)  # Time for a commit, which would be wrong beyond what arrived.
    committed = (await kafka.committed(group, topic)).get(0, 0)
    assert committed <= oracle.lowest_missing(delivered(first))
    async with sampling(kafka, topic, group, second):
        await until(
            lambda: oracle.wanted.keys() <= delivered(first).keys() | delivered(second).keys()
        )
        await until_committed(kafka, group, topic, oracle.committable)

    assert oracle.wanted.keys() == delivered(first).keys() | delivered(second).keys()
    assert {1} == set(delivered(second).values())


async def test_tail_sampling_backend_away_holds_only_what_is_sampled(kafka: Kafka) -> None:
    """While nothing can be delivered the commit stands at the first sampled trace."""
    topic, group = kafka.unique("spans"), kafka.unique("group")
    await kafka.create_topic(topic, partitions=1)
    oracle = Oracle(60)
    await produce(kafka, topic, oracle)
    backend = FakeStage()
    backend.hold()
    async with sampling(kafka, topic, group, backend) as sampler:
        await until(lambda: backend.in_flight >= 1)
        await asyncio.sleep(0.5)
        assert (await kafka.committed(group, topic)).get(0, 0) == 0
        backend.release()
        await until(lambda: oracle.wanted.keys() <= delivered(backend).keys())
        await until_committed(kafka, group, topic, oracle.committable)
        assert "0 undecided" in repr(sampler)

    assert {1} == set(delivered(backend).values())
