"""From placed records to entries of lanes, each small enough for its topic."""

import structlog

from bridge.core import Permanent, Signal
from bridge.exporters.kafka.encodings import Encoded
from bridge.exporters.kafka.figures import Figures
from bridge.exporters.kafka.layout import Key, Kind, Layout, Placed
from bridge.exporters.kafka.oversize import cut_to_size, describe
from bridge.kafka import (
    Codec,
    Entry,
    Flusher,
    Headers,
    OutRecord,
    Share,
    SharedEntry,
    Ticket,
    Topic,
    encoded_size,
    open_shares,
    value_bytes_max,
)

log = structlog.get_logger()

_NOUNS = {Signal.TRACES: "span", Signal.METRICS: "data point", Signal.LOGS: "log record"}


class Putting:
    """
    What all targets share.

    `dead_letter` is the topic for what no limit allows, once it is known.
    """

    def __init__(
        self,
        flusher: Flusher,
        figures: Figures,
        layouts: dict[Signal, Layout],
        message_bytes_max: int,
        codec: Codec | None,
    ) -> None:
        self.flusher = flusher
        self.figures = figures
        self.layouts = layouts
        self.message_bytes_max = message_bytes_max
        self.codec = codec
        self.dead_letter: Topic | None = None

    def target(self, topic: Topic, signal: Signal, headers: Headers, *, packable: bool) -> "Target":
        """Where records of one signal go that have the same headers."""
        return Target(self, topic, signal, headers, packable)

    def set_aside(self, topic: Topic, signal: Signal, ticket: Ticket, placed: Placed) -> None:
        """Send *placed* to the dead letter topic, or tell the sender that it was not taken."""
        message = (
            f"a {_NOUNS[signal]} of {describe(signal, placed.body)} has "
            f"{len(placed.encoded.value)} bytes, more than a batch of {self.limit(topic)} bytes "
            f"for topic {topic.name} can hold"
        )
        aside = self.dead_letter
        log.warning("record_too_large", topic=topic.name, reason=message, dead_letter=bool(aside))
        if aside is not None and aside.name != topic.name:
            headers: Headers = (
                ("bridge-dlq-reason", message.encode()),
                ("bridge-dlq-topic", topic.name.encode()),
                ("bridge-dlq-signal", signal.value.encode()),
                ("bridge-dlq-encoding", b"otlp_proto"),
            )
            # Made for what is too large elsewhere: that topic's own limit is the only one.
            limit = aside.batch_bytes_max or self.message_bytes_max
            if len(placed.body) <= value_bytes_max(None, headers, limit):
                ticket.opened()
                ticket.noted(f"{message}; it was written to topic {aside.name}")
                body, items = placed.body, placed.encoded.items
                entry = Entry(ticket, None, body, headers, items, False, _NotSmaller(), body)
                self.flusher.put(aside.name, 0, limit, entry)
                return
        self.figures.rejected[signal].add(placed.encoded.items)
        ticket.opened()
        ticket.rejected(placed.encoded.items, message)

    def limit(self, topic: Topic) -> int:
        """Uncompressed bytes of a batch for *topic*."""
        if topic.batch_bytes_max is None:
            return self.message_bytes_max
        return min(self.message_bytes_max, topic.batch_bytes_max)


