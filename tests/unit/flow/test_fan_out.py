"""Fan-out: each branch on its own, one answer, and custody until the last branch is done."""

import asyncio
from dataclasses import replace

import pytest

from bridge.core import (
    ACCEPTED,
    Batch,
    Denied,
    Malformed,
    Overloaded,
    Receipt,
    Record,
    Refused,
    Unavailable,
)
from bridge.flow import FanOut
from bridge.testing import FakeCustody


def fan(branches, clock, figures) -> FanOut:
    return FanOut("traces", branches, clock=clock, metrics=figures, draw=lambda: 0.5)


def with_records(batch: Batch, book: FakeCustody, offsets: list[int]) -> Batch:
    records = tuple(Record(offset, 0, 0, 0) for offset in offsets)
    return replace(batch, origin=replace(batch.origin, custody=book, records=records))


async def test_all_branches_get_the_same_bytes(clock, figures, told, a_batch) -> None:
    """Each branch receives the batch once, with the very same body."""
    one, two = told(), told()
    batch = a_batch()

    assert await fan({"a": one, "b": two}, clock, figures).deliver(batch) is ACCEPTED
    assert [batch] == one.got == two.got
    assert one.got[0].body is two.got[0].body


async def test_failed_branch_is_retried_alone(clock, figures, told, a_batch) -> None:
    """A branch that fails is delivered again; its neighbour is not."""
    good, bad = told(), told([Unavailable("x"), Overloaded("y")])
    task = asyncio.create_task(fan({"g": good, "b": bad}, clock, figures).deliver(a_batch()))
    await clock.advance(60)

    assert await task is ACCEPTED
    assert (len(good.got), len(bad.got)) == (1, 3)
    assert figures.value("bridge_fan_out_retries", branch="b") == 2


async def test_slowest_branch_is_named(clock, figures, told, a_batch) -> None:
    """The time that everybody waited for one branch alone is counted for that branch."""
    slow = asyncio.get_running_loop().create_future()
    stage = fan({"quick": told(), "slow": told([slow])}, clock, figures)
    task = asyncio.create_task(stage.deliver(a_batch()))
    await clock.advance(7)
    slow.set_result(ACCEPTED)
    await task

    assert figures.value("bridge_fan_out_waited_seconds", branch="slow") == 7
    assert figures.value("bridge_fan_out_waited_seconds", branch="quick") == 0


async def test_refusal_of_durable_data_comes_after_the_others(
    clock, figures, told, a_batch
) -> None:
    """A permanent error is raised with the branch's name once the others have the batch."""
    good, bad = told([Unavailable("x")]), told([Malformed("broken")])
    task = asyncio.create_task(
        fan({"g": good, "bad": bad}, clock, figures).deliver(a_batch(items=5))
    )
    await clock.advance(60)

    with pytest.raises(Malformed, match="bad: broken"):
        await task
    assert len(good.got) == 2
    assert figures.value("bridge_fan_out_refused_items", branch="bad") == 5


async def test_refusal_of_one_branch_is_a_warning_to_senders(clock, figures, told, a_batch) -> None:
    """A sender whose data one branch took gets OK with a message that names the other."""
    stage = fan({"g": told(), "bad": told([Refused("no")])}, clock, figures)

    receipt = await stage.deliver(a_batch(deadline_s=4))

    assert receipt == Receipt(0, "bad: no")


async def test_refusal_of_all_branches_is_an_error(clock, figures, told, a_batch) -> None:
    """If nobody takes it, the sender hears so."""
    stage = fan({"a": told([Refused("x")]), "b": told([Refused("y")])}, clock, figures)

    with pytest.raises(Refused, match="a: x; b: y"):
        await stage.deliver(a_batch(deadline_s=4))


async def test_branch_unfinished_at_deadline_is_an_error(clock, figures, told, a_batch) -> None:
    """The sender is told to repeat when one branch could not take it in time."""
    bad = told([Unavailable("busy", retry_after_s=9)] * 9)
    stage = fan({"g": told(), "bad": bad}, clock, figures)

    with pytest.raises(Unavailable, match="bad: busy") as caught:
        await stage.deliver(a_batch(deadline_s=4))
    assert caught.value.retry_after_s == 9


async def test_denied_branch_is_told_to_senders_and_held_for_kafka(
    clock, figures, told, a_batch
) -> None:
    """A denial reaches a waiting sender at once; durable data waits until it is mended."""
    with pytest.raises(Denied) as caught:
        await fan({"g": told(), "b": told([Denied("no", hint="type x")])}, clock, figures).deliver(
            a_batch(deadline_s=4)
        )
    assert caught.value.hint == "type x"

    denied = told([Denied("no")] * 3)
    task = asyncio.create_task(fan({"g": told(), "b": denied}, clock, figures).deliver(a_batch()))
    await clock.advance(200)

    assert await task is ACCEPTED


