"""One caller's share of what is being written: counted down as partitions acknowledge."""

import asyncio
from collections.abc import Callable

from bridge.core import ACCEPTED, Clock, Deadline, DeliveryError, Receipt, Unavailable
from bridge.kafka.again import afresh
from bridge.kafka.shares import Tally

RETRY_AFTER_S = 1.0
"""Seconds after which senders are asked to come back while Kafka is slow."""

_MESSAGE_CHARS_MAX = 1000
_EXPIRY_STEP_S = 0.05


class Ticket(Tally):
    """
    Settled when all entries of one request are acknowledged or refused, or one of them failed.

    `live` is false once nobody waits any more: entries that were not sent yet are then dropped,
    since whoever sent the request sends it again. `on_death` is called when that comes before
    everything was settled. Whoever does not wait overrides `_settled_with`. `copied_bytes` are
    charged to the budget besides the request itself, until nobody waits.
    """

    __slots__ = (
        "_future",
        "_messages",
        "copied_bytes",
        "deadline",
        "on_death",
        "outcome",
        "rejected_items",
        "watched",
    )

    def __init__(self, deadline: Deadline | None, on_death: Callable[["Ticket"], None]) -> None:
        self.deadline = deadline
        self.on_death = on_death
        self.copied_bytes = 0
        self.rejected_items = 0
        self.outcome: Receipt | DeliveryError | None = None
        self._messages: tuple[str, ...] = ()
        self._future: asyncio.Future[Receipt] | None = None
        self.watched: set[Ticket] | None = None  # Where `Expiry` keeps it.

    @property
    def settled(self) -> bool:
        """Whether everything was written or refused."""
        return isinstance(self.outcome, Receipt)

    @property
    def future(self) -> asyncio.Future[Receipt]:
        """What `wait` waits for; made when it is first asked for."""
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
            if self.outcome is not None:
                self._fulfil(self._future, self.outcome)
        return self._future

    def opened(self) -> None:
        """One more entry belongs to this request."""
        self.open_entries += 1

    def seal(self) -> None:
        """All entries are known: settle as soon as they are."""
        # Counted since the ticket was made: entries may settle while others are being added.
        self.open_entries -= 1
        if self.open_entries == 0:
            self.complete()

    def acknowledged(self, items: int) -> None:
        """An entry is written."""
        self.acknowledged_items += items
        self.open_entries -= 1
        if self.open_entries == 0:
            self.complete()

    def complete(self) -> None:
        """All entries are written or refused."""
        if self.outcome is None:
            plain = not (self.rejected_items or self._messages)
            self.outcome = (
                ACCEPTED if plain else Receipt(self.rejected_items, "; ".join(self._messages))
            )
            self._settled_with(self.outcome)

    def rejected(self, items: int, message: str) -> None:
        """An entry will never be written, and the sender is told how many items that were."""
        self.rejected_items += items
        self._note(message)
        self._close_one()

    def noted(self, message: str) -> None:
        """The sender is told something that costs it no items."""
        self._note(message)

    def failed(self, error: DeliveryError) -> None:
        """An entry could not be written: the whole request is not taken."""
        if self._die() and self.outcome is None:
            self.outcome = afresh(error)
            self._settled_with(self.outcome)

    def give_up(self) -> None:
        """Nobody waits any more."""
        self._die()

    async def wait(self) -> Receipt:
        """
        Wait until everything is settled.

        Raises:
            DeliveryError: What the first failing entry met, or `Unavailable` after `expire`.

        Cancellation:
            Gives up: entries that were not sent are not sent.
        """
        try:
            return await self.future
        finally:
            self._die()

    def expire(self) -> None:
        """The deadline has passed."""
        self.failed(
            Unavailable(
                "Kafka did not acknowledge everything before the sender's deadline",
                retry_after_s=RETRY_AFTER_S,
            )
        )

    def _die(self) -> bool:
        was_live, self.live = self.live, False
        if was_live and self.outcome is None:
            self.on_death(self)
        return was_live

    def _settled_with(self, outcome: Receipt | DeliveryError) -> None:
        """Tell whoever waits, once."""
        if self._future is not None:
            self._fulfil(self._future, outcome)

    def _fulfil(self, future: asyncio.Future[Receipt], outcome: Receipt | DeliveryError) -> None:
        # A caller that was cancelled has taken the future along.
        if future.done():
            return
        if isinstance(outcome, Receipt):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
            # Whoever waits gets it; that nobody does, since it was cancelled, is no fault.
            future.exception()

    def _note(self, message: str) -> None:
        if sum(map(len, self._messages)) < _MESSAGE_CHARS_MAX:
            self._messages += (message,)

    def _close_one(self) -> None:
        self.open_entries -= 1
        if self.open_entries == 0:
            self.complete()


class Expiry:
    """
    Expires tickets when their deadlines pass, at most a tenth of a second late.

    One timer for all of them: a timer for each would cost more than writing a small request.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # What changes: tickets by the step in which they expire, those of the latest deadline,
        # which requests share, and the timer while there are any.
        self._steps: dict[int, set[Ticket]] = {}
        self._latest: tuple[Deadline, set[Ticket]] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, ticket: Ticket) -> None:
        """Expire *ticket* when its time comes, unless `forget` is called before."""
        deadline = ticket.deadline
        if deadline is None:
            return
        latest = self._latest
        if latest is not None and latest[0] is deadline:
            tickets = latest[1]
        else:
            step = int(deadline.at / _EXPIRY_STEP_S)
            tickets = self._steps.setdefault(step, set())
            self._latest = deadline, tickets
        tickets.add(ticket)
        ticket.watched = tickets
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_EXPIRY_STEP_S, self._tick)

    def forget(self, ticket: Ticket) -> None:
        """Stop watching *ticket*."""
        if ticket.watched is not None:
            ticket.watched.discard(ticket)
            ticket.watched = None

    def close(self) -> None:
        """Watch nothing any more."""
        self._steps.clear()
        self._latest = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        now = int(self._clock.monotonic() / _EXPIRY_STEP_S)
        self._timer, self._latest = None, None  # The step of the latest may go now.
        try:
            for step in [step for step in self._steps if step < now]:
                self._expire_all(self._steps[step])
                self._steps.pop(step, None)
        finally:
            # Whatever a ticket's owner does when it hears: the others' deadlines still pass.
            if self._steps and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_EXPIRY_STEP_S, self._tick)

    def _expire_all(self, tickets: set[Ticket]) -> None:
        """Expire *tickets*; whoever hears of one may forget it, or others of them."""
        while tickets:
            ticket = tickets.pop()
            ticket.watched = None
            ticket.expire()
