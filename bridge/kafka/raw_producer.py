"""
One aiokafka producer for as long as it lives, with its insides in sight.

With `courier` the only module that touches aiokafka's private parts on the producing side, because
its faults cannot be seen from outside: a sender task that died, sequence numbers that run out,
batches that never come back. `bridge/kafka/producer.py` decides what to do about them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from bridge.core import Clock
from bridge.kafka.courier import Courier, to_outcome
from bridge.kafka.reconnecting import pace_connections
from bridge.kafka.record_batch import RecordBatch

Acks = Literal["all", 1, 0]

SEQUENCE_RECYCLE = 1 << 30
"""
Records to one partition after which a producer is replaced. aiokafka counts them in 32 bits and
goes negative at 2^31, which brokers refuse for good (KIP-98 wants it to wrap to 0).
"""

_UNBOUNDED_BATCH = 1 << 30  # Batches come ready made; aiokafka must not limit them again.
_KILL_WAIT_S = 1.0
_KILL_ROUNDS = 20


class Written(NamedTuple):
    """Where a batch was written: `offset` of its first record, -1 if the broker did not say."""

    offset: int
    batch_bytes: int
    uncompressed_bytes: int
    latency_s: float


Landed = Callable[[Written | BaseException], None]
"""Told once where a batch was written, or why it may not have been; never while it is sent."""


class _Outstanding:
    """A batch under way, and who is told what became of it."""

    __slots__ = ("_landed", "_raw", "_waiter", "batch", "since_s", "where")

    def __init__(
        self, raw: "RawProducer", where: TopicPartition, batch: RecordBatch, landed: Landed | None
    ) -> None:
        self._raw = raw
        self.where = where
        self.batch = batch
        self.since_s = raw._clock.monotonic()
        self._landed = landed
        self._waiter: asyncio.Future[Written] | None = None

    @property
    def waiter(self) -> asyncio.Future[Written]:
        """A future of the outcome; made when it is first asked for."""
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def ended(self, outcome: int | BaseException) -> None:
        """Hear where it was written or why not, unless its producer was given up before."""
        outstanding = self._raw._outstanding
        if outstanding.get(self.where) is not self:
            return
        del outstanding[self.where]
        if isinstance(outcome, int):
            batch = self.batch
            latency_s = self._raw._clock.monotonic() - self.since_s
            self.tell(Written(outcome, batch.size(), batch.uncompressed_bytes, latency_s))
        elif isinstance(outcome, asyncio.CancelledError):
            self.tell(Abandoned("the batch was dropped by the client"))
        else:
            self.tell(outcome)

    def tell(self, outcome: Written | BaseException) -> None:
        """Tell whoever wants to know."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            if isinstance(outcome, BaseException):
                waiter.set_exception(outcome)
                # The waiter may be alone by now; an error nobody fetches is no fault of ours.
                waiter.exception()
            else:
                waiter.set_result(outcome)
        if self._landed is not None:
            self._landed(outcome)


