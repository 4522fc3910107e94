"""The fetch loop: which records reach which lane, and what errors cost."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiokafka.errors as kafka
import pytest
from aiokafka import TopicPartition

from bridge.core import State, Status
from bridge.flow import Lane, Unreadable
from bridge.kafka.lane_figures import LaneFigures
from bridge.kafka.lane_runner import LaneRunner
from bridge.kafka.poller import Poller
from bridge.kafka.trouble import Troubles
from bridge.testing import ManualClock, RecordingMetrics, settle
from tests.unit.kafka.consuming import ONE, TWO, WINDOWS, FakeClient, FakeHandler, record


class Rig:
    """A poller over a scripted client, with both partitions open at offset 0."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.client, self.handler, self.clock = FakeClient(), FakeHandler(), ManualClock()
        self.reports: list[Status] = []
        self.reopened: list[TopicPartition] = []
        self.runner = LaneRunner(
            self.client,  # type: ignore[arg-type]  # A fake of what is asked of it.
            self.handler,
            LaneFigures(RecordingMetrics(), self.clock, "kafka"),
            WINDOWS,
            group,
            0,
        )
        for lane in self.runner.assign([ONE, TWO]):
            lane.open(0)
            self.runner.opened(lane)
        self.poller = Poller(
            self.client,  # type: ignore[arg-type]  # A fake of what is asked of it.
            self.runner,
            Troubles(self.reports.append, "processing", ""),
            self.clock,
            self.reopened.extend,
        )
        self.poller.may_run.set()

    def lane(self, where: TopicPartition = ONE) -> Lane:
        return self.runner.lanes[where]

    @contextmanager
    def polling(self, group: asyncio.TaskGroup) -> Iterator[asyncio.Task[None]]:
        task = group.create_task(self.poller.run())
        yield task
        task.cancel()


async def test_poller_brings_records_to_their_lanes() -> None:
    """What comes in one poll is delivered by partition."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.polls.append({ONE: [record(0), record(1)], TWO: [record(0, TWO)]})
        with rig.polling(group):
            await settle(60)

    assert sorted(rig.handler.delivered) == [0, 0, 1]


async def test_poller_records_of_an_ended_assignment_are_left() -> None:
    """Records that were fetched before a rebalance do not reach the lane that follows."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        old = rig.lane(TWO)

        def rebalance(lane: Lane, records: object) -> list[object]:
            # While the first partition is read, the other one changes its assignment.
            rig.runner.close([old])
            (new,) = rig.runner.assign([TWO])
            new.open(0)
            return []

        rig.handler.read = rebalance  # type: ignore[method-assign,assignment]  # Only here.
        rig.client.polls.append({ONE: [record(0)], TWO: [record(7, TWO)]})
        with rig.polling(group):
            await settle(60)

        assert rig.lane(TWO) is not old
        assert rig.lane(TWO).book.read_next == 0


async def test_poller_error_rewinds_every_lane() -> None:
    """A poll that fails may have thrown records away: every partition goes back to its place."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.polls.append({ONE: [record(0), record(1)]})
        rig.client.polls.append(kafka.NoOffsetForPartitionError(TWO))
        with rig.polling(group):
            await settle(60)

    assert set(rig.client.seeks) == {(ONE, 2), (TWO, 0)}
    assert rig.reports == []


async def test_poller_out_of_range_looks_again_where_to_begin() -> None:
    """A position that the log does not have opens that partition anew."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.polls.append(kafka.OffsetOutOfRangeError({TWO: 9}))
        with rig.polling(group):
            await settle(60)

    assert rig.reopened == [TWO]


@pytest.mark.parametrize(
    ("error", "state", "hint"),
    [
        (kafka.TopicAuthorizationFailedError("spans"), State.PERMANENT, "kafka-acls"),
        (kafka.GroupAuthorizationFailedError("processing"), State.PERMANENT, "--group processing"),
        (kafka.InconsistentGroupProtocolError(), State.PERMANENT, "cooperative-sticky"),
        (kafka.RecordTooLargeError("5"), State.PERMANENT, "max_partition_fetch_size"),
        (kafka.RequestTimedOutError(), State.RECOVERABLE, ""),
    ],
)
async def test_poller_trouble_is_reported_and_polled_on(
    error: kafka.KafkaError, state: State, hint: str
) -> None:
    """What somebody must mend, or time will, is a status; polling goes on after a pause."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.polls.append(error)
        rig.client.polls.append({ONE: [record(0)]})
        with rig.polling(group) as task:
            await rig.clock.wait_sleeping()
            await rig.clock.advance(1.0)
            await settle(60)

            assert not task.done()

    (status,) = rig.reports
    assert (status.state, status.subject) == (state, "group")
    assert hint in status.hint
    assert rig.handler.delivered == [0]


async def test_poller_ends_when_the_consumer_is_beyond_repair() -> None:
    """An error that aiokafka does not come back from ends the loop, so that all is made anew."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.polls.append(kafka.KafkaError("Unexpected error during coordination"))

        with pytest.raises(kafka.KafkaError, match="during coordination"):
            await rig.poller.run()


