"""Who is well, and what follows."""

from bridge.core import State, Status
from bridge.service.status_book import StatusBook


def test_component_counts_as_starting_until_it_reports() -> None:
    """A component that never spoke is not OK."""
    book = StatusBook(lambda: 1.0)
    report = book.reporter("receivers/otlp")

    assert not book.all_ok
    report(Status(State.OK))
    assert book.all_ok


def test_worst_subject_counts_and_recovers() -> None:
    """A component is as well as its worst subject; a subject that recovered is gone."""
    now = [1.0]
    book = StatusBook(lambda: now[0])
    report = book.reporter("receivers/kafka")
    report(Status(State.OK))
    now[0] = 2.0
    report(Status(State.PERMANENT, "poison", "skip it", "otlp_spans/3"))

    entry = book.worst()["receivers/kafka"]
    assert (entry.status.reason, entry.since_s) == ("poison", 2.0)
    assert not book.all_ok
    assert not book.fatal
    report(Status(State.OK, subject="otlp_spans/3"))
    assert book.all_ok
    assert book.troubles() == {}


def test_repeated_status_keeps_its_time() -> None:
    """Saying the same again does not make a trouble look new."""
    now = [1.0]
    book = StatusBook(lambda: now[0])
    report = book.reporter("exporters/kafka")
    report(Status(State.RECOVERABLE, "no broker"))
    now[0] = 9.0
    report(Status(State.RECOVERABLE, "no broker"))

    assert book.worst()["exporters/kafka"].since_s == 1.0


def test_fatal_is_not_live() -> None:
    """Only a fatal state says that a restart is needed."""
    book = StatusBook(lambda: 1.0)
    book.reporter("exporters/kafka")(Status(State.FATAL, "gone"))

    assert book.fatal


def test_trouble_that_does_not_impede_keeps_the_service_ready() -> None:
    """A backend's outage behind Kafka is told, and costs no readiness."""
    book = StatusBook(lambda: 1.0)
    report = book.reporter("exporters/otlp")
    report(Status(State.OK))
    report(Status(State.RECOVERABLE, "backend away", subject="delivery", impedes_readiness=False))

    assert book.all_ok
    assert book.worst()["exporters/otlp"].status.reason == "backend away"
