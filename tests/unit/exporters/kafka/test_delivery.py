"""A delivery tells its outcome once, whatever happens to it afterwards."""

from bridge.core import ACCEPTED, Batch, Origin, Outcome, Signal, Unavailable
from bridge.exporters.kafka.delivery import Delivery
from bridge.kafka import Ticket


class FakeOwner:
    """Notes what it is told and passes outcomes on."""

    def __init__(self) -> None:
        self.forgotten: list[Ticket] = []
        self.ends: list[Outcome] = []

    def forget(self, ticket: Ticket) -> None:
        """Note it."""
        self.forgotten.append(ticket)

    def ended(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        """Give up the ticket, as the exporter does."""
        delivery.give_up()
        self.ends.append(outcome)
        return outcome


class Fixture:
    """A delivery of one entry."""

    def __init__(self) -> None:
        self.owner = FakeOwner()
        self.outcomes: list[Outcome] = []
        batch = Batch(Signal.TRACES, b"body", 3, Origin("test"))
        self.delivery = Delivery(self.owner, batch, self.outcomes.append)
        self.delivery.opened()
        self.delivery.seal()


def test_delivery_acknowledged_is_told_at_once() -> None:
    """In the same call, and cancelling it afterwards says nothing more."""
    fixture = Fixture()

    fixture.delivery.acknowledged(3)
    fixture.delivery.cancel()

    assert fixture.outcomes == [ACCEPTED]
    assert fixture.owner.ends == [ACCEPTED]
    assert fixture.owner.forgotten == []


def test_delivery_that_fails_is_told_why() -> None:
    """An acknowledgement of another part does not change it."""
    fixture = Fixture()

    fixture.delivery.failed(Unavailable("away"))
    fixture.delivery.acknowledged(3)

    (outcome,) = fixture.outcomes
    assert isinstance(outcome, Unavailable)
    assert fixture.owner.forgotten == [fixture.delivery]


def test_delivery_cancelled_is_told_so_once() -> None:
    """What is acknowledged later is nobody's any more; entries not sent are forgotten."""
    fixture = Fixture()

    fixture.delivery.cancel()
    fixture.delivery.acknowledged(3)
    fixture.delivery.cancel()

    assert fixture.outcomes == [None]
    assert fixture.owner.forgotten == [fixture.delivery]
