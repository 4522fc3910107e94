"""What goes well goes straight to the leader; everything else to aiokafka's sender, once."""

import asyncio
import gc
import weakref
from collections import defaultdict
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import aiokafka.errors as kafka
import pytest
from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from aiokafka.record.default_records import DefaultRecordBatch

from bridge.kafka.courier import Courier, to_outcome
from bridge.kafka.record_batch import OutRecord, RecordBatch, build_batch
from bridge.testing import settle

ONE, TWO = TopicPartition("spans", 1), TopicPartition("spans", 2)
HEADER_BYTES = 4 + 2 + 2 + 4 + 2 + len("me")  # Size, key, version, number, client id.


class Manager:
    """Sequence numbers as aiokafka's transaction manager counts them."""

    def __init__(self) -> None:
        self.producer_id, self.producer_epoch = 77, 3
        self.numbers: dict[TopicPartition, int] = defaultdict(int)
        self.pid = True

    def has_pid(self) -> bool:
        return self.pid

    def sequence_number(self, where: TopicPartition) -> int:
        return self.numbers[where]

    def increment_sequence_number(self, where: TopicPartition, count: int) -> None:
        self.numbers[where] += count


class Connection:
    """An open connection that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.broken: OSError | None = None
        self.open = True
        self.reasons: list[Any] = []
        self._versions = {0: (3, 11)}
        self._client_id = "me"
        self._requests: list[tuple[int, Any, asyncio.Future[Any]]] = []
        self._writer = SimpleNamespace(write=self._write)
        self._number = 0

    def connected(self) -> bool:
        return self.open

    def _next_correlation_id(self) -> int:
        self._number += 1
        return self._number

    def _write(self, data: bytes) -> None:
        if self.broken is not None:
            raise self.broken
        self.written.append(data)

    def close(self, reason: Any = None, exc: Any = None) -> None:
        self.open = False
        self.reasons.append(reason)
        requests, self._requests = self._requests, []
        for _, _, future in requests:
            future.set_exception(kafka.KafkaConnectionError("closed"))

    def answer(self, *results: tuple[int, int, int]) -> None:
        """Answer the oldest request: partition, error code and offset of each batch."""
        _, sent, future = self._requests.pop(0)
        body = ProduceResponse_v7([("spans", [(*one, -1, 0) for one in results])], 0).encode()
        assert sent.parse_response_header(BytesIO(b"\0\0\0\x09")).correlation_id == 9
        future.set_result(sent.RESPONSE_TYPE.decode(BytesIO(body)))

    def batches(self) -> list[dict[int, DefaultRecordBatch]]:
        """The batches of each request that was written, by partition."""
        found = []
        for data in self.written:
            request = ProduceRequest_v7.decode(BytesIO(data[HEADER_BYTES:]))
            assert request.required_acks == -1
            ((topic, parts),) = request.topics
            assert topic == "spans"
            found.append({where: DefaultRecordBatch(bytes(batch)) for where, batch in parts})
        return found


class Message:
    """What aiokafka keeps of a batch."""

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future
        self._retry_count = 0


class Accumulator:
    """aiokafka's queue, with what was handed over."""

    def __init__(self) -> None:
        self.handed: list[tuple[TopicPartition, RecordBatch, Any]] = []
        self.filled = asyncio.Event()
        self._pending_batches: set[Any] = set()

    def _append_batch(self, batch: RecordBatch, where: TopicPartition) -> Any:
        future = asyncio.get_running_loop().create_future()
        message = Message(future)
        self.handed.append((where, batch, message))
        self.filled.set()
        return message


