"""The life of one consumer in its group: joining, polling, committing, leaving."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import aiokafka.errors as kafka
import structlog
from aiokafka import TopicPartition

from bridge.core import Clock, Deadline, DeliveryError, Metrics, State, Status
from bridge.flow import Column, Lane
from bridge.kafka.beginning import InitialOffset
from bridge.kafka.commit import Committer
from bridge.kafka.consumer import ConsumerClient, Fetching, Membership, Subscription
from bridge.kafka.embedded_guard import guard_of
from bridge.kafka.lane_figures import LaneFigures
from bridge.kafka.lane_runner import LaneHandler, LaneRunner, Windows, where_is
from bridge.kafka.opening import Looking, Opener
from bridge.kafka.poller import Poller
from bridge.kafka.rebalance import Rebalance
from bridge.kafka.skipping import read_skips
from bridge.kafka.trouble import Troubles

log = structlog.get_logger()

TOPICS_INTERVAL_S = 10.0
"""Seconds between looks for topics that do not exist, or exist no more."""

ABSENT_INTERVAL_S = 2.0
"""The same while there is no topic at all."""

SKIPS_INTERVAL_S = 3.0
"""Seconds between looks for skip requests, while a partition is held."""

LEAVE_RESERVE_S = 3.0
"""Seconds of a stop's deadline that are kept for committing and leaving the group."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """
    Everything a source must know. Times are seconds.

    `connection` is what `connection_kwargs` gave, `name` the component's id.
    """

    name: str
    connection: Mapping[str, Any]
    principal: str
    membership: Membership
    fetching: Fetching
    subscription: Subscription
    initial: InitialOffset
    windows: Windows
    islands: bool
    commit_interval_s: float
    revoke_timeout_s: float
    lag_interval_s: float


Phase = Literal["starting", "running", "ended"]


class Session:
    """
    One consumer, from `run` to its end. A new one is made after any failure.

    Args:
        epoch:
            Number of the last assignment that this process had.
        on_running:
            Called once a broker was reached.
    """

    def __init__(
        self,
        options: SourceOptions,
        handler: LaneHandler,
        troubles: Troubles,
        figures: LaneFigures,
        metrics: Metrics,
        clock: Clock,
        epoch: int,
        on_running: Callable[[], None],
    ) -> None:
        self._options = options
        self._handler = handler
        self._troubles = troubles
        self._figures = figures
        self._clock = clock
        self._on_running = on_running
        self._client = ConsumerClient(options.connection, options.membership, options.fetching)
        self._committer = Committer(
            self._client,
            metrics,
            {"receiver": options.name},
            group=options.membership.group,
            principal=options.principal,
            islands=options.islands,
            guard=guard_of(options.connection["bootstrap_servers"]),
        )
        self._rebalance = Rebalance(self, metrics, options.name, clock)
        self._opener = Opener(
            self._client,
            handler,
            Looking(options.connection, options.initial, options.islands),
            self._rebalance,
            troubles,
            clock,
            self._reopen,
        )
        # What changes: what runs, and who asked for the end.
        self.epoch = epoch
        self.phase: Phase = "starting"
        self.was_running = False
        self.has_twin = False
        self._runner: LaneRunner | None = None
        self._group: asyncio.TaskGroup | None = None
        self._loops: set[asyncio.Task[None]] = set()
        self._stop_asked = asyncio.Event()
        self._deadline: Deadline | None = None
        self._generation = -1

    async def run(self) -> None:
        """
        Consume until `ask_stop`.

        Raises:
            Exception: Whatever made it impossible to go on, within an `ExceptionGroup` or alone.

        Cancellation:
            Leaves the group without waiting for deliveries; what is not committed comes again.
        """
        try:
            await self._client.start()
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._runner = LaneRunner(
                    self._client,
                    self._handler,
                    self._figures,
                    self._options.windows,
                    group,
                    self.epoch,
                )
                await self._live(self._runner)
        finally:
            self.phase = "ended"
            if self._runner is not None:
                self.epoch = self._runner.epoch
                self._runner.close(self._runner.lanes.values())
            remaining_s = self._deadline.remaining_s if self._deadline else LEAVE_RESERVE_S
            self.has_twin = self._client.has_twin
            await self._client.stop(max(1.0, remaining_s))

    def ask_stop(self, deadline: Deadline) -> None:
        """Let `run` finish what is in flight, commit, leave the group and return."""
        self._deadline = deadline
        self._stop_asked.set()

    def assign(self, partitions: frozenset[TopicPartition]) -> None:
        """The group gave us *partitions*. Called by aiokafka's listener; waits for nothing."""
        if self._runner is None or self._group is None or self._stop_asked.is_set():
            return
        runner = self._runner
        before, self._generation = self._generation, self._client.generation
        back: list[Lane] = []
        if 0 <= before == self._generation - 1:
            # Nobody else was given these since: what we hold of them is still the truth.
            back = [lane for where, lane in runner.frozen.items() if where in partitions]
        for lane in back:
            runner.resume(lane)
        runner.close(runner.frozen.values())
        lanes = runner.assign(partitions - {where_is(lane) for lane in back})
        self._troubles.well("group")
        if lanes:
            self._begin(self._opener.open(runner, lanes))
        if back:
            self._begin(self._opener.resume(runner, back))

    async def revoke(self) -> None:
        """The group takes everything back; bounded by the revoke budget."""
        if self._runner is None:
            return
        lanes = list(self._runner.lanes.values())
        options = self._options
        deadline = Deadline.after(options.revoke_timeout_s, self._clock)
        # The group waits for the rebalance timeout: the commit must not take all that is left.
        left_s = options.membership.rebalance_timeout_s - options.revoke_timeout_s
        await self._give_up(lanes, deadline, left_s / 2, for_good=False)

    async def _live(self, runner: LaneRunner) -> None:
        poller = Poller(self._client, runner, self._troubles, self._clock, self._reopen)
        polling = self._begin(poller.run())
        self._begin(self._follow_topics(poller))
        self._begin(self._commit_regularly(runner))
        self._begin(self._measure_lag(runner, poller))
        self._begin(self._look_for_skips(runner))
        self._troubles.well("kafka")
        self.phase, self.was_running = "running", True
        self._on_running()
        await self._stop_asked.wait()
        assert self._deadline is not None  # noqa: S101 - set before the event
        polling.cancel()
        runner.close(runner.frozen.values())
        reserve_s = min(LEAVE_RESERVE_S, self._deadline.remaining_s / 2)
        drained = Deadline(self._deadline.at - reserve_s, self._clock)
        await self._give_up(list(runner.lanes.values()), drained, max(1.0, reserve_s / 2))
        for loop in self._loops:
            loop.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *work* until it ends or we stop; the group owns it."""
        assert self._group is not None  # noqa: S101 - nothing begins before
        task = self._group.create_task(work)
        self._loops.add(task)
        task.add_done_callback(self._loops.discard)
        return task

    async def _give_up(
        self, lanes: list[Lane], deadline: Deadline, commit_s: float, *, for_good: bool = True
    ) -> None:
        """
        Finish what is in flight in *lanes* until *deadline*, commit, and end their assignment.

        The commit gets *commit_s* seconds; what it does not bring through comes again. Unless it is
        *for_good*, lanes of which a stage holds records wait for the next assignment.
        """
        runner = self._runner
        assert runner is not None  # noqa: S101 - lanes come from it
        try:
            await (runner.drain if for_good else runner.freeze)(lanes, deadline)
            async with asyncio.timeout(commit_s):
                await self._commit(lanes)
        except TimeoutError:
            log.warning("kafka_last_commit_unanswered", timeout_s=commit_s)
        finally:
            gone = [lane for lane in lanes if lane not in runner.frozen.values()]
            runner.close(gone)
            for lane in gone:
                self._troubles.well(f"{lane.topic}/{lane.partition}")

    def _reopen(self, partitions: list[TopicPartition]) -> None:
        """The log does not have what we wanted to read: look where to begin again."""
        runner = self._runner
        assert runner is not None  # noqa: S101 - asked by its poller
        runner.close([runner.lanes[partition] for partition in partitions])
        self._begin(self._opener.open(runner, runner.assign(partitions)))

    async def _follow_topics(self, poller: Poller) -> None:
        """Join with the topics that exist, and again when that changes."""
        subscription = self._options.subscription
        if subscription.pattern is not None:
            self._client.subscribe(subscription, self._rebalance.listener)
            poller.may_run.set()
            return
        joined: tuple[str, ...] = ()
        while True:
            try:
                missing = await self._client.missing_topics(subscription.topics)
            except (kafka.KafkaError, OSError) as error:
                self._troubles.raised(
                    "topics",
                    error,
                    what="look for the topics",
                    topic=" --topic ".join(subscription.topics),
                )
            else:
                self._report_missing(sorted(missing))
                there = tuple(topic for topic in subscription.topics if topic not in missing)
                if there and there != joined:
                    if joined:
                        # A new subscription takes the assignment away before the listener hears.
                        await self.revoke()
                    joined = there
                    self._client.subscribe(Subscription(there), self._rebalance.listener)
                    poller.may_run.set()
            await self._clock.sleep(TOPICS_INTERVAL_S if joined else ABSENT_INTERVAL_S)

    def _report_missing(self, missing: list[str]) -> None:
        if not missing:
            self._troubles.well("topics")
            return
        broker = self._troubles.broker
        create = f"kafka-topics --bootstrap-server {broker} --create --partitions 12 --topic"
        reason = f"no such topic: {', '.join(missing)}"
        hint = "; ".join(f"{create} {topic}" for topic in missing)
        self._troubles.set(Status(State.RECOVERABLE, reason, hint, "topics"))

    async def _commit_regularly(self, runner: LaneRunner) -> None:
        while True:
            await self._clock.sleep(self._options.commit_interval_s)
            await self._commit(list(runner.lanes.values()))

    async def _commit(self, lanes: list[Lane]) -> None:
        try:
            await self._committer.commit(lanes)
        except DeliveryError as error:
            self._troubles.raised("commit", error, what="commit")
        else:
            self._troubles.well("commit")

    async def _measure_lag(self, runner: LaneRunner, poller: Poller) -> None:
        while True:
            await self._clock.sleep(self._options.lag_interval_s)
            lanes = {where: lane for where, lane in runner.lanes.items() if lane.opened}
            if not lanes:
                continue
            try:
                ends = await self._client.log_ends(lanes)
            except (kafka.KafkaError, OSError) as error:
                self._troubles.raised("kafka", error, what="ask for the ends of the logs")
                continue
            self._troubles.well("kafka")
            for where, lane in lanes.items():
                self._figures.set_end(lane, ends[where])
            poller.advance_soon()

    async def _look_for_skips(self, runner: LaneRunner) -> None:
        """Let held partitions go on at records that somebody asked to skip."""
        while True:
            await self._clock.sleep(SKIPS_INTERVAL_S)
            held = {
                (lane.topic, lane.partition): lane for lane in runner.lanes.values() if lane.stuck
            }
            if not held:
                continue
            group = self._options.membership.group
            try:
                asked = await read_skips(self._options.connection, group, held)
            except DeliveryError as error:
                self._troubles.raised("skips", error, what="look for skip requests")
                continue
            self._troubles.well("skips")
            for where, lane in held.items():
                for offset in asked.get(where, ()):
                    if offset in lane.stuck and not lane.closed:
                        self._skip(lane, offset)

    def _skip(self, lane: Lane, offset: int) -> None:
        log.warning(
            "kafka_record_skipped",
            topic=lane.topic,
            partition=lane.partition,
            offset=offset,
            reason=lane.stuck[offset],
        )
        self._rebalance.skipped(lane)
        lane.set_aside([offset], Column.DROPPED)
        lane.release(offset)
        if not lane.stuck:
            self._troubles.well(f"{lane.topic}/{lane.partition}")
