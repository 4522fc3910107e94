"""
The producer that survives its client: always one usable `RawProducer`, replaced when it is not.

aiokafka's idempotent producer has states from which it never recovers by itself (a gap in the
sequence numbers, a dead sender task, brokers that all moved). In each of them the producer is
replaced, what was not acknowledged is reported as in doubt, and whoever sent it sends it again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import aiokafka.errors as kafka
import structlog
from aiokafka import TopicPartition

from bridge.core import Clock, Deadline, DeliveryError, Denied, Interrupted, Unavailable
from bridge.kafka.again import afresh
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.raw_producer import Abandoned, Landed, RawProducer, Written
from bridge.kafka.record_batch import RecordBatch

log = structlog.get_logger()

CONNECT_TIMEOUT_S = 5.0
"""Seconds to find a broker and get a producer id; a LAN needs 20 ms, a lost SYN one second."""

STUCK_AFTER_S = 3.0
"""
Seconds without an answer after which the brokers are looked for anew. With the connect timeout
and the watch interval this keeps the promise of 10 s when every broker has a new address.
"""

STUCK_FOR_GOOD_S = 30.0
"""Seconds without an answer, although brokers can be reached, after which we start over."""

_WATCH_S = 0.5
_BACKOFF_FIRST_S = 0.25
_BACKOFF_MAX_S = 5.0
_RETIRE_S = 10.0
_STOP_MIN_S = 3.0  # Killing a producer is bounded by two seconds, and must not be cut short.

_RESET_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (kafka.OutOfOrderSequenceNumber, "out_of_order_sequence"),
    (kafka.UnknownProducerId, "unknown_producer_id"),
    (kafka.InvalidProducerEpoch, "fenced"),
    (kafka.ProducerFenced, "fenced"),
    (kafka.ProducerClosed, "closed"),
)

_DEAD = frozenset({"sender_dead", "sync_dead", "addresses", "stuck"})
"""Doubts after which the old producer will not finish anything: it is killed, not drained."""


class Events(Protocol):
    """What the owner of a producer hears from it."""

    def producer_reset(self, reason: str) -> None:
        """A producer was replaced."""
        ...

    def producer_trouble(self, error: DeliveryError | None) -> None:
        """Kafka cannot be reached, or can be (`None`). Called at first and on changes."""
        ...


@dataclass(frozen=True, slots=True)
class Opening:
    """
    How producers come into being.

    `open` gives a producer that is not started; `explain` says why no broker could be reached;
    `idempotent` whether a failed batch leaves a gap that only a new producer can mend.
    """

    open: Callable[[], RawProducer]
    explain: Callable[[], Awaitable[BaseException | None]]
    idempotent: bool
    principal: str = ""
    broker: str = ""


class Producer:
    """A producer with one owner, who starts it, sends by it and stops it."""

    def __init__(self, opening: Opening, events: Events, clock: Clock) -> None:
        self._opening = opening
        self._events = events
        self._clock = clock
        # What changes: the usable producer, why there is none, and the tasks that we own.
        self._raw: RawProducer | None = None
        self._trouble: DeliveryError | None = None
        self._changed = asyncio.Event()
        self._stopping = False
        self._connected = False
        self._supervisor: asyncio.Task[None] | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def trouble(self) -> DeliveryError | None:
        """Why nothing can be written at the moment, if that is known; a fresh error each time."""
        return afresh(self._trouble) if self._trouble is not None else None

    @property
    def raw(self) -> RawProducer | None:
        """The producer in use, if there is one that may be used."""
        return self._raw if self._raw is not None and not self._raw.doubt else None

    async def start(self) -> None:
        """Begin to connect. Returns at once, also when no broker answers."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name="kafka-producer")

    async def stop(self, deadline: Deadline) -> None:
        """Wait for what is outstanding, until *deadline* at most; then release everything."""
        self._stopping = True
        self._notify()
        tasks = [task for task in (self._supervisor, *self._retiring) if task is not None]
        self._supervisor = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=max(deadline.remaining_s, _STOP_MIN_S))
        raw, self._raw = self._raw, None
        if raw is not None:
            await raw.close(deadline.remaining_s)

    async def ready(self) -> RawProducer:
        """
        Wait for a usable producer.

        Raises:
            Unavailable, Denied: If the brokers cannot be reached or do not let us in, at once.
            Interrupted: If we are stopping.
        """
        while True:
            if self._stopping:
                raise Interrupted("the Kafka producer is stopping")
            if (raw := self.raw) is not None:
                return raw
            if (trouble := self.trouble) is not None:
                raise trouble
            await self._changed.wait()

    async def send(
        self, where: TopicPartition, batch: RecordBatch, timeout_s: float | None
    ) -> Written:
        """
        Write one batch and wait for the acknowledgement. One call at a time for each partition.

        Args:
            timeout_s:
                `None` waits as long as the producer lives; that it does is watched here.

        Raises:
            Unavailable: If it was not acknowledged within *timeout_s* or may not have been: it may
                be written nevertheless. The batch is spent; send its records in a new one.
            TooLarge, Refused, Denied: If the broker will not take it.
            Interrupted: If we are stopping.

        Cancellation:
            The batch may or may not be written.
        """
        raw: RawProducer | None = None
        try:
            async with asyncio.timeout(timeout_s):
                raw = await self._ready_for(where)
                return await asyncio.shield(await raw.send(where, batch))
        except TimeoutError as error:
            raise Unavailable(
                f"cannot {_what(where)}: no acknowledgement in {timeout_s or 0:.1f} s"
            ) from error
        except (Abandoned, kafka.KafkaError, OSError) as error:
            raise self.failure(raw, error, where) from error

    def begin(
        self, where: TopicPartition, batch: RecordBatch, landed: Landed
    ) -> RawProducer | None:
        """
        Do what `send` does, if that can begin at once; `None` if it must wait for something.

        *landed* hears where the batch was written or what went wrong, in a later turn of the loop:
        `failure` says what that means. Nobody but the producer limits how long that takes.

        Returns:
            The producer that has the batch: `failure` wants to know it.
        """
        raw = self._raw
        if raw is None or raw.doubt or self._stopping:
            return None
        return raw if raw.send_nowait(where, batch, landed) else None

    def failure(
        self, raw: RawProducer | None, error: BaseException, where: TopicPartition
    ) -> DeliveryError:
        """What *error* that *raw* met means for callers; *raw* is replaced if it must be."""
        what = _what(where)
        if isinstance(error, Abandoned):
            mapped: DeliveryError = Unavailable(f"cannot {what}: {error}")
        elif isinstance(error, kafka.KafkaError | OSError):
            if raw is not None and self._opening.idempotent:
                raw.suspect(_reset_reason(error))
            mapped = map_kafka_error(
                error,
                what=what,
                topic=where.topic,
                principal=self._opening.principal,
                broker=self._opening.broker,
            )
        else:
            raise error
        mapped.__cause__ = error
        return mapped

    async def _ready_for(self, where: TopicPartition) -> RawProducer:
        """A usable producer that has nothing outstanding on this partition."""
        while True:
            raw = await self.ready()
            if (busy := raw.busy(where)) is not None:
                # Somebody gave up waiting, aiokafka did not. Two batches would starve each other.
                await asyncio.wait((busy,))
            elif raw.near_wrap(where):
                raw.suspect("sequence_wrap")
            else:
                return raw

    async def _supervise(self) -> None:
        while True:
            try:
                await self._keep_usable()
            except Exception:
                # Without a supervisor every delivery would wait for ever.
                log.exception("kafka_producer_supervisor_failed")
                await self._clock.sleep(_BACKOFF_MAX_S)

    async def _keep_usable(self) -> None:
        fresh = await self._connect()
        while True:
            old, self._raw = self._raw, fresh
            self._set_trouble(None)
            self._notify()
            if old is not None:
                self._retire(old)
            fresh = await self._replacement(fresh)

    async def _replacement(self, raw: RawProducer) -> RawProducer:
        """Watch *raw* until it must be replaced, and connect its successor."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_S):
                    await raw.attention.wait()
            fresh = None
            waited_s = raw.longest_wait_s()
            if not raw.doubt and waited_s >= STUCK_AFTER_S:
                fresh = await self._look_around(raw, waited_s)
            elif not raw.doubt:
                self._set_trouble(None)
            if raw.doubt:
                self._events.producer_reset(raw.doubt)
                log.warning("kafka_producer_reset", reason=raw.doubt)
                if raw.doubt in _DEAD:
                    raw.abandon()
                return fresh or await self._connect()

    async def _look_around(self, raw: RawProducer, waited_s: float) -> RawProducer | None:
        """Find out whether the brokers are away, have moved, or only do not answer *raw*."""
        try:
            candidate = await self._open()
        except DeliveryError as error:
            self._set_trouble(error)
            return None
        self._set_trouble(None)
        if raw.addresses.isdisjoint(candidate.addresses):
            raw.suspect("addresses")
        elif waited_s >= STUCK_FOR_GOOD_S:
            raw.suspect("stuck")
        if raw.doubt:
            return candidate
        await candidate.kill()
        return None

    async def _connect(self) -> RawProducer:
        wait_s = _BACKOFF_FIRST_S
        while True:
            try:
                return await self._open()
            except DeliveryError as error:
                self._set_trouble(error)
            await self._clock.sleep(wait_s)
            wait_s = min(wait_s * 2, _BACKOFF_MAX_S)

    async def _open(self) -> RawProducer:
        """
        A started producer.

        Raises:
            DeliveryError: Why there is none.
        """
        raw = self._opening.open()
        try:
            await raw.start(CONNECT_TIMEOUT_S)
        except (kafka.KafkaError, OSError) as error:
            cause = await self._opening.explain() or error
            raise map_kafka_error(
                cause,
                what="connect to Kafka",
                principal=self._opening.principal,
                broker=self._opening.broker,
            ) from error
        return raw

    def _set_trouble(self, error: DeliveryError | None) -> None:
        before, self._trouble = self._trouble, error
        if error is not None:
            self._notify()
        first = not self._connected and error is None
        self._connected = self._connected or first
        if first or str(before) != str(error):
            self._events.producer_trouble(error)
            if error is not None:
                hint = error.hint if isinstance(error, Denied) else ""
                log.warning("kafka_unreachable", reason=str(error), hint=hint)
            else:
                log.info("kafka_reachable")

    def _retire(self, raw: RawProducer) -> None:
        ending = raw.kill() if raw.doubt in _DEAD else raw.close(_RETIRE_S)
        task = asyncio.create_task(ending, name="kafka-producer-retire")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _what(where: TopicPartition) -> str:
    return f"write to {where.topic}/{where.partition}"


def _reset_reason(error: BaseException) -> str:
    for kind, reason in _RESET_REASONS:
        if isinstance(error, kind):
            return reason
    return "failed_batch"
