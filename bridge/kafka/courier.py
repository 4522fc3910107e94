"""
Carrying batches to their leaders over aiokafka's connections, past its sender.

aiokafka's sender costs a task, some ten futures and a tree of Python objects for each request: a
third of what a small request costs in all. What goes well goes this way: a known leader with an
open connection, and an acknowledgement. Whatever does not is handed to aiokafka's sender with the
sequence numbers that it has, and is repeated by it as if it had sent it the first time.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import (
    DuplicateSequenceNumber,
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    for_code,
)

from bridge.kafka.produce_request import API_KEY, VERSIONS, Result, decode_produced, encode_produce
from bridge.kafka.record_batch import RecordBatch

log = structlog.get_logger()

_BACKOFF_S = 0.1  # What aiokafka waits before it repeats a batch.

Done = Callable[[int | BaseException], None]
"""Told where a batch was written (-1 if the broker did not say), or why it was not."""

Parcel = tuple[TopicPartition, RecordBatch, Done]


class _Sent:
    """What aiokafka's connection wants to know of a request in order to read its answer."""

    def __init__(self, version: int, parcels: list[Parcel]) -> None:
        self.version = version
        self.parcels = parcels
        self.timer: asyncio.TimerHandle | None = None
        self.correlation_id = 0

    @property
    def RESPONSE_TYPE(self) -> "_Sent":
        """What decodes the response. Not kept: a cycle keeps all batches until it is collected."""
        return self

    def parse_response_header(self, data: BytesIO) -> "_Sent":
        """The header is the number alone."""
        self.correlation_id = int.from_bytes(data.read(4), "big")
        return self

    def decode(self, data: BytesIO) -> list[Result]:
        """The results of all batches."""
        return list(decode_produced(data.read(), self.version))