class RawProducer:
    """
    A started or failed aiokafka producer. `doubt` says why it must be replaced, if it must.

    At most one batch a partition is outstanding; a batch that nobody waits for any more stays so
    until aiokafka is done with it.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        acks: Acks,
        request_timeout_s: float,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._inner = AIOKafkaProducer(
            **connection,
            acks=acks,
            enable_idempotence=acks == "all",
            linger_ms=0,
            max_batch_size=_UNBOUNDED_BATCH,
            max_request_size=_UNBOUNDED_BATCH,
            request_timeout_ms=round(request_timeout_s * 1000),
        )
        pace_connections(self._inner.client)
        self._courier = Courier(self._inner, -1 if acks == "all" else acks, request_timeout_s)
        # What changes: why to replace it, who is to be told, and what is under way.
        self.doubt = ""
        self.attention = asyncio.Event()
        self._outstanding: dict[TopicPartition, _Outstanding] = {}

    async def start(self, timeout_s: float) -> None:
        """
        Connect and get a producer id.

        Raises:
            KafkaError, OSError: If that fails or takes longer than *timeout_s*; closed then.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._inner.start()
        except BaseException:
            await self.kill()
            raise
        for task, doubt in ((self._sender_task, "sender_dead"), (self._sync_task, "sync_dead")):
            if task is not None:
                task.add_done_callback(partial(self._task_ended, doubt))

    @property
    def client(self) -> AIOKafkaClient:
        """The client underneath, for requests about topics."""
        return self._inner.client

    @property
    def idle(self) -> bool:
        """Whether nothing is outstanding."""
        return not self._outstanding

    @property
    def addresses(self) -> frozenset[tuple[str, int]]:
        """Where it believes the brokers to be."""
        return frozenset((broker.host, broker.port) for broker in self.client.cluster.brokers())

    def partitions(self, topic: str) -> int:
        """How many partitions *topic* has as far as is known; 0 if it is unknown."""
        # The public form makes a set of them all, for each request that comes in.
        return len(self.client.cluster._partitions.get(topic, ()))

    def longest_wait_s(self) -> float:
        """Seconds for which the oldest outstanding batch has been waited for; 0 without one."""
        if not self._outstanding:
            return 0.0
        return self._clock.monotonic() - min(one.since_s for one in self._outstanding.values())

    def suspect(self, doubt: str) -> None:
        """Have this producer replaced. The first reason is kept."""
        if not self.doubt:
            self.doubt = doubt
        self.attention.set()

    def busy(self, where: TopicPartition) -> asyncio.Future[Written] | None:
        """What is outstanding on a partition, to wait for before sending again."""
        one = self._outstanding.get(where)
        return one.waiter if one is not None else None

    def near_wrap(self, where: TopicPartition) -> bool:
        """Whether the next batch could bring this partition's sequence number too far."""
        manager = self._inner._txn_manager
        return manager is not None and not 0 <= manager.sequence_number(where) < SEQUENCE_RECYCLE

    async def send(self, where: TopicPartition, batch: RecordBatch) -> asyncio.Future[Written]:
        """
        Hand *batch* over. The partition is not busy.

        Returns:
            A future of where it was written. It fails with what aiokafka says, or with
            `Abandoned` when this producer is given up. Cancelling it changes nothing.

        Raises:
            KafkaError: If the topic is unknown or the producer is closed.
        """
        done = await self._inner.send_batch(batch, where.topic, partition=where.partition)
        one = self._outstanding[where] = _Outstanding(self, where, batch, None)
        waiter = one.waiter
        done.add_done_callback(lambda future: one.ended(to_outcome(future)))
        return waiter

    def send_nowait(self, where: TopicPartition, batch: RecordBatch, landed: Landed) -> bool:
        """
        Hand *batch* over like `send`, if that needs no waiting; says whether it was.

        Batches that are handed over in one turn of the loop travel in one request a broker.
        *landed* hears what the future of `send` would.
        """
        if where in self._outstanding or self.near_wrap(where):
            return False
        inner = self._inner
        accumulator = inner._message_accumulator
        known = inner.client.cluster._partitions.get(where.topic)
        if known is None or where.partition not in known:
            return False
        closed = accumulator._closed or accumulator._exception is not None
        if closed or where in accumulator._batches:
            return False
        one = self._outstanding[where] = _Outstanding(self, where, batch, landed)
        if not self._courier.give(where, batch, one.ended):
            done = accumulator._append_batch(batch, where).future
            done.add_done_callback(lambda future: one.ended(to_outcome(future)))
        return True

    def _task_ended(self, doubt: str, _: "asyncio.Task[None]") -> None:
        self.suspect(doubt)

    def abandon(self) -> None:
        """Tell everyone who waits that this producer will not answer any more."""
        given_up, self._outstanding = self._outstanding, {}
        for one in given_up.values():
            one.tell(Abandoned("the producer was replaced"))

    async def close(self, timeout_s: float) -> None:
        """
        Let what is outstanding finish, for *timeout_s* at most, and release everything.

        aiokafka's own `stop` waits without bound while a broker is away, so it is not used.
        """
        waiters = [one.waiter for one in self._outstanding.values()]
        if waiters and timeout_s > 0:
            await asyncio.wait(waiters, timeout=timeout_s)
        await self.kill()

    async def kill(self) -> None:
        """Release sockets and tasks at once, and tell everyone who waits."""
        self.abandon()
        self._courier.close()
        self._inner._closed = True
        sender = self._sender_task
        if sender is not None:
            sender.cancel()
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(_KILL_WAIT_S):
                await self.client.close()
        for _ in range(_KILL_ROUNDS):
            if sender is None or sender.done():
                break
            # The sender waits for its requests, and those for metadata that nobody asks for now.
            refresh = self.client._md_update_fut
            if refresh is not None and not refresh.done():
                refresh.set_result(False)
            await asyncio.wait((sender,), timeout=_KILL_WAIT_S / _KILL_ROUNDS)
        for task in (sender, self._sync_task):
            if task is not None and task.done() and not task.cancelled():
                task.exception()

    @property
    def _sender_task(self) -> "asyncio.Task[None] | None":
        task: asyncio.Task[None] | None = self._inner._sender.sender_task
        return task

    @property
    def _sync_task(self) -> "asyncio.Task[None] | None":
        task: asyncio.Task[None] | None = self.client._sync_task
        return task


class Abandoned(Exception):
    """The producer was given up while a batch was outstanding: it may or may not be written."""
