"""One consumer's life: topics, beginnings, skips, ends; with the broker: test_source."""

import asyncio
from dataclasses import replace
from typing import Any

import aiokafka.errors as kafka
import pytest
from structlog.testing import capture_logs

from bridge.core import Deadline, State, Status
from bridge.flow import Chunk, Lane, LaneLimits
from bridge.kafka import SourceOptions, Subscription, Troubles, Windows, opening
from bridge.kafka import session as module
from bridge.kafka.consumer import Committed, Fetching, Membership
from bridge.kafka.lane_figures import LaneFigures
from bridge.kafka.read_back import Unfinished
from bridge.kafka.session import Session
from bridge.testing import ManualClock, RecordingMetrics, settle
from tests.unit.kafka.consuming import ONE, TWO, FakeClient, FakeHandler, record


class Client(FakeClient):
    """A client that also joins, and may fail to look at offsets."""

    def __init__(self) -> None:
        super().__init__()
        self.missing: frozenset[str] = frozenset()
        self.subscriptions: list[Subscription] = []
        self.bounds = {ONE: (0, 10), TWO: (0, 10)}
        self.look_errors: list[Exception] = []
        self.stopped_s: float | None = None

    async def start(self) -> None:
        await settle(1)

    async def missing_topics(self, topics: object) -> frozenset[str]:
        return self.missing

    def subscribe(self, subscription: Subscription, listener: object) -> None:
        self.subscriptions.append(subscription)

    async def log_bounds(self, partitions: object) -> Any:
        if self.look_errors:
            raise self.look_errors.pop(0)
        return self.bounds

    async def log_ends(self, partitions: object) -> Any:
        return {where: end for where, (_, end) in self.bounds.items()}

    async def stop(self, timeout_s: float) -> None:
        self.stopped_s = timeout_s


class Rig:
    """A session over a scripted client, and what it reports."""

    def __init__(self, client: Client) -> None:
        self.client, self.handler, self.clock = client, FakeHandler(), ManualClock()
        self.metrics = RecordingMetrics()
        self.reports: dict[str, Status] = {}
        self.running = 0
        troubles = Troubles(lambda s: self.reports.update({s.subject: s}), "processing", "")
        self.session = Session(
            SourceOptions(
                name="kafka",
                connection={"bootstrap_servers": ["kafka:9092"]},
                principal="",
                membership=Membership("processing", None, ("sticky",), 30.0, 3.0, 60.0),
                fetching=Fetching(1, 1 << 20, 1 << 20, 0.25, None),
                subscription=Subscription(("spans", "more")),
                initial="earliest",
                windows=Windows(LaneLimits(1 << 20, 4, 1), 1 << 22),
                islands=True,
                commit_interval_s=1.0,
                revoke_timeout_s=5.0,
                lag_interval_s=5.0,
            ),
            self.handler,
            troubles,
            LaneFigures(self.metrics, self.clock, "kafka"),
            self.metrics,
            self.clock,
            4,
            self._on_running,
        )

    def _on_running(self) -> None:
        self.running += 1

    def lane(self) -> Lane:
        assert self.session._runner is not None
        return self.session._runner.lanes[ONE]

    async def __aenter__(self) -> "Rig":
        self.task = asyncio.ensure_future(self.session.run())
        await settle(60)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.session.ask_stop(Deadline.after(10.0, self.clock))
        await asyncio.wait_for(self.task, 5.0)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """The client that a session makes."""
    made = Client()
    monkeypatch.setattr(module, "ConsumerClient", lambda *_: made)
    return made


async def test_session_joins_with_the_topics_that_exist(client: Client) -> None:
    """A missing topic is reported with the command; when it comes, the group is joined anew."""
    client.missing = frozenset({"more"})
    async with Rig(client) as rig:
        assert client.subscriptions == [Subscription(("spans",))]
        assert rig.reports["topics"].state is State.RECOVERABLE
        assert "--topic more" in rig.reports["topics"].hint
        assert rig.running == 1

        client.missing = frozenset()
        await rig.clock.advance(10.0)

        assert client.subscriptions[1:] == [Subscription(("spans", "more"))]
        assert rig.reports["topics"].state is State.OK
    assert rig.session.phase == "ended"


async def test_session_opens_where_the_group_stands(client: Client) -> None:
    """Each partition is sought to its commit before anything of it is read."""
    client.committed_offsets = {ONE: Committed(3, "")}
    async with Rig(client) as rig:
        rig.session.assign(frozenset({ONE}))

        assert rig.lane().opened is False

        await settle(60)

        assert client.seeks == [(ONE, 3)]
        assert client.paused == {ONE: False}
        assert rig.handler.events == ["opened spans/0 5"]
        assert rig.handler.prepared == [False]
    assert rig.session.epoch == 5


