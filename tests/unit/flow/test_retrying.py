"""Retrying: the schedule, who is retried for how long, and what an operator hears."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import ACCEPTED, Denied, Interrupted, Refused, State, Unavailable
from bridge.flow import Backoff, Retrying
from bridge.options import RetryOnFailure

EVEN = 0.5  # The draw at which the spread neither adds nor takes.


def schedule(**keys: object) -> Backoff:
    return Backoff.from_options(RetryOnFailure.model_validate(keys))


def test_backoff_grows_to_its_maximum() -> None:
    """Each interval is the multiple of the one before, up to max_interval."""
    waits = [schedule().wait_s(failures, None, EVEN) for failures in range(1, 8)]

    assert waits == pytest.approx([5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0])


def test_backoff_survives_many_failures() -> None:
    """After a day of failures the wait is still the maximum and nothing overflows."""
    assert schedule().wait_s(1_000_000, None, EVEN) == 30.0


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backoff_stays_within_its_spread(failures, draw) -> None:
    """Every wait lies within the interval plus and minus the randomization factor."""
    middle = schedule().wait_s(failures, None, EVEN)

    assert middle * 0.5 - 1e-9 <= schedule().wait_s(failures, None, draw) <= middle * 1.5 + 1e-9


@given(st.floats(0, 1e6), st.floats(0, 1))
def test_backoff_honours_the_hint(hint_s, draw) -> None:
    """A hint replaces the schedule, is never undercut, and is cut to its own maximum."""
    wait_s = schedule(max_retry_after="60s").wait_s(3, hint_s, draw)

    assert min(hint_s, 60.0) <= wait_s <= min(hint_s, 60.0) * 1.1 + 1e-9


def retrying(stage, settings, **keys: object) -> Retrying:
    return Retrying(stage.deliver, RetryOnFailure.model_validate(keys), settings, draw=lambda: EVEN)


async def test_durable_batch_is_retried_without_end(clock, settings, told, a_batch) -> None:
    """Kafka-fed data outlives max_elapsed_time by far and is delivered in the end."""
    stage = told([Unavailable("down")] * 100)
    task = asyncio.create_task(retrying(stage, settings).deliver(a_batch()))
    await clock.advance(3600)

    assert await task is ACCEPTED
    assert len(stage.got) == 101
    assert sum(clock.sleeps) > 2000


async def test_waiting_sender_is_retried_until_its_deadline(clock, settings, told, a_batch) -> None:
    """With a sender, the error comes back as soon as no attempt fits before the deadline."""
    stage = told([Unavailable("down")] * 9)
    deliver = retrying(stage, settings, initial_interval="1s").deliver
    task = asyncio.create_task(deliver(a_batch(deadline_s=4)))
    await clock.advance(0)
    await clock.advance(3)

    with pytest.raises(Unavailable, match="down"):
        await task
    # At 0 s, 1 s and 2.5 s; the next one would come at 4.75 s.
    assert len(stage.got) == 3


async def test_max_elapsed_time_ends_waiting_sender(clock, settings, told, a_batch) -> None:
    """max_elapsed_time applies to data whose sender would wait longer."""
    stage = told([Unavailable("down")] * 99)
    deliver = retrying(stage, settings, initial_interval="1s", max_elapsed_time="3s").deliver
    task = asyncio.create_task(deliver(a_batch(deadline_s=1000)))
    await clock.advance(10)

    with pytest.raises(Unavailable):
        await task
    assert len(stage.got) == 3


async def test_hint_beyond_the_deadline_is_passed_on(settings, told, a_batch) -> None:
    """A backend's delay that the sender cannot wait for goes back to the sender unchanged."""
    stage = told([Unavailable("busy", retry_after_s=30)])

    with pytest.raises(Unavailable) as caught:
        await retrying(stage, settings).deliver(a_batch(deadline_s=4))
    assert caught.value.retry_after_s == 30


async def test_hint_within_the_deadline_is_waited_for(clock, settings, told, a_batch) -> None:
    """The next attempt comes after the delay that the backend asked for."""
    stage = told([Unavailable("busy", retry_after_s=2)])
    task = asyncio.create_task(retrying(stage, settings).deliver(a_batch(deadline_s=4)))
    await clock.advance(3)

    assert await task is ACCEPTED
    assert clock.sleeps == pytest.approx([2.1])


@pytest.mark.parametrize("deadline_s", [None, 100.0])
async def test_permanent_error_is_not_repeated(settings, told, a_batch, deadline_s) -> None:
    """What is refused for good is raised at once, whoever sent it."""
    stage = told([Refused("no")])

    with pytest.raises(Refused):
        await retrying(stage, settings).deliver(a_batch(deadline_s=deadline_s))
    assert len(stage.got) == 1


async def test_denial_of_durable_data_is_held(clock, settings, told, a_batch, reports) -> None:
    """A denial is repeated slowly, reported with its hint, and recovers by itself."""
    stage = told([Denied("bad token", hint="set the header"), Denied("bad token")])
    task = asyncio.create_task(retrying(stage, settings).deliver(a_batch()))
    await clock.advance(1)
    assert [(report.state, report.hint) for report in reports] == [
        (State.PERMANENT, "set the header")
    ]
    await clock.advance(100)

    assert await task is ACCEPTED
    assert clock.sleeps[0] >= 30
    assert [report.state for report in reports] == [State.PERMANENT, State.OK]


async def test_denial_of_waiting_sender_is_raised(settings, told, a_batch) -> None:
    """A sender hears of a denial at once."""
    with pytest.raises(Denied):
        await retrying(told([Denied("no")]), settings).deliver(a_batch(deadline_s=100))


async def test_disabled_retry_raises_at_once(settings, told, a_batch) -> None:
    """Without retry_on_failure even durable data goes back to its source."""
    with pytest.raises(Unavailable):
        await retrying(told([Unavailable("x")]), settings, enabled=False).deliver(a_batch())


async def test_stop_ends_the_wait_at_once(clock, settings, told, a_batch) -> None:
    """Stopping does not sit out a backoff: the data is given back without another attempt."""
    stage = told([Unavailable("down")] * 9)
    repeat = retrying(stage, settings)
    task = asyncio.create_task(repeat.deliver(a_batch()))
    await clock.advance(1)
    repeat.stop()

    with pytest.raises(Interrupted):
        await task
    assert len(stage.got) == 1


async def test_lasting_failure_is_reported_once(clock, settings, told, a_batch, reports) -> None:
    """A short disturbance is no news; a lasting one is, once, and so is its end."""
    stage = told([Unavailable("down")] * 6)
    task = asyncio.create_task(retrying(stage, settings).deliver(a_batch()))
    await clock.advance(6)
    assert reports == []
    await clock.advance(300)
    await task

    assert [report.state for report in reports] == [State.RECOVERABLE, State.OK]


async def test_cancelled_wait_stays_cancelled(clock, settings, told, a_batch, figures) -> None:
    """Cancelling during the wait ends the delivery and is not swallowed."""
    task = asyncio.create_task(retrying(told([Unavailable("x")]), settings).deliver(a_batch()))
    await clock.advance(1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert figures.value("bridge_exporter_retries") == 1
