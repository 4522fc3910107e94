"""Batching: callers travel together, and each gets its own outcome."""

import asyncio
import gc

import pytest

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    Denied,
    Interrupted,
    Malformed,
    Origin,
    Receipt,
    Refused,
    Signal,
    Unavailable,
)
from bridge.flow import Batching, Grouping, Limits, Reason
from bridge.flow.batching import _Caller
from bridge.testing import FakeStage, ManualClock, builders

LIMITS = Limits(
    items=1000, items_max=0, body_bytes=1 << 20, timeout_s=0.2, pending_bytes_max=1 << 22
)


class Bench:
    """A batching stage with a downstream that can be held."""

    def __init__(self, stage, clock, limits=LIMITS, grouping=None) -> None:
        self.stage, self.clock, self.seen = stage, clock, []
        self.batching = Batching(
            stage,
            limits,
            grouping or Grouping(),
            clock,
            lambda reason, items, size: self.seen.append((reason, items)),
        )

    def deliver(self, *batches) -> list[asyncio.Task[Receipt]]:
        return [asyncio.create_task(self.batching.deliver(batch)) for batch in batches]

    async def busy(self, batch) -> tuple[asyncio.Task[Receipt], asyncio.Future[object]]:
        """Have one batch under way, so that what follows waits."""
        answer = asyncio.get_running_loop().create_future()
        self.stage.answers.insert(0, answer)
        (task,) = self.deliver(batch)
        await self.clock.advance(0)
        return task, answer


@pytest.fixture
def bench(clock, told) -> Bench:
    return Bench(told(), clock)


async def outcomes(tasks) -> list[object]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_lone_caller_is_not_delayed(bench, clock, a_batch) -> None:
    """With nothing under way a batch goes at once and keeps its own origin."""
    batch = a_batch()

    assert await outcomes(bench.deliver(batch)) == [ACCEPTED]
    assert bench.stage.got == [batch]
    assert bench.stage.got[0].origin is batch.origin
    assert bench.seen == [(Reason.IDLE, 1)]


async def test_callers_of_one_turn_travel_together(bench, a_batch) -> None:
    """What is delivered at the same time is one batch downstream."""
    assert await outcomes(bench.deliver(*[a_batch(bytes([n])) for n in range(5)])) == [ACCEPTED] * 5

    (joined,) = bench.stage.got
    assert joined.body == bytes(range(5))
    assert joined.items == 5


async def test_callers_wait_while_the_way_is_taken(bench, clock, a_batch) -> None:
    """While a batch is under way others collect, and go when it has its outcome."""
    first, answer = await bench.busy(a_batch())
    rest = bench.deliver(a_batch(), a_batch())
    await clock.advance(0.1)
    assert len(bench.stage.got) == 1
    answer.set_result(ACCEPTED)
    await outcomes([first, *rest])

    assert [batch.items for batch in bench.stage.got] == [1, 2]


async def test_timeout_bounds_the_wait(bench, clock, a_batch) -> None:
    """After timeout a batch goes even if another one is still under way."""
    first, answer = await bench.busy(a_batch())
    rest = bench.deliver(a_batch())
    await clock.advance(0.19)
    assert len(bench.stage.got) == 1
    await clock.advance(0.02)
    assert await outcomes(rest) == [ACCEPTED]
    answer.set_result(ACCEPTED)
    await first

    assert bench.seen[1] == (Reason.TIMEOUT, 1)


async def test_nobody_is_answered_early(bench, clock, a_batch) -> None:
    """No caller returns before the joined batch was taken."""
    answer = asyncio.get_running_loop().create_future()
    bench.stage.answers.append(answer)
    tasks = bench.deliver(a_batch(), a_batch())
    await clock.advance(60)
    assert not any(task.done() for task in tasks)
    answer.set_result(ACCEPTED)

    assert await outcomes(tasks) == [ACCEPTED, ACCEPTED]


