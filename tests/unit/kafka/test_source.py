"""Consuming as a whole, against the in-process broker: begin, follow, end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from bridge.core import Deadline, State, Status, SystemClock
from bridge.flow import LaneLimits
from bridge.kafka import KafkaSource, SourceOptions, Subscription, Troubles, Windows
from bridge.kafka.consumer import Fetching, Membership
from bridge.kafka.embedded import EmbeddedBroker
from bridge.testing import RecordingMetrics
from tests.unit.kafka.consuming import FakeHandler


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    """A running broker with one topic of two partitions."""
    broker = EmbeddedBroker({"spans": 2})
    await broker.start()
    yield broker
    await broker.stop()


class Rig:
    """A source with everything around it."""

    def __init__(self, bootstrap: str, **changes: Any) -> None:
        self.handler, self.metrics, self.clock = FakeHandler(), RecordingMetrics(), SystemClock()
        self.reports: dict[str, Status] = {}
        options = SourceOptions(
            name="kafka",
            connection={"bootstrap_servers": [bootstrap]},
            principal="",
            membership=Membership("processing", None, ("sticky",), 6.0, 1.0, 10.0),
            fetching=Fetching(1, 1 << 20, 1 << 20, 0.05, None),
            subscription=Subscription(("spans",)),
            initial="earliest",
            windows=Windows(LaneLimits(1 << 20, 4, 1), 1 << 22),
            islands=True,
            commit_interval_s=0.05,
            revoke_timeout_s=5.0,
            lag_interval_s=0.1,
        )
        self.source = KafkaSource(
            replace(options, **changes),
            self.handler,
            self._report,
            Troubles(self._report, "processing", ""),
            self.metrics,
            self.clock,
        )

    def _report(self, status: Status) -> None:
        self.reports[status.subject] = status

    async def stop(self) -> None:
        await self.source.stop(Deadline.after(10.0, self.clock))


async def _produce(bootstrap: str, count: int, topic: str = "spans") -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for index in range(count):
        await producer.send_and_wait(topic, b"x%d" % index, partition=0)
    await producer.stop()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not condition():  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.01)


async def test_source_reads_commits_and_goes_on_there(broker: EmbeddedBroker) -> None:
    """A second source of the group begins where the first one ended."""
    await _produce(broker.bootstrap, 3)
    first = Rig(broker.bootstrap)
    await first.source.start()
    await _until(lambda: first.handler.delivered == [0, 1, 2])
    await first.stop()
    await first.stop()
    await _produce(broker.bootstrap, 1)

    second = Rig(broker.bootstrap)
    await second.source.start()
    await _until(lambda: bool(second.handler.delivered))
    await second.stop()

    assert second.handler.delivered == [3]
    assert first.reports[""].state is State.OK
    assert sorted(first.handler.events[-2:]) == ["closed spans/0 1", "closed spans/1 1"]
    assert first.metrics.value("bridge_kafka_receiver_commits") >= 1


async def test_source_latest_leaves_the_backlog(broker: EmbeddedBroker) -> None:
    """With `initial_offset: latest` a new group reads what comes after it joined."""
    await _produce(broker.bootstrap, 3)
    rig = Rig(broker.bootstrap, initial="latest")
    await rig.source.start()
    await _until(lambda: len(rig.handler.events) == 2)
    await _produce(broker.bootstrap, 1)
    await _until(lambda: bool(rig.handler.delivered))
    await rig.stop()

    assert rig.handler.delivered == [3]


async def test_source_shows_lag_while_assigned(broker: EmbeddedBroker) -> None:
    """The lag is measured by itself and disappears with the assignment."""
    rig = Rig(broker.bootstrap)
    await rig.source.start()
    await _produce(broker.bootstrap, 2)
    await _until(lambda: rig.handler.delivered == [0, 1])
    offset = "otelcol_kafka_receiver_current_offset"
    await _until(lambda: rig.metrics.value(offset, partition="0") == 1)
    await _until(lambda: rig.metrics.value("otelcol_kafka_receiver_offset_lag") == 0)
    await rig.stop()

    assert rig.metrics.series(offset) == []


async def test_source_session_that_fails_is_replaced(broker: EmbeddedBroker) -> None:
    """After any failure another consumer goes on, with a higher epoch, and says that it is well."""
    rig = Rig(broker.bootstrap)
    await rig.source.start()
    await _until(lambda: len(rig.handler.events) == 2)
    session = rig.source._session
    assert session is not None
    session._client._consumer._coordinator._coordination_task.cancel()
    await _produce(broker.bootstrap, 1)
    await _until(lambda: rig.metrics.value("bridge_kafka_receiver_consumer_restarts") == 1)
    await _until(lambda: "opened spans/1 2" in rig.handler.events)
    await _until(lambda: rig.handler.delivered[-1:] == [0])
    await rig.stop()

    assert rig.reports["kafka"].state is State.OK
    assert "closed spans/0 1" in rig.handler.events


async def test_source_without_broker_reports_and_stops() -> None:
    """Start returns, the trouble names the address, stop does not wait for a broker."""
    rig = Rig("127.0.0.1:1")
    await rig.source.start()
    await _until(lambda: "kafka" in rig.reports)
    await rig.stop()

    assert rig.reports["kafka"].state is State.RECOVERABLE
    assert "127.0.0.1:1" in rig.reports["kafka"].reason
    assert "" not in rig.reports


async def test_source_stop_before_start_does_nothing() -> None:
    """A source that never began ends at once."""
    await Rig("127.0.0.1:1").stop()


async def test_source_stop_leaves_unfinished_records_to_the_next(broker: EmbeddedBroker) -> None:
    """A delivery that does not return is given up at the deadline and is not committed."""
    await _produce(broker.bootstrap, 1)
    rig = Rig(broker.bootstrap)

    async def never(lane: Any, chunk: Any) -> None:
        chunk.busy = True
        await asyncio.Event().wait()

    rig.handler.work = never
    await rig.source.start()
    await _until(lambda: any(lane.started for lane in _lanes(rig)))
    await rig.source.stop(Deadline.after(0.3, rig.clock))
    again = Rig(broker.bootstrap)
    await again.source.start()
    await _until(lambda: bool(again.handler.delivered))
    await again.stop()

    assert (rig.handler.delivered, again.handler.delivered) == ([], [0])


def _lanes(rig: Rig) -> list[Any]:
    session = rig.source._session
    runner = session._runner if session is not None else None
    return list(runner.lanes.values()) if runner is not None else []