@pytest.mark.parametrize(
    "error", [kafka.CorruptRecordException("Invalid CRC"), ValueError("zstd: bad frame")]
)
async def test_poller_damaged_batch_becomes_one_poisonous_record(error: Exception) -> None:
    """Damaged offsets are tried one by one and set aside as a whole; nothing around is lost."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        seen: list[Any] = []
        rig.handler.work = lambda lane, chunk: _note(seen, chunk.entries)
        rig.client.polls.append(error)
        rig.client.ends = {ONE: (5, 0), TWO: (0, 0)}
        rig.client.probes[TWO] = deque()
        rig.client.probes[ONE] = deque(
            [{ONE: [record(0)]}, error, error, error, {ONE: [record(4)]}]
        )
        with rig.polling(group):
            await settle(400)

    damaged = [entry for entry in seen if entry.fault is not None]
    assert [entry.offset for entry in seen] == [0, 1, 4]
    assert [(e.record.offset, e.record.offset_stop) for e in damaged] == [(1, 4)]
    assert isinstance(damaged[0].record, Unreadable)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("unable to perform operation on a closed transport"), kafka.NodeNotReadyError()],
)
async def test_poller_fault_of_a_dead_consumer_says_nothing_about_records(
    error: Exception,
) -> None:
    """Once aiokafka's routines ended, every poll fails: no record is taken for damaged."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.broken = "coordination"
        rig.client.ends = {ONE: (5, 0), TWO: (5, 0)}
        rig.client.polls.append(error)

        with pytest.raises(type(error)):
            await rig.poller.run()

    assert rig.handler.delivered == []
    assert rig.lane(ONE).book.read_next == 0


async def test_poller_ends_when_a_routine_died_in_silence() -> None:
    """Without its metadata routine a consumer polls well and never commits again."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.broken = "metadata"
        rig.client.polls.append({ONE: [record(0)]})

        with pytest.raises(kafka.KafkaError, match="metadata routine ended"):
            await rig.poller.run()


async def test_poller_consumer_that_dies_in_a_search_ends_it() -> None:
    """A fault that comes while damage is searched for is no further damage."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.polls.append(ValueError("zstd: bad frame"))
        rig.client.ends = {ONE: (5, 0), TWO: (5, 0)}
        rig.client.positions = {ONE: 0, TWO: 0}
        rig.client.probes = {where: deque([RuntimeError("closed")]) for where in (ONE, TWO)}
        answer = rig.client.poll

        async def die_at_a_probe(partitions: Any, timeout_s: float, records_max: int) -> Any:
            rig.client.broken = "fetching" if len(partitions) == 1 else ""
            return await answer(partitions, timeout_s, records_max)

        rig.client.poll = die_at_a_probe  # type: ignore[method-assign]  # Only here.
        with pytest.raises(RuntimeError, match="closed"):
            await rig.poller.run()

    assert rig.handler.delivered == []


async def test_poller_damage_ends_where_the_log_does() -> None:
    """Offsets that were not even fetched are never skipped as damaged."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.polls.append(ValueError("zstd: bad frame"))
        rig.client.ends = {ONE: (2, 0), TWO: (0, 0)}
        rig.client.positions = {ONE: 0, TWO: 0}
        rig.client.probes = {ONE: deque([ValueError("zstd: bad frame")] * 9), TWO: deque()}

        with pytest.raises(ValueError, match="bad frame"):
            await rig.poller.run()

    assert max(offset for where, offset in rig.client.seeks if where == ONE) == 2


async def _note(seen: list[Any], entries: tuple[Any, ...]) -> None:
    seen += entries


async def test_poller_gap_at_the_end_is_taken_as_read() -> None:
    """Control records behind the last record leave no lag, once everything fetched was admitted."""
    async with asyncio.TaskGroup() as group:
        rig = Rig(group)
        rig.client.positions = {ONE: 3, TWO: 0}
        rig.poller.advance_soon()
        with rig.polling(group):
            await settle(60)

        assert rig.lane(ONE).book.committed == 3