@pytest.mark.parametrize(
    "error", [Unavailable("away", retry_after_s=7), Denied("no", hint="log in")]
)
async def test_temporary_error_reaches_every_caller(bench, a_batch, error) -> None:
    """Each caller gets an error of its own with all it carries, and nothing is sent again."""
    bench.stage.answers.append(error)
    found = await outcomes(bench.deliver(a_batch(), a_batch()))

    assert [type(error)] * 2 == [type(one) for one in found]
    assert found[0] is not found[1]
    assert [vars(error)] * 2 == [vars(one) for one in found]
    assert len(bench.stage.got) == 1


async def test_permanent_error_is_traced_to_its_caller(bench, a_batch) -> None:
    """A refused joined batch is delivered caller by caller: only the bad one is told so."""

    def judge(batch):
        return Malformed("bad") if b"!" in batch.body else ACCEPTED

    bench.stage.answers = [judge] * 4
    found = await outcomes(bench.deliver(a_batch(b"a"), a_batch(b"!"), a_batch(b"c")))

    assert found[0] is found[2] is ACCEPTED
    assert isinstance(found[1], Malformed)
    assert [batch.body for batch in bench.stage.got] == [b"a!c", b"a", b"!", b"c"]


async def test_single_callers_permanent_error_is_not_repeated(bench, a_batch) -> None:
    """A batch of one caller is refused once."""
    bench.stage.answers.append(Refused("no"))

    (found,) = await outcomes(bench.deliver(a_batch()))

    assert isinstance(found, Refused)
    assert len(bench.stage.got) == 1


async def test_rejected_items_of_joined_batch_become_a_warning(bench, a_batch) -> None:
    """A partial success cannot be told apart between callers: they get the message."""
    bench.stage.answers.append(Receipt(3, "too old"))
    found = await outcomes(bench.deliver(a_batch(), a_batch()))

    assert [receipt.rejected_items for receipt in found] == [0, 0]
    assert all("3 items" in receipt.message and "too old" in receipt.message for receipt in found)


async def test_rejected_items_of_single_caller_are_its_own(bench, a_batch) -> None:
    """The receipt of a batch that was not joined passes unchanged."""
    bench.stage.answers.append(Receipt(3, "too old"))

    assert await outcomes(bench.deliver(a_batch())) == [Receipt(3, "too old")]


async def test_cancelled_waiter_is_not_sent(bench, clock, a_batch) -> None:
    """A caller that goes before its batch does leaves no trace in it."""
    first, answer = await bench.busy(a_batch(b"1"))
    gone, stays = bench.deliver(a_batch(b"x"), a_batch(b"2"))
    await clock.advance(0)
    gone.cancel()
    await clock.advance(0)
    answer.set_result(ACCEPTED)
    await outcomes([first, stays, gone])

    assert [batch.body for batch in bench.stage.got] == [b"1", b"2"]


async def test_cancelled_caller_leaves_the_send_to_the_others(bench, clock, a_batch) -> None:
    """One of two going does not cancel what is under way."""
    answer = asyncio.get_running_loop().create_future()
    bench.stage.answers.append(answer)
    gone, stays = bench.deliver(a_batch(), a_batch())
    await clock.advance(0)
    gone.cancel()
    await clock.advance(0)
    assert bench.stage.cancelled == 0
    answer.set_result(ACCEPTED)

    assert await stays is ACCEPTED


async def test_send_without_callers_is_cancelled(bench, clock, a_batch) -> None:
    """When the last caller goes, the joined send ends too, so that it cannot run for ever."""
    answer = asyncio.get_running_loop().create_future()
    bench.stage.answers.append(answer)
    tasks = bench.deliver(a_batch(), a_batch())
    await clock.advance(0)
    for task in tasks:
        task.cancel()
    await clock.advance(0)

    assert bench.stage.cancelled == 1
    assert repr(bench.batching) == "Batching(Accumulator(0 groups, 0 bytes), 0 under way)"