async def test_session_that_cannot_look_reads_nothing(client: Client) -> None:
    """As long as it is not known where to begin, a partition waits and the trouble is reported."""
    client.look_errors = [kafka.RequestTimedOutError()]
    async with Rig(client) as rig:
        rig.session.assign(frozenset({ONE}))
        await settle(60)

        assert (rig.lane().opened, client.seeks) == (False, [])
        assert rig.reports["offsets"].state is State.RECOVERABLE

        await rig.clock.advance(1.0)

        assert rig.lane().opened
        assert rig.reports["offsets"].state is State.OK


async def test_session_expired_records_are_counted_and_logged(client: Client) -> None:
    """What retention took before it was delivered is an error in the log and a counter."""
    client.committed_offsets = {ONE: Committed(3, "someone's")}
    client.bounds = {ONE: (7, 10)}
    async with Rig(client) as rig:
        with capture_logs() as logs:
            rig.session.assign(frozenset({ONE}))
            await settle(60)

        events = {entry["event"]: entry for entry in logs}
        assert events["kafka_records_expired"]["records"] == 4
        assert "kafka_islands_discarded" in events
        assert rig.metrics.value("bridge_kafka_receiver_expired_records") == 4
        assert rig.lane().book.read_next == 7


async def test_session_revoke_commits_and_ends_assignments(client: Client) -> None:
    """When the group takes partitions back, what was delivered is committed first."""
    async with Rig(client) as rig:
        rig.session.assign(frozenset({ONE}))
        await settle(60)
        lane = rig.lane()
        assert rig.session._runner is not None
        rig.session._runner.take(lane, [record(0)])
        await settle()

        await rig.session.revoke()

        assert client.commits == [{ONE: (1, "")}]
        assert lane.closed
        assert rig.handler.events[-1] == "closed spans/0 5"


async def test_session_revoke_does_not_wait_for_the_commit_for_ever(client: Client) -> None:
    """Brokers that do not answer cost duplicates, not the membership."""

    async def unanswered(offsets: object) -> None:
        await asyncio.Event().wait()

    async with Rig(client) as rig:
        rig.session._options = replace(
            rig.session._options, revoke_timeout_s=59.98
        )  # Of a rebalance timeout of 60 seconds.
        rig.session.assign(frozenset({ONE}))
        await settle(60)
        client.commit = unanswered  # type: ignore[method-assign]  # Only here.

        with capture_logs() as logs:
            await asyncio.wait_for(rig.session.revoke(), 5.0)

        assert "kafka_last_commit_unanswered" in [entry["event"] for entry in logs]
        assert rig.handler.events[-1] == "closed spans/0 5"


async def test_session_commits_regularly(client: Client) -> None:
    """What was delivered is committed on the interval; a failure is reported and repeated."""
    async with Rig(client) as rig:
        rig.session.assign(frozenset({ONE}))
        await settle(60)
        client.commit_errors.append(kafka.GroupAuthorizationFailedError("processing"))
        await rig.clock.advance(1.0)

        assert rig.reports["commit"].state is State.PERMANENT

        await rig.clock.advance(1.0)

        assert client.commits == [{ONE: (0, "")}]
        assert rig.reports["commit"].state is State.OK