class Courier:
    """
    Sends what is given in one turn of the loop in one request a broker, one request at a time each.

    What is given while a broker has a request travels in the next one.
    """

    def __init__(self, inner: AIOKafkaProducer, acks: int, request_timeout_s: float) -> None:
        self._inner = inner
        self._client = inner.client
        self._acks = acks
        self._timeout_s = request_timeout_s
        # What changes: parcels by the broker that they wait for, the brokers that have a request,
        # and whether the producer has ended.
        self._waiting: dict[int, list[Parcel]] = {}
        self._busy: set[int] = set()
        self._closed = False

    def give(self, where: TopicPartition, batch: RecordBatch, done: Done) -> bool:
        """
        Take *batch*, of which no other for the same partition is under way.

        Returns:
            `False` if it has to go by aiokafka's sender; *done* is not called then.
        """
        leader = self._client.cluster.leader_for_partition(where)
        if leader is None:
            return False
        waiting = self._waiting.get(leader)
        if waiting is None:
            # Once for all that travel together; who joins them shares their fortune.
            if self._connection(leader) is None:
                return False
            waiting = self._waiting[leader] = []
            if leader not in self._busy:
                asyncio.get_running_loop().call_soon(self._depart, leader)
        waiting.append((where, batch, done))
        return True

    def close(self) -> None:
        """The producer has ended: nothing is sent or told any more."""
        self._closed = True
        self._waiting.clear()

    def _connection(self, node: int) -> tuple[AIOKafkaConnection, int] | None:
        """The open connection to *node*, with the version to write; `None` if there is none."""
        if self._acks == 0:
            return None
        manager = self._inner._txn_manager
        if manager is not None and not manager.has_pid():
            return None
        connection = self._client._conns.get((node, ConnectionGroup.DEFAULT))
        if connection is None or not connection.connected() or connection._versions is None:
            return None
        lowest, highest = connection._versions.get(API_KEY, (0, -1))
        version = min(highest, VERSIONS[-1])
        return (connection, version) if version in VERSIONS and version >= lowest else None

    def _depart(self, node: int) -> None:
        parcels = self._waiting.pop(node, None)
        if parcels is None or self._closed:
            return
        found = self._connection(node)
        if found is None:
            for parcel in parcels:
                self._hand_over(parcel, numbered=False)
            return
        try:
            self._send(node, *found, parcels)
        except Exception as error:
            # Whoever waits must hear of it, and sequence numbers may be spent: a KafkaError has
            # the producer replaced.
            log.exception("kafka_produce_failed", node=node)
            trouble = KafkaError(f"the produce request could not be made: {error}")
            for _, _, done in parcels:
                done(trouble)

    def _send(
        self, node: int, connection: AIOKafkaConnection, version: int, parcels: list[Parcel]
    ) -> None:
        manager = self._inner._txn_manager
        pieces = []
        for where, batch, _ in parcels:
            if manager is not None:
                first = manager.sequence_number(where)
                manager.increment_sequence_number(where, batch.record_count())
                batch._set_producer_state(manager.producer_id, manager.producer_epoch, first)
            pieces.append((where.topic, where.partition, batch._build()))
        correlation_id = connection._next_correlation_id()
        sent = _Sent(version, parcels)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Result]] = loop.create_future()
        try:
            connection._writer.write(
                encode_produce(
                    pieces,
                    version=version,
                    correlation_id=correlation_id,
                    client_id=connection._client_id,
                    acks=self._acks,
                    timeout_ms=round(self._timeout_s * 1000),
                )
            )
        except OSError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN, exc=error)
            self._repeat_later(parcels, refresh=True)
            return
        self._busy.add(node)
        connection._requests.append((correlation_id, sent, answer))
        sent.timer = loop.call_later(
            self._timeout_s, lambda: connection.close(reason=CloseReason.CONNECTION_TIMEOUT)
        )
        answer.add_done_callback(lambda answer: self._landed(node, sent, answer))

    def _landed(self, node: int, sent: _Sent, answer: "asyncio.Future[list[Result]]") -> None:
        if sent.timer is not None:
            sent.timer.cancel()
        self._busy.discard(node)
        if self._closed:
            return
        error = None if answer.cancelled() else answer.exception()
        if error is not None or answer.cancelled():
            log.warning("kafka_produce_unanswered", node=node, reason=str(error))
            self._repeat_later(sent.parcels, refresh=True)
        else:
            self._settle(sent.parcels, answer.result())
        if node in self._waiting:
            # In the next turn, so that the batches which these results let go travel along.
            asyncio.get_running_loop().call_soon(self._depart, node)

    def _settle(self, parcels: list[Parcel], results: list[Result]) -> None:
        found = {(one.topic, one.partition): one for one in results}
        again: list[Parcel] = []
        refresh = False
        for parcel in parcels:
            where, _, done = parcel
            result = found.get(where)
            if result is None:
                again.append(parcel)
                continue
            if not result.error_code:
                done(result.offset)
                continue
            kind: Any = for_code(result.error_code)
            if kind is DuplicateSequenceNumber:
                # A duplicate is written already, by an attempt whose answer was lost.
                done(result.offset)
            elif kind.retriable:
                again.append(parcel)
                refresh = refresh or bool(getattr(kind, "invalid_metadata", False))
                log.warning("kafka_produce_repeated", topic=where.topic, reason=kind.__name__)
            else:
                done(_to_error(kind, where.topic))
        if again:
            self._repeat_later(again, refresh=refresh)

    def _repeat_later(self, parcels: list[Parcel], *, refresh: bool) -> None:
        if refresh:
            self._client.force_metadata_update()
        loop = asyncio.get_running_loop()
        for parcel in parcels:
            loop.call_later(_BACKOFF_S, partial(self._hand_over, parcel, numbered=True))

    def _hand_over(self, parcel: Parcel, *, numbered: bool) -> None:
        """Give a batch to aiokafka's sender; *numbered* if it has sequence numbers already."""
        where, batch, done = parcel
        if self._closed:
            return
        accumulator = self._inner._message_accumulator
        handed = accumulator._append_batch(batch, where)
        if numbered:
            # Its sender numbers what it sends for the first time, and forgets what it sent then.
            handed._retry_count = 1
            handed.future.add_done_callback(lambda _: accumulator._pending_batches.discard(handed))
        handed.future.add_done_callback(lambda future: done(to_outcome(future)))


def _to_error(kind: type[KafkaError], topic: str) -> KafkaError:
    if kind is InvalidProducerEpoch:
        return ProducerFenced()
    return kind(topic) if kind is TopicAuthorizationFailedError else kind()


def to_outcome(future: "asyncio.Future[Any]") -> int | BaseException:
    """What aiokafka's future of a batch says, in the form in which `Done` wants it."""
    if future.cancelled():
        return asyncio.CancelledError()
    error = future.exception()
    if error is not None:
        return error
    result = future.result()
    return -1 if result is None or result.offset is None else int(result.offset)