async def test_merged_origin_has_the_latest_deadline(bench, a_batch) -> None:
    """A joined batch is worth trying as long as its most patient sender waits."""
    await outcomes(bench.deliver(a_batch(deadline_s=1), a_batch(deadline_s=4)))

    (joined,) = bench.stage.got
    assert joined.origin.deadline.remaining_s == 4
    assert (joined.origin.source, joined.origin.records, joined.origin.custody) == (
        "otlp",
        (),
        None,
    )


async def test_durable_and_waiting_callers_are_not_joined(bench, a_batch) -> None:
    """A sender is not tied to Kafka data that is retried without end."""
    await outcomes(bench.deliver(a_batch(), a_batch(deadline_s=4)))

    assert [batch.origin.durable for batch in bench.stage.got] == [True, False]


async def test_signals_and_metadata_are_kept_apart(bench, a_batch) -> None:
    """Only equal signals and equal metadata are joined, and the metadata travels on."""
    await outcomes(
        bench.deliver(
            a_batch(tenant="a"),
            a_batch(tenant="b"),
            a_batch(tenant="a"),
            a_batch(signal=Signal.LOGS),
        )
    )

    assert [(batch.items, dict(batch.metadata)) for batch in bench.stage.got] == [
        (2, {"tenant": ("a",)}),
        (1, {"tenant": ("b",)}),
        (1, {}),
    ]


async def test_metadata_keys_choose_what_matters(clock, told, a_batch) -> None:
    """With metadata_keys the other keys neither separate nor travel."""
    bench = Bench(told(), clock, grouping=Grouping(("tenant",)))
    await outcomes(bench.deliver(a_batch(tenant="a", id="1"), a_batch(tenant="a", id="2")))

    (joined,) = bench.stage.got
    assert joined.metadata == {"tenant": ("a",)}


async def test_too_many_groups_are_passed_on_singly(clock, told, a_batch) -> None:
    """Beyond the cardinality limit nothing is refused, only not joined."""
    bench = Bench(told(), clock, grouping=Grouping(("tenant",), groups_max=1))
    await outcomes(bench.deliver(a_batch(tenant="a"), *[a_batch(tenant="b", x="y")] * 2))

    assert [batch.items for batch in bench.stage.got] == [1, 1, 1]
    assert all(set(batch.metadata) == {"tenant"} for batch in bench.stage.got)


async def test_empty_batch_is_taken_without_a_send(bench, a_batch) -> None:
    """An envelope without items is not worth a request."""
    assert await outcomes(bench.deliver(a_batch(b"", 0))) == [ACCEPTED]
    assert bench.stage.got == []


def request(spans: int) -> bytes:
    return builders.sample(Signal.TRACES, spans).body


def capped(told, clock, answers=()) -> Bench:
    limits = Limits(
        items=10, items_max=10, body_bytes=1 << 20, timeout_s=0.2, pending_bytes_max=1 << 22
    )
    return Bench(told(answers), clock, limits)


async def test_large_request_is_split(clock, told, a_batch) -> None:
    """With a cap a larger request goes in pieces, and its caller waits for all of them."""
    bench = capped(told, clock)

    assert await outcomes(bench.deliver(a_batch(request(25), 25))) == [ACCEPTED]
    assert sorted(batch.items for batch in bench.stage.got) == [5, 10, 10]


async def test_refused_piece_of_waiting_sender_is_counted(clock, told, a_batch) -> None:
    """A sender whose request was refused in part hears how much."""
    bench = capped(told, clock, [Refused("no"), ACCEPTED, ACCEPTED])

    (receipt,) = await outcomes(bench.deliver(a_batch(request(25), 25, deadline_s=4)))

    assert receipt == Receipt(10, "no")