class Bench:
    """A courier between an application and a broker."""

    def __init__(self, acks: int = -1, timeout_s: float = 5.0) -> None:
        self.connection = Connection()
        self.manager = Manager()
        self.queue = Accumulator()
        self.leaders: dict[TopicPartition, int] = {ONE: 4, TWO: 4}
        self.refreshes = 0
        client = SimpleNamespace(
            cluster=SimpleNamespace(leader_for_partition=self.leaders.get),
            _conns={(4, ConnectionGroup.DEFAULT): self.connection},
            force_metadata_update=self._refresh,
        )
        inner: Any = SimpleNamespace(
            client=client, _txn_manager=self.manager, _message_accumulator=self.queue
        )
        self.courier = Courier(inner, acks, timeout_s)
        self.outcomes: dict[TopicPartition, list[Any]] = defaultdict(list)

    def _refresh(self) -> None:
        self.refreshes += 1

    def give(self, where: TopicPartition, records: int = 1) -> bool:
        many = [OutRecord(None, b"value", (), 1)] * records
        batch, _ = build_batch(many, 1 << 20, None, 0)
        return self.courier.give(where, batch, self.outcomes[where].append)


async def test_batches_of_one_turn_travel_in_one_request() -> None:
    """Each numbered for itself; the outcomes are the offsets."""
    bench = Bench()
    assert bench.give(ONE, 3)
    assert bench.give(TWO, 2)
    await settle()
    (batches,) = bench.connection.batches()
    bench.connection.answer((1, 0, 50), (2, 0, 60))
    await settle()

    assert {1, 2} == set(batches)
    assert all(one.validate_crc() for one in batches.values())
    for one in batches.values():
        assert (one.producer_id, one.producer_epoch, one.base_sequence) == (77, 3, 0)
    assert bench.manager.numbers == {ONE: 3, TWO: 2}
    assert bench.outcomes == {ONE: [50], TWO: [60]}
    assert bench.queue.handed == []


async def test_batches_given_meanwhile_travel_in_the_next_request() -> None:
    """One request a broker at a time, and the sequence goes on."""
    bench = Bench()
    bench.give(ONE, 3)
    await settle()
    bench.give(TWO)
    await settle()
    first = len(bench.connection.written)
    bench.connection.answer((1, 0, 50))
    await settle()
    bench.connection.answer((2, 0, 60))
    await settle()
    bench.give(ONE)
    await settle()

    assert first == 1
    assert [set(one) for one in bench.connection.batches()] == [{1}, {2}, {1}]
    assert bench.connection.batches()[2][1].base_sequence == 3
    assert bench.outcomes == {ONE: [50], TWO: [60]}


@pytest.mark.parametrize("what", ["leader", "connection", "closed", "version", "pid", "acks"])
async def test_courier_declines_what_is_not_ready(what: str) -> None:
    """Whatever has to be waited for first is aiokafka's."""
    bench = Bench(acks=0 if what == "acks" else -1)
    if what == "leader":
        bench.leaders.clear()
    elif what == "connection":
        bench.leaders[ONE] = 5
    elif what == "closed":
        bench.connection.open = False
    elif what == "version":
        bench.connection._versions = {0: (8, 11)}
    elif what == "pid":
        bench.manager.pid = False

    assert not bench.give(ONE)
    await settle()
    assert bench.connection.written == []
    assert bench.outcomes[ONE] == []


async def test_connection_lost_before_departure_leaves_numbering_to_aiokafka() -> None:
    """The batch is handed over as new: no sequence number is spent."""
    bench = Bench()
    bench.give(ONE)
    bench.connection.open = False
    await settle()

    ((where, _, message),) = bench.queue.handed
    assert where == ONE
    assert message._retry_count == 0
    assert bench.manager.numbers == {}


@pytest.mark.parametrize("way", ["closed", "broken", "retriable", "silent"])
async def test_batch_in_doubt_is_repeated_with_its_number(way: str) -> None:
    """aiokafka sends the same bytes again, so the broker can tell that it has them."""
    bench = Bench()
    if way == "broken":
        bench.connection.broken = OSError("gone")
    bench.give(ONE, 2)
    await settle()
    if way == "closed":
        bench.connection.close()
    elif way == "retriable":
        bench.connection.answer((1, kafka.NotLeaderForPartitionError.errno, -1))
    elif way == "silent":
        bench.connection.answer((2, 0, 9))  # Not a word of what was asked.
    await asyncio.wait_for(bench.queue.filled.wait(), 5)

    ((where, batch, message),) = bench.queue.handed
    first = DefaultRecordBatch(bytes(batch._build()))
    assert where == ONE
    assert message._retry_count == 1
    assert (first.producer_id, first.base_sequence) == (77, 0)
    assert bench.refreshes == (0 if way == "silent" else 1)
    bench.queue._pending_batches.add(message)
    message.future.set_result(SimpleNamespace(offset=12))
    await settle()
    assert bench.outcomes[ONE] == [12]