async def test_session_releases_what_was_asked_to_be_skipped(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A held record is finished when its very offset is asked for; nobody is asked before."""
    asked: list[object] = []
    answers: dict[Any, Any] = {("spans", 0): (8,)}

    async def read_skips(connection: object, group: str, held: Any) -> Any:
        asked.append((group, set(held)))
        return answers

    monkeypatch.setattr(module, "read_skips", read_skips)
    async with Rig(client) as rig:
        rig.session.assign(frozenset({ONE}))
        await settle(60)
        lane = rig.lane()
        await rig.clock.advance(3.0)

        assert asked == []

        assert rig.session._runner is not None
        rig.handler.work = _never
        rig.session._runner.take(lane, [record(0)])
        lane.get_stuck(0, "odd")
        await rig.clock.advance(3.0)

        assert asked == [("processing", {("spans", 0)})]
        assert 0 in lane.stuck

        answers["spans", 0] = (8, 0)
        await rig.clock.advance(3.0)

        assert lane.stuck == {}
        assert lane.book.committed == 1
        assert rig.metrics.value("bridge_kafka_receiver_skipped_records") == 1


async def _never(lane: object, chunk: object) -> None:
    await asyncio.Event().wait()


async def test_session_reopens_what_is_out_of_range(client: Client) -> None:
    """A partition whose position is gone gets a new assignment and looks again."""
    async with Rig(client) as rig:
        rig.session.assign(frozenset({ONE}))
        await settle(60)
        client.polls.append(kafka.OffsetOutOfRangeError({ONE: 99}))
        await settle(100)

        assert rig.handler.events == ["opened spans/0 5", "closed spans/0 5", "opened spans/0 6"]


async def test_session_failure_ends_it(client: Client) -> None:
    """An error beyond repair ends the session; its lanes are closed and the client is stopped."""
    rig = Rig(client)
    task = asyncio.ensure_future(rig.session.run())
    await settle(60)
    rig.session.assign(frozenset({ONE}))
    await settle(60)
    client.polls.append(kafka.KafkaError("Unexpected error during coordination"))

    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(task, 5.0)

    assert rig.handler.events[-1] == "closed spans/0 5"
    assert client.stopped_s is not None
    assert (rig.session.phase, rig.session.was_running) == ("ended", True)


async def test_session_reads_back_for_stages_that_want_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading begins before the commit, at the place that the brokers tell for that time."""
    asked: list[Any] = []

    async def find(connection: object, wanted: Any) -> Any:
        asked.append(wanted)
        return {ONE: 1}

    monkeypatch.setattr(opening, "find_context", find)
    client.committed_offsets = {ONE: Committed(3, "")}
    async with Rig(client) as rig:
        rig.handler.back_s = 35.0
        rig.session.assign(frozenset({ONE, TWO}))
        await settle(60)

        assert asked == [{ONE: Unfinished(3, 0, 10, 35.0)}]
        assert sorted(client.seeks) == [(ONE, 1), (TWO, 0)]
        assert rig.lane().book.committed == 3


async def _held(rig: Rig) -> Lane:
    """A lane with two records that a stage holds, and one that waits."""

    async def hold(lane: Lane, chunk: Chunk) -> None:
        chunk.busy = True
        lane.hold([entry.offset for entry in chunk.entries])
        await asyncio.Event().wait()

    rig.handler.work = hold
    rig.session.assign(frozenset({ONE}))
    await settle(60)
    lane = rig.lane()
    assert rig.session._runner is not None
    rig.session._runner.take(lane, [record(0), record(1)])
    await settle()
    return lane


async def test_session_resumes_a_partition_that_comes_back_at_once(client: Client) -> None:
    """In the very next generation nobody else can have had it: what is held goes on."""
    client.committed_offsets = {ONE: Committed(0, "")}
    async with Rig(client) as rig:
        lane = await _held(rig)
        await rig.session.revoke()
        assert not lane.closed
        client.generation += 1
        rig.session.assign(frozenset({ONE, TWO}))
        await settle(60)

        assert rig.lane() is lane
        assert (lane.frozen, lane.epoch) == (False, 6)
        assert {(TWO, 0), (ONE, 2)} == set(client.seeks[-2:])
        assert rig.metrics.value("bridge_kafka_receiver_partitions_resumed") == 1
        assert "closed spans/0 5" not in rig.handler.events


@pytest.mark.parametrize("why", ["generation", "elsewhere", "commit", "log"])
async def test_session_drops_what_may_not_be_the_truth(client: Client, why: str) -> None:
    """Somebody else may have had the partition, or the log is another: all is read again."""
    client.committed_offsets = {ONE: Committed(0, "")}
    async with Rig(client) as rig:
        lane = await _held(rig)
        await rig.session.revoke()
        client.generation += 2 if why == "generation" else 1
        if why == "commit":
            client.committed_offsets = {ONE: Committed(1, "")}
        if why == "log":
            client.bounds = {**client.bounds, ONE: (0, 1)}
        rig.session.assign(frozenset({TWO} if why == "elsewhere" else {ONE}))
        await settle(60)

        assert lane.closed
        assert rig.session._runner is not None
        assert lane not in rig.session._runner.lanes.values()
        assert any(event.startswith("closed spans/0") for event in rig.handler.events)
        assert rig.metrics.value("bridge_kafka_receiver_partitions_resumed") == 0


async def test_session_end_gives_up_what_is_frozen(client: Client) -> None:
    """A consumer that ends while its partitions are away leaves nothing behind."""
    async with Rig(client) as rig:
        lane = await _held(rig)
        await rig.session.revoke()

    assert lane.closed
    assert rig.handler.events[-1] == "closed spans/0 5"
