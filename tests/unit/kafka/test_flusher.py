"""Lanes: one batch in flight each, everything acknowledged once, nobody waits for strangers."""

import asyncio
from collections.abc import AsyncIterator

import aiokafka.errors as kafka
import pytest
import structlog.testing

from bridge.core import (
    ACCEPTED,
    Deadline,
    Denied,
    Interrupted,
    Overloaded,
    Receipt,
    SystemClock,
    Unavailable,
)
from bridge.kafka import (
    BacklogLimits,
    Entry,
    Flusher,
    FlushEvents,
    FlushOptions,
    Producer,
    SharedEntry,
    Ticket,
)
from bridge.kafka.embedded_guard import EmbeddedGuard
from bridge.testing import settle
from tests.unit.kafka.fake_cluster import FakeCluster
from tests.unit.kafka.test_producer import Heard

CLOCK = SystemClock()
LIMIT = 2000


class Halving:
    """Cuts a value in two, and rejects single bytes."""

    def shrink(self, entry: Entry, bytes_max: int) -> list[Entry]:
        if len(entry.value) == 1:
            entry.ticket.opened()
            entry.ticket.rejected(1, "one byte is too large")
            entry.ticket.acknowledged(0)
            return []
        middle = len(entry.value) // 2
        parts = [entry.value[:middle], entry.value[middle:]]
        for _ in parts:
            entry.ticket.opened()
        entry.ticket.acknowledged(0)
        return [make(entry.ticket, part) for part in parts]


def make(ticket: Ticket, value: bytes) -> Entry:
    """An entry with one item a byte."""
    return Entry(ticket, None, value, (), len(value), True, Halving(), value)