async def test_refusal_that_stays_is_told_at_once() -> None:
    """As aiokafka would tell it, without asking again; a duplicate is written."""
    codes = {
        kafka.TopicAuthorizationFailedError.errno: kafka.TopicAuthorizationFailedError,
        kafka.InvalidProducerEpoch.errno: kafka.ProducerFenced,
        kafka.OutOfOrderSequenceNumber.errno: kafka.OutOfOrderSequenceNumber,
        kafka.MessageSizeTooLargeError.errno: kafka.MessageSizeTooLargeError,
    }
    for code, expected in codes.items():
        bench = Bench()
        bench.give(ONE)
        await settle()
        bench.connection.answer((1, code, -1))
        await settle()
        (outcome,) = bench.outcomes[ONE]
        assert type(outcome) is expected
        assert bench.queue.handed == []
    bench = Bench()
    bench.give(ONE)
    await settle()
    bench.connection.answer((1, kafka.DuplicateSequenceNumber.errno, -1))
    await settle()
    assert bench.outcomes[ONE] == [-1]


async def test_request_without_an_answer_closes_its_connection() -> None:
    """Within the request timeout; what it carried is repeated elsewhere."""
    bench = Bench(timeout_s=0.02)
    bench.give(ONE)
    await asyncio.wait_for(bench.queue.filled.wait(), 5)

    assert not bench.connection.open
    assert len(bench.connection.reasons) == 1


async def test_request_that_cannot_be_made_is_told() -> None:
    """A fault of ours must not leave anybody waiting, and has the producer replaced."""
    bench = Bench()
    bench.connection._writer = SimpleNamespace()
    bench.give(ONE)
    await settle()

    (outcome,) = bench.outcomes[ONE]
    assert isinstance(outcome, kafka.KafkaError)
    assert "could not be made" in str(outcome)


async def test_closed_courier_tells_nothing_more() -> None:
    """Whoever closes it has told everyone who waits."""
    bench = Bench()
    bench.give(ONE)
    await settle()
    bench.give(TWO)
    bench.courier.close()
    bench.connection.answer((1, 0, 50))
    await settle()

    assert bench.outcomes[ONE] == []
    assert len(bench.connection.written) == 1


async def test_outcome_of_aiokafkas_future() -> None:
    """An offset, -1 without one, an error, or that it was dropped."""
    loop = asyncio.get_running_loop()
    found, nothing, failed, dropped = (loop.create_future() for _ in range(4))
    found.set_result(SimpleNamespace(offset=4))
    nothing.set_result(None)
    failed.set_exception(kafka.KafkaError("no"))
    dropped.cancel()

    assert to_outcome(found) == 4
    assert to_outcome(nothing) == -1
    assert isinstance(to_outcome(failed), kafka.KafkaError)
    assert isinstance(to_outcome(dropped), asyncio.CancelledError)


async def test_answered_requests_are_forgotten_at_once() -> None:
    """What a batch keeps alive, the bodies of its senders among it, waits for no collection."""

    class Sender:
        def done(self, outcome: int | BaseException) -> None:
            assert outcome == 50

    bench, sender = Bench(), Sender()
    batch, _ = build_batch([OutRecord(None, b"value", (), 1)], 1 << 20, None, 0)
    gc.collect()
    gc.disable()
    try:
        assert bench.courier.give(ONE, batch, sender.done)
        await settle()
        bench.connection.answer((1, 0, 50))
        await settle()
        alive = weakref.ref(sender)
        del sender

        assert alive() is None
    finally:
        gc.enable()