async def test_refused_piece_of_durable_data_is_raised(clock, told, a_batch) -> None:
    """Kafka data refused in part goes to the dead letter as a whole: duplicates, never a loss."""
    bench = capped(told, clock, [Refused("no"), ACCEPTED, ACCEPTED])

    (found,) = await outcomes(bench.deliver(a_batch(request(25), 25)))

    assert isinstance(found, Refused)


async def test_unavailable_piece_outweighs_a_refused_one(clock, told, a_batch) -> None:
    """If a piece may yet be taken, the caller is told to repeat."""
    bench = capped(told, clock, [Refused("no"), Unavailable("x"), ACCEPTED])

    (found,) = await outcomes(bench.deliver(a_batch(request(25), 25, deadline_s=4)))

    assert isinstance(found, Unavailable)


async def test_stop_sends_what_waits(bench, clock, a_batch) -> None:
    """Stopping flushes and waits for the outcome; later deliveries pass straight through."""
    first, answer = await bench.busy(a_batch())
    rest = bench.deliver(a_batch())
    await clock.advance(0)
    stop = asyncio.create_task(bench.batching.stop(Deadline.after(5, clock)))
    await clock.advance(0)
    answer.set_result(ACCEPTED)
    await stop

    assert await outcomes([first, *rest]) == [ACCEPTED, ACCEPTED]
    assert await bench.batching.deliver(a_batch()) is ACCEPTED
    await bench.batching.stop(Deadline.after(5, clock))


async def test_stop_gives_back_at_its_deadline(bench, clock, a_batch) -> None:
    """What is still under way at the deadline is given back as interrupted."""
    first, _ = await bench.busy(a_batch())
    await bench.batching.stop(Deadline.after(0, clock))

    (found,) = await outcomes([first])
    assert isinstance(found, Interrupted)
    assert bench.stage.cancelled == 1


async def test_hurry_sends_at_once(bench, clock, a_batch) -> None:
    """A source that cannot bring more may say so."""
    first, answer = await bench.busy(a_batch())
    rest = bench.deliver(a_batch())
    await clock.advance(0)
    bench.batching.hurry()

    assert await outcomes(rest) == [ACCEPTED]
    answer.set_result(ACCEPTED)
    await first


async def test_fault_downstream_reaches_the_callers(bench, a_batch) -> None:
    """An unexpected exception leaves nobody waiting; it counts as an outage."""
    bench.stage.answers.append(RuntimeError("bug"))
    found = await outcomes(bench.deliver(a_batch(), a_batch()))

    assert all(isinstance(one, Unavailable) for one in found)
    assert isinstance(found[0].__cause__.__cause__, RuntimeError)


async def test_fault_while_apart_reaches_the_callers(bench, a_batch) -> None:
    """The same holds while a refused batch is delivered caller by caller."""
    bench.stage.answers += [Refused("joined"), ACCEPTED, RuntimeError("bug")]
    found = await outcomes(bench.deliver(a_batch(), a_batch()))

    assert len(found) == 2
    assert isinstance(found[1], Unavailable)


def test_merged_origin_names_its_sources(clock) -> None:
    """Sources are named once each, a few at most."""
    from bridge.flow.batching import _merge_origins

    origins = [Origin(name) for name in "aabcdef"]

    assert _merge_origins(origins).source == "a+b+c+d"


async def test_batch_is_freed_without_a_collection() -> None:
    """Collections are rare: what a caller and its parts keep in a circle stays as if it leaked."""
    stage, clock = FakeStage(), ManualClock()
    bench = Bench(stage, clock)
    gc.collect()
    gc.disable()
    try:
        made = builders.trace_request(1, 2)
        origin = Origin("kafka")
        tasks = bench.deliver(*(Batch(Signal.TRACES, made.body, 2, origin) for _ in range(3)))
        await clock.advance(1.0)
        await asyncio.gather(*tasks)
        tasks.clear()
        stage.taken.clear()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [one for one in gc.garbage if isinstance(one, _Caller)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()

    assert left == []
