"""What extensions may ask."""

import pytest

from bridge.core import State, Status
from bridge.service.host import ServiceHost
from bridge.service.status_book import StatusBook


def test_host_is_live_until_something_is_fatal() -> None:
    """Liveness does not depend on readiness."""
    book = StatusBook(lambda: 1.0)
    host = ServiceHost(book)
    report = book.reporter("exporters/kafka")
    report(Status(State.RECOVERABLE, "away"))

    assert host.live()
    assert not host.ready()
    report(Status(State.FATAL, "gone"))
    assert not host.live()


def test_host_ready_needs_start_and_no_drain() -> None:
    """All three must hold: started, well, not draining."""
    book = StatusBook(lambda: 1.0)
    host = ServiceHost(book)
    book.reporter("exporters/kafka")(Status(State.OK))

    assert not host.ready()
    host.started = True
    assert host.ready()
    assert host.statuses()["exporters/kafka"].state is State.OK
    host.draining = True
    assert not host.ready()


def test_stages_of_another_process_cannot_be_watched() -> None:
    """A parent of workers has none of its own, and says so."""
    with pytest.raises(LookupError, match="they are in the workers"):
        ServiceHost(StatusBook()).watch("exporters/otlp", _Nobody())


class _Nobody:
    def entered(self, stage: str, batch: object) -> object:
        raise AssertionError("never")

    def left(self, token: object, error: BaseException | None) -> None:
        raise AssertionError("never")