class Bench:
    """A flusher on a fake cluster."""

    def __init__(self, resend: bool = True, guard: EmbeddedGuard | None = None) -> None:
        self.cluster = FakeCluster({"t": 3})
        self.producer = Producer(self.cluster.opening(), Heard(), CLOCK)
        options = FlushOptions(None, BacklogLimits(10_000), resend, 0.01)
        self.flusher = Flusher(self.producer, options, FlushEvents(), CLOCK, lambda: guard)

    def ticket(self, seconds: float | None = 5.0) -> Ticket:
        deadline = None if seconds is None else Deadline.after(seconds, CLOCK)
        return Ticket(deadline, self.flusher.forget)

    def put(self, ticket: Ticket, partition: int, value: bytes) -> None:
        ticket.opened()
        self.flusher.put("t", partition, LIMIT, make(ticket, value))

    def deliver(self, *pieces: tuple[int, bytes], seconds: float | None = 5.0) -> Ticket:
        ticket = self.ticket(seconds)
        for partition, value in pieces:
            self.put(ticket, partition, value)
        ticket.seal()
        return ticket


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A started flusher, stopped at the end."""
    bench = Bench()
    await bench.producer.start()
    yield bench
    await bench.flusher.stop(Deadline.after(0, CLOCK))
    await bench.producer.stop(Deadline.after(0, CLOCK))


async def test_request_settles_when_all_its_partitions_have(bench: Bench) -> None:
    """Two partitions, two batches, one receipt."""
    ticket = bench.deliver((0, b"aa"), (2, b"b"))

    assert await ticket.wait() == ACCEPTED
    assert ticket.acknowledged_items == 3
    assert {b"aa", b"b"} == set(bench.cluster.values())


async def test_what_arrives_while_a_batch_is_in_flight_is_the_next_batch(bench: Bench) -> None:
    """One batch for everyone who came meanwhile."""
    bench.cluster.script = ["lose"]
    first = bench.deliver((0, b"1"))
    await settle()
    others = [bench.deliver((0, b"%d" % number)) for number in range(2, 7)]
    await settle()
    assert bench.cluster.values() == [b"1"]
    bench.cluster.producers[0].suspect("sender_dead")
    assert [await one.wait() for one in (first, *others)] == [ACCEPTED] * 6

    assert bench.cluster.values() == [b"1", b"1", b"23456"]


async def test_stuck_partition_holds_up_only_who_touches_it(bench: Bench) -> None:
    """Partition 0 hangs: requests to partition 1 are answered."""
    bench.cluster.script = ["hang"]
    stuck = bench.deliver((0, b"x"))
    await settle()
    free = bench.deliver((1, b"y"))

    assert await free.wait() == ACCEPTED
    assert stuck.live
    stuck.give_up()


async def test_only_what_is_not_acknowledged_is_sent_again(bench: Bench) -> None:
    """Partition 1 fails once: partition 0 is not written twice."""
    bench.cluster.script = [None, kafka.NotLeaderForPartitionError()]
    ticket = bench.deliver((0, b"x"), (1, b"y"))

    assert await ticket.wait() == ACCEPTED
    assert sorted(bench.cluster.values()) == [b"x", b"y"]


async def test_cancelled_caller_leaves_the_merged_batch_to_the_others(bench: Bench) -> None:
    """A batch in flight for two goes on when one gives up, and is sent again without it."""
    bench.cluster.script = [kafka.NotLeaderForPartitionError()]
    leaving, staying = bench.ticket(), bench.ticket()
    for ticket, value in ((leaving, b"l"), (staying, b"s")):
        bench.put(ticket, 0, value)
        ticket.seal()
    await settle(2)
    leaving.give_up()

    assert await staying.wait() == ACCEPTED
    assert bench.cluster.values() in ([b"s"], [b"ls"])


async def test_batch_is_not_sent_again_when_nobody_waits(bench: Bench) -> None:
    """All callers gave up: the lane ends."""
    bench.cluster.script = [kafka.NotLeaderForPartitionError()] * 1000
    ticket = bench.deliver((0, b"x"))
    await settle(3)
    ticket.give_up()
    await asyncio.sleep(0.1)

    assert bench.flusher.backlog == 0
    assert len(bench.cluster.script) > 900


async def test_error_about_us_fails_everyone_at_once(bench: Bench) -> None:
    """A missing ACL is not waited for."""
    bench.cluster.script = [kafka.TopicAuthorizationFailedError("t")]
    with pytest.raises(Denied, match="cannot write to t/0"):
        await bench.deliver((0, b"x")).wait()


async def test_error_about_us_is_logged_once_a_minute_and_topic(bench: Bench) -> None:
    """The operator reads what mends it, also if no sender shows its answers."""
    bench.cluster.script = [kafka.TopicAuthorizationFailedError("t")] * 3
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(Denied):
                await bench.deliver((0, b"x")).wait()
    told = [entry for entry in logs if entry["event"] == "kafka_write_denied"]

    assert len(told) == 1
    assert told[0]["hint"].startswith("kafka-acls")


async def test_without_resending_the_first_failure_is_told() -> None:
    """`retry_on_failure.enabled: false`."""
    bench = Bench(resend=False)
    bench.cluster.script = [kafka.NotLeaderForPartitionError()]
    await bench.producer.start()
    with pytest.raises(Unavailable):
        await bench.deliver((0, b"x")).wait()
    await bench.producer.stop(Deadline.after(0, CLOCK))


async def test_batch_that_the_broker_finds_too_large_is_halved_until_it_fits(bench: Bench) -> None:
    """First the batch, then its records; what cannot be cut is rejected, the rest is written."""
    too_large = kafka.MessageSizeTooLargeError
    bench.cluster.script = [too_large(), too_large(), None, too_large()]
    ticket = bench.deliver((0, b"ab"), (0, b"c"))

    assert await ticket.wait() == Receipt(1, "one byte is too large")
    assert sorted(b"".join(bench.cluster.values())) == sorted(b"ac")


async def test_shared_batch_that_is_too_large_is_halved_between_requests(bench: Bench) -> None:
    """Two requests in one entry: the broker's refusal parts them, and both are written."""
    bench.cluster.script = [kafka.MessageSizeTooLargeError()]
    one, two = bench.ticket(), bench.ticket()
    for ticket in (one, two):
        ticket.opened()
    shares = [(one, 2, 2), (two, 3, 5)]
    bench.flusher.put("t", 0, LIMIT, SharedEntry(shares, b"aabbb", (), 5, Halving()))
    for ticket in (one, two):
        ticket.seal()

    assert [await one.wait(), await two.wait()] == [ACCEPTED] * 2
    assert bench.cluster.values() == [b"aa", b"bbb"]
    assert [ticket.in_doubt_items for ticket in (one, two)] == [0, 0]