class Target:
    """
    Puts records of one topic and one set of headers; cuts what is too large for it.

    `room` is the largest value without a key that a batch for the topic can hold.
    """

    __slots__ = (
        "_flusher",
        "_headers",
        "_limit",
        "_packable",
        "_putting",
        "_signal",
        "_topic",
        "room",
    )

    def __init__(
        self, putting: Putting, topic: Topic, signal: Signal, headers: Headers, packable: bool
    ) -> None:
        self._putting = putting
        self._flusher = putting.flusher
        self._topic = topic
        self._signal = signal
        self._headers = headers
        self._packable = packable
        self._limit = putting.limit(topic)
        self.room = value_bytes_max(None, headers, self._limit)

    def put(self, ticket: Ticket, placed: Placed) -> None:
        """Queue *placed*, whose partition is known, for *ticket*."""
        room = self.room if placed.key is None else self._room_of(placed.key, self._limit)
        if len(placed.encoded.value) <= room:
            self._queue(ticket, placed)
            return
        try:
            fitting, oversize = self._pieces(placed.body, room)
        except Permanent as error:
            ticket.failed(error)
            return
        for smaller in fitting:
            self._queue(ticket, smaller._replace(partition=placed.partition, key=placed.key))
        for larger in oversize:
            self._too_large(ticket, larger._replace(partition=placed.partition, key=placed.key))

    def put_shared(self, partition: int, value: bytes, items: int, shares: list[Share]) -> None:
        """Queue the joined pieces of several requests; larger than `room` only if it is of one."""
        if len(value) > self.room:
            (share,) = shares
            self.put(share[0], Placed(partition, value, Encoded(value, items), None))
            return
        open_shares(shares)
        entry = SharedEntry(shares, value, self._headers, items, self)
        self._flusher.put(self._topic.name, partition, self._limit, entry)

    def shrink(self, entry: Entry, bytes_max: int) -> list[Entry]:
        """Entries of at most *bytes_max*; what cannot be cut is refused or set aside here."""
        ticket = entry.ticket
        smaller: list[Entry] = []
        try:
            fitting, oversize = self._pieces(entry.body, bytes_max)
        except Permanent as error:
            ticket.failed(error)
            return []
        alone = not fitting and len(oversize) == 1
        for placed in fitting + oversize:
            if alone:
                # The single item that the broker refused just now.
                self._putting.set_aside(self._topic, self._signal, ticket, placed)
            else:
                ticket.opened()
                smaller.append(self._entry(ticket, placed._replace(key=entry.key)))
        ticket.acknowledged(0)
        return smaller

    def _queue(self, ticket: Ticket, placed: Placed) -> None:
        assert placed.partition is not None  # noqa: S101 - gathering chose one for all of them
        ticket.opened()
        entry = self._entry(ticket, placed)
        self._flusher.put(self._topic.name, placed.partition, self._limit, entry)

    def _entry(self, ticket: Ticket, placed: Placed) -> Entry:
        value, items, _ = placed.encoded
        return Entry(
            ticket, placed.key, value, self._headers, items, self._packable, self, placed.body
        )

    def _too_large(self, ticket: Ticket, placed: Placed) -> None:
        """One item that does not fit uncompressed: it may compressed, or goes aside."""
        putting, topic = self._putting, self._topic
        record = OutRecord(placed.key, placed.encoded.value, self._headers, placed.encoded.items)
        wire_max = topic.batch_bytes_max or putting.message_bytes_max
        room = self._room_of(placed.key, putting.message_bytes_max)
        if len(record.value) <= room and encoded_size(record, putting.codec) <= wire_max:
            self._queue(ticket, placed)
        else:
            putting.set_aside(topic, self._signal, ticket, placed)

    def _pieces(self, body: bytes, bytes_max: int) -> tuple[list[Placed], list[Placed]]:
        layout = self._putting.layouts[self._signal]
        by_trace = layout.kind is Kind.PACKED and layout.key is Key.TRACE
        fitting, oversize = cut_to_size(
            self._signal,
            layout.encode,
            layout.is_proto,
            by_trace,
            body,
            bytes_max,
            layout.copied_bytes_max,
        )
        return _unplaced(fitting), _unplaced(oversize)

    def _room_of(self, key: bytes | None, limit: int) -> int:
        return value_bytes_max(key, self._headers, limit)


def _unplaced(pieces: list[tuple[bytes, Encoded]]) -> list[Placed]:
    return [Placed(None, body, encoded, encoded.key) for body, encoded in pieces]


class _NotSmaller:
    """The shrinker of dead letters: their topic was asked for its limit."""

    def shrink(self, entry: Entry, bytes_max: int) -> list[Entry]:
        """Refuse the record: there is nowhere else to put it."""
        entry.ticket.rejected(entry.items, f"the dead letter does not fit into {bytes_max} bytes")
        return []
