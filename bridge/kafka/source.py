"""
Consuming that survives its consumer: always one session, replaced when it fails.

aiokafka's consumer has states from which it does not recover: a dead coordinator routine, brokers
that all moved. In each of them a new consumer takes over from the committed offsets (K21, K27 of
the reference).
"""

import asyncio
import random
from collections.abc import Callable

import structlog

from bridge.core import Clock, Deadline, Metrics, State, Status
from bridge.kafka.client import why_unreachable
from bridge.kafka.evictions import TWIN_REST_S, twin_of
from bridge.kafka.lane_figures import LaneFigures
from bridge.kafka.lane_runner import LaneHandler
from bridge.kafka.session import Session, SourceOptions
from bridge.kafka.trouble import Report, Troubles

log = structlog.get_logger()

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 15.0
SOUND_AFTER_S = 60.0
"""Seconds of life after which a consumer's end is an incident and no repetition of the last."""

EXPLAIN_TIMEOUT_S = 3.0
_STOP_EXTRA_S = 5.0  # A session leaves by its deadline; closing sockets may take this much longer.


class KafkaSource:
    """
    Reads topics as a member of a group, into lanes, until stopped.

    Args:
        handler:
            What is done with records.
        report:
            Hears `State.OK`, without a subject, when a broker was reached.
        troubles:
            Hears what is wrong with ``kafka``, ``group``, ``topics``, ``offsets``, ``commit`` and
            ``skips``. Held partitions, ``topic/partition``, are ended here and begun by *handler*.
    """

    def __init__(
        self,
        options: SourceOptions,
        handler: LaneHandler,
        report: Report,
        troubles: Troubles,
        metrics: Metrics,
        clock: Clock,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._handler = handler
        self._report = report
        self._metrics = metrics
        self._clock = clock
        self._draw = draw
        self._troubles = troubles
        self._figures = LaneFigures(metrics, clock, options.name)
        self._restarts = metrics.counter(
            "bridge_kafka_receiver_consumer_restarts", {"receiver": options.name}
        )
        # What changes: the session in use, the task that replaces it, and whether we stop.
        self._session: Session | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._deadline: Deadline | None = None
        self._epoch = 0

    async def start(self) -> None:
        """Begin to connect. Returns at once, also when no broker answers."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name="kafka-source")

    async def stop(self, deadline: Deadline) -> None:
        """Finish what is in flight, commit, leave the group. Safe before `start`, and twice."""
        self._deadline = deadline
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        session = self._session
        if session is None or session.phase != "running":
            supervisor.cancel()
        else:
            session.ask_stop(deadline)
        await asyncio.wait({supervisor}, timeout=deadline.remaining_s + _STOP_EXTRA_S)
        if not supervisor.done():
            supervisor.cancel()
            await asyncio.wait({supervisor}, timeout=_STOP_EXTRA_S)

    async def _supervise(self) -> None:
        failures = 0
        while True:
            began_s = self._clock.monotonic()
            session = self._session = Session(
                self._options,
                self._handler,
                self._troubles,
                self._figures,
                self._metrics,
                self._clock,
                self._epoch,
                lambda: self._report(Status(State.OK)),
            )
            try:
                await session.run()
            except Exception as error:  # noqa: BLE001 - any fault ends one session, never the data
                await self._explain(session, error)
            self._epoch = session.epoch
            if self._deadline is not None:
                return
            ran_s = self._clock.monotonic() - began_s
            failures = 0 if ran_s >= SOUND_AFTER_S else failures + 1
            self._restarts.add()
            wait_s = min(BACKOFF_FIRST_S * 2 ** min(failures, 10), BACKOFF_MAX_S)
            if session.has_twin:
                wait_s = TWIN_REST_S
            await self._clock.sleep(wait_s * (0.5 + self._draw() / 2))

    async def _explain(self, session: Session, error: Exception) -> None:
        """Say what is wrong: the reason that aiokafka only logs, if there is one."""
        cause: BaseException = error
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if session.has_twin:
            member = self._options.membership
            cause = twin_of(member.instance_id or "", member.group)
            log.error("kafka_member_has_twin", reason=str(cause), hint=cause.hint)
        elif session.was_running:
            log.error("kafka_consumer_failed", error=repr(cause), exc_info=cause)
        else:
            connection = dict(self._options.connection)
            cause = await why_unreachable(connection, timeout_s=EXPLAIN_TIMEOUT_S) or cause
        brokers = ", ".join(self._options.connection["bootstrap_servers"])
        self._troubles.raised("kafka", cause, what=f"consume from {brokers}")
