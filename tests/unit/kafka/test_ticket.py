"""A ticket settles when all its entries do, and dies when nobody waits."""

import asyncio

import pytest

from bridge.core import ACCEPTED, Deadline, Overloaded, Receipt, Unavailable
from bridge.kafka import Expiry, Ticket
from bridge.testing import ManualClock


def ticket(deaths: list[Ticket] | None = None) -> Ticket:
    """A ticket whose death is recorded."""
    return Ticket(None, (deaths if deaths is not None else []).append)


async def test_ticket_settles_with_its_last_entry() -> None:
    """Acknowledgements in any order, also before it was sealed."""
    one = ticket()
    one.opened()
    one.opened()
    one.acknowledged(2)
    one.seal()
    assert not one.settled
    one.acknowledged(3)

    assert await one.wait() == ACCEPTED
    assert one.settled
    assert one.acknowledged_items == 5


async def test_ticket_names_what_was_rejected() -> None:
    """The receipt has the number of items and the reasons."""
    one = ticket()
    one.opened()
    one.opened()
    one.rejected(1, "too large")
    one.noted("and a word")
    one.acknowledged(1)
    one.seal()

    assert await one.wait() == Receipt(1, "too large; and a word")


async def test_ticket_fails_at_once_with_an_error_of_its_own() -> None:
    """The first failure decides; each waiter gets a fresh exception with the cause chained."""
    deaths: list[Ticket] = []
    one = ticket(deaths)
    one.opened()
    one.opened()
    error = Overloaded("full", retry_after_s=3.0)
    one.failed(error)
    one.failed(Unavailable("later"))

    with pytest.raises(Overloaded, match="full") as caught:
        await one.wait()
    assert caught.value is not error
    assert caught.value.retry_after_s == 3.0
    assert caught.value.__cause__ is error
    assert not one.live
    assert [one] == deaths


async def test_ticket_of_a_cancelled_caller_is_dead() -> None:
    """Entries that were not sent need not be, and whoever keeps them is told."""
    deaths: list[Ticket] = []
    one = ticket(deaths)
    one.opened()
    one.seal()
    waiting = asyncio.ensure_future(one.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert not one.live
    assert not one.settled
    assert [one] == deaths
    one.acknowledged(1)  # What was under way may still be acknowledged: nothing happens.


async def test_expiry_fails_tickets_whose_deadline_passed() -> None:
    """One timer for all; tickets that were forgotten or have no deadline are left alone."""
    clock = ManualClock()
    expiry = Expiry(clock)
    early, late, gone = (Ticket(Deadline.after(s, clock), lambda _: None) for s in (1, 9, 1))
    endless = ticket()
    for one in (early, late, gone, endless):
        expiry.watch(one)
    expiry.forget(gone)
    await clock.advance(1.2)
    with pytest.raises(Unavailable, match="deadline"):
        await early.wait()

    assert late.live
    assert gone.live
    assert endless.live
    expiry.close()


async def test_expiry_goes_on_when_owners_forget_as_they_hear() -> None:
    """A request without a task leaves in the very moment in which it hears: so do many at once."""
    clock = ManualClock()
    expiry = Expiry(clock)
    deadline = Deadline.after(1, clock)
    several = [Ticket(deadline, expiry.forget) for _ in range(20)]
    for one in several:
        expiry.watch(one)
    await clock.advance(1.3)
    await _until_dead(several)
    later = Ticket(Deadline.after(1, clock), expiry.forget)
    expiry.watch(later)
    await clock.advance(1.3)
    await _until_dead([later])
    expiry.close()

    assert expiry._timer is None


async def test_expiry_goes_on_after_an_owner_that_fails() -> None:
    """One that raises as it hears takes nobody else's deadline away."""

    def fail(_: Ticket) -> None:
        raise RuntimeError("owner")

    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what["message"]))
    clock = ManualClock()
    expiry = Expiry(clock)
    deadline = Deadline.after(1, clock)
    several = [Ticket(deadline, fail) for _ in range(5)]
    for one in several:
        expiry.watch(one)
    await clock.advance(2.0)
    await _until_dead(several)
    expiry.close()

    assert len(told) == 5


async def _until_dead(tickets: list[Ticket]) -> None:
    """Wait for the timer, which runs on the loop's own clock."""
    async with asyncio.timeout(5):
        while any(one.live for one in tickets):  # noqa: ASYNC110 - tickets tell one owner only
            await asyncio.sleep(0.01)
