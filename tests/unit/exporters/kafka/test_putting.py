"""Entries fit their topics; what cannot fit is refused or set aside."""

from typing import Any

from bridge.core import Signal
from bridge.exporters.kafka import KafkaExporterConfig
from bridge.exporters.kafka.encodings import Encoded
from bridge.exporters.kafka.figures import Figures
from bridge.exporters.kafka.layout import Placed, layout_of
from bridge.exporters.kafka.putting import Putting
from bridge.kafka import Entry, Ticket, Topic
from bridge.testing import make_settings, trace_request


class Recorder:
    """Stands for the flusher: keeps what is put."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int, Entry]] = []

    def put(self, topic: str, partition: int, batch_bytes_max: int, entry: Entry) -> None:
        self.entries.append((topic, partition, entry))


def make(message_bytes_max: int = 2000) -> tuple[Putting, Recorder]:
    """Putting of the default configuration with a small limit."""
    flusher: Any = Recorder()
    config = KafkaExporterConfig()
    layouts = {signal: layout_of(config, signal) for signal in Signal}
    figures = Figures(make_settings("kafka"), "none", "dlq")
    return Putting(flusher, figures, layouts, message_bytes_max, None), flusher


def placed(body: bytes, items: int, key: bytes | None = None) -> Placed:
    """A record for partition 1."""
    return Placed(1, body, Encoded(body, items), key)


async def test_what_fits_is_one_entry() -> None:
    """With the target's headers, for its partition."""
    putting, flusher = make()
    made = trace_request(2, 2)
    target = putting.target(Topic("t", 3, None), Signal.TRACES, (("a", b"b"),), packable=True)
    target.put(Ticket(None, lambda _: None), placed(made.body, 4))
    ((topic, partition, entry),) = flusher.entries

    assert (topic, partition, entry.value, entry.items) == ("t", 1, made.body, 4)
    assert entry.headers == (("a", b"b"),)


async def test_what_does_not_fit_is_cut_for_the_same_partition_and_key() -> None:
    """Keyed records keep their key in every part."""
    putting, flusher = make()
    made = trace_request(20, 2)
    target = putting.target(Topic("t", 3, 1000), Signal.TRACES, (), packable=False)
    target.put(Ticket(None, lambda _: None), placed(made.body, 40, b"key"))

    assert sum(entry.items for _, _, entry in flusher.entries) == 40
    assert {(partition, entry.key) for _, partition, entry in flusher.entries} == {(1, b"key")}
    assert max(entry.size for _, _, entry in flusher.entries) < 1000


async def test_entry_that_the_broker_refused_is_cut_again_or_rejected() -> None:
    """Until single items, which are named in the receipt."""
    putting, flusher = make()
    made = trace_request(2, 2)
    ticket = Ticket(None, lambda _: None)
    target = putting.target(Topic("t", 3, None), Signal.TRACES, (), packable=True)
    target.put(ticket, placed(made.body, 4))
    ticket.seal()
    waiting = [flusher.entries[0][2]]
    while waiting:
        entry = waiting.pop()
        waiting += entry.shrinker.shrink(entry, len(entry.value) // 2)
    receipt = await ticket.wait()

    assert receipt.rejected_items == 4


async def test_dead_letter_that_does_not_fit_either_is_rejected() -> None:
    """There is nowhere else to put it."""
    putting, flusher = make()
    putting.dead_letter = Topic("dlq", 1, 3400)
    for padding, expected in ((2100, 0), (4000, 1)):
        made = trace_request(1, 1, padding_bytes=padding)
        ticket = Ticket(None, lambda _: None)
        target = putting.target(Topic("t", 3, None), Signal.TRACES, (), packable=True)
        target.put(ticket, placed(made.body, 1))
        if expected == 0:
            ((_, _, entry),) = flusher.entries
            assert entry.shrinker.shrink(entry, 10) == []
            expected = 1
        ticket.seal()
        assert (await ticket.wait()).rejected_items == expected