async def test_partitions_that_are_put_together_are_sent_in_one_turn(bench: Bench) -> None:
    """Nothing is awaited between the first partition and the last."""
    await bench.deliver((0, b"x")).wait()
    bench.deliver((0, b"a"), (1, b"b"), (2, b"c"))
    await settle(1)

    assert bench.cluster.values()[1:] == [b"a", b"b", b"c"]


async def test_budget_is_in_bytes_and_refuses_with_a_hint(bench: Bench) -> None:
    """Above it senders come back later; one request is always let in."""
    bench.flusher.admit(50_000)
    with pytest.raises(Overloaded, match="max_buffered_bytes") as caught:
        bench.flusher.admit(1)
    assert caught.value.retry_after_s is not None
    bench.flusher.release(50_000)
    bench.flusher.admit(1)

    assert bench.flusher.held_bytes == 1


async def test_entries_of_the_dead_do_not_pile_up(bench: Bench) -> None:
    """A stuck partition and callers that give up: memory stays with the living."""
    bench.cluster.script = ["hang"]
    stuck = bench.deliver((0, b"x"))
    await settle()
    for _ in range(500):
        bench.deliver((0, bytes(10))).give_up()

    assert bench.flusher.backlog < 100
    stuck.give_up()


async def test_stop_writes_what_was_put_and_fails_the_rest(bench: Bench) -> None:
    """Until the deadline; afterwards nothing is admitted."""
    bench.cluster.script = [None, "hang"]
    quick, stuck = bench.deliver((0, b"x")), bench.deliver((1, b"y"))
    await bench.flusher.stop(Deadline.after(0.05, CLOCK))

    assert await quick.wait() == ACCEPTED
    with pytest.raises(Interrupted):
        await stuck.wait()
    with pytest.raises(Interrupted):
        bench.flusher.admit(1)


async def test_embedded_broker_is_asked_before_it_forgets() -> None:
    """What the broker could not keep is not sent; what it keeps is entered with its end."""
    guard = EmbeddedGuard(bytes_max=150)
    bench = Bench(resend=False, guard=guard)
    await bench.producer.start()
    assert await bench.deliver((0, bytes(60))).wait() == ACCEPTED
    with pytest.raises(Overloaded, match="embedded broker is full"):
        await bench.deliver((0, bytes(60))).wait()
    guard.committed("t", 0, 1)
    assert await bench.deliver((0, bytes(60))).wait() == ACCEPTED
    await bench.producer.stop(Deadline.after(0, CLOCK))


async def test_copies_are_charged_to_the_budget_and_alone_always_fit(bench: Bench) -> None:
    """Nobody is refused for ever; with others in the way it is for now."""
    flusher = bench.flusher
    flusher.admit(1)
    held_before = flusher.held_bytes
    flusher.admit(1 << 40, own_bytes=1)
    assert held_before + (1 << 40) == flusher.held_bytes
    flusher.release((1 << 40) + 1)
    flusher.admit(2)
    with pytest.raises(Overloaded, match="max_buffered_bytes"):
        flusher.admit(1 << 40, own_bytes=1)

    assert flusher.held_bytes == 2