async def test_fault_in_one_branch_spares_the_other(clock, figures, told, a_batch) -> None:
    """An unexpected exception is retried like an outage and cancels nobody."""
    good, bad = told(), told([RuntimeError("bug")])
    task = asyncio.create_task(fan({"g": good, "b": bad}, clock, figures).deliver(a_batch()))
    await clock.advance(5)

    assert await task is ACCEPTED
    assert (len(good.got), len(bad.got)) == (1, 2)


async def test_receipts_are_combined(clock, figures, told, a_batch) -> None:
    """The largest rejection counts and all messages are kept."""
    stage = fan({"a": told([Receipt(2, "two")]), "b": told([Receipt(3, "three")])}, clock, figures)

    assert await stage.deliver(a_batch()) == Receipt(3, "two; three")


async def test_cancelling_cancels_unfinished_branches(clock, figures, told, a_batch) -> None:
    """A cancelled fan-out leaves no branch running."""
    slow = told([asyncio.get_running_loop().create_future()])
    task = asyncio.create_task(fan({"a": told(), "s": slow}, clock, figures).deliver(a_batch()))
    await clock.advance(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.cancelled == 1


async def test_record_is_finished_by_the_last_branch(clock, figures, told, a_batch) -> None:
    """A sampler that finishes a record does not let the source commit it for the other branch."""
    book = FakeCustody()
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    sampler, slow = told([first]), told([second])
    stage = fan({"sampler": sampler, "slow": slow}, clock, figures)
    task = asyncio.create_task(stage.deliver(with_records(a_batch(), book, [7, 8])))
    await clock.advance(0)
    sampler.got[0].origin.custody.finish([7])
    assert book.finished == []
    slow.got[0].origin.custody.finish([7])
    assert book.finished == [7]
    second.set_result(ACCEPTED)
    await clock.advance(0)
    assert book.finished == [7]
    first.set_result(ACCEPTED)
    await task

    # The answer finishes the rest, and tells what was dropped of it.
    assert book.finished == [7]


async def test_held_records_leave_the_window_when_nobody_else_has_them(
    clock, figures, told, a_batch
) -> None:
    """The source is told of held records only when the other branch is done with the body."""
    book = FakeCustody()
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    sampler, slow = told([first]), told([second])
    batch = with_records(a_batch(body=b"12345"), book, [1])
    task = asyncio.create_task(fan({"s": sampler, "o": slow}, clock, figures).deliver(batch))
    await clock.advance(0)
    sampler.got[0].origin.custody.hold([1])
    assert book.held == []
    second.set_result(ACCEPTED)
    await clock.advance(0)
    assert book.held == [1]
    first.set_result(ACCEPTED)
    await task

    assert book.held == [1]


async def test_late_custody_calls_are_ignored(clock, figures, told, a_batch) -> None:
    """After a cancelled delivery a late result of one branch finishes nothing."""
    book = FakeCustody()
    slow = told([asyncio.get_running_loop().create_future()])
    batch = with_records(a_batch(), book, [1])
    task = asyncio.create_task(fan({"a": told(), "s": slow}, clock, figures).deliver(batch))
    await clock.advance(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    slow.got[0].origin.custody.finish([1])

    assert book.finished == []


async def test_custody_views_are_of_one_assignment(clock, figures, told, a_batch) -> None:
    """A stage may key state by assignment: views of all branches and batches agree on it."""
    book, one, two = FakeCustody(), told(), told()
    stage = fan({"a": one, "b": two}, clock, figures)
    for offset in (1, 2):
        await stage.deliver(with_records(a_batch(), book, [offset]))

    seen = [batch.origin.custody for batch in (*one.got, *two.got)]
    assert len(seen) == 4
    assert all(view.assignment is book.assignment for view in seen)


async def test_context_goes_only_to_branches_that_want_it(clock, figures, told, a_batch) -> None:
    """A branch that delivers would deliver again what was finished before."""
    sampler, plain = told(), told()
    stage = FanOut(
        "traces", {"s": sampler, "p": plain}, clock=clock, metrics=figures, context=["s"]
    )
    book = FakeCustody()
    batch = with_records(a_batch(), book, [7])
    await stage.deliver(replace(batch, origin=replace(batch.origin, context=True)))

    assert [batch.origin.context for batch in sampler.got] == [True]
    assert plain.got == []
    assert (book.finished, book.held) == ([], [])
