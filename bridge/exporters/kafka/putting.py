"""From placed records to entries of lanes, each small enough for its topic."""

import structlog

from bridge.core import Malformed, Signal
from bridge.exporters.kafka.encodings import Encoded
from bridge.exporters.kafka.figures import Figures
from bridge.exporters.kafka.layout import Key, Kind, Layout, Placed
from bridge.exporters.kafka.oversize import cut_to_size, describe
from bridge.exporters.kafka.routing import Route
from bridge.kafka import (
    Codec,
    Entry,
    Flusher,
    Headers,
    OutRecord,
    Ticket,
    Topic,
    encoded_size,
    value_bytes_max,
)

log = structlog.get_logger()


class Putting:
    """
    Puts records to their partitions; cuts what is too large, and refuses what stays so.

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
        self._flusher = flusher
        self._figures = figures
        self._layouts = layouts
        self._message_bytes_max = message_bytes_max
        self._codec = codec
        self.dead_letter: Topic | None = None

    def put(
        self, topic: Topic, route: Route, ticket: Ticket, placed: Placed, packable: bool
    ) -> None:
        """Queue *placed*, whose partition is known, for *ticket*."""
        limit = self._limit(topic)
        if len(placed.encoded.value) <= value_bytes_max(placed.key, route.headers, limit):
            self._queue(topic, route.headers, ticket, placed, packable, route.signal)
            return
        self._cut(topic, route, ticket, placed, packable)

    def _queue(
        self,
        topic: Topic,
        headers: Headers,
        ticket: Ticket,
        placed: Placed,
        packable: bool,
        signal: Signal,
    ) -> None:
        assert placed.partition is not None  # noqa: S101 - gathering chose one for all of them
        ticket.opened()
        shrinker = _Shrinker(self, topic, Route(signal, topic.name, headers), placed, packable)
        encoded = placed.encoded
        entry = Entry(ticket, placed.key, encoded.value, headers, encoded.items, packable, shrinker)
        self._flusher.put(topic.name, placed.partition, self._limit(topic), entry)

    def _cut(
        self, topic: Topic, route: Route, ticket: Ticket, placed: Placed, packable: bool
    ) -> None:
        bytes_max = value_bytes_max(placed.key, route.headers, self._limit(topic))
        try:
            fitting, oversize = self.pieces(route.signal, placed.body, bytes_max)
        except Malformed as error:
            ticket.failed(error)
            return
        for smaller in fitting:
            smaller = Placed(placed.partition, smaller.body, smaller.encoded, placed.key)
            self._queue(topic, route.headers, ticket, smaller, packable, route.signal)
        for larger in oversize:
            larger = Placed(placed.partition, larger.body, larger.encoded, placed.key)
            self._too_large(topic, route, ticket, larger)

    def pieces(
        self, signal: Signal, body: bytes, bytes_max: int
    ) -> tuple[list[Placed], list[Placed]]:
        """
        Records of *body* with values of at most *bytes_max* bytes, and single items above it.

        Raises:
            Malformed: If *body* cannot be read.
        """
        layout = self._layouts[signal]
        by_trace = layout.kind is Kind.PACKED and layout.key is Key.TRACE
        fitting, oversize = cut_to_size(
            signal, layout.encode, layout.is_proto, by_trace, body, bytes_max
        )
        return (
            [Placed(None, piece.body, encoded, encoded.key) for piece, encoded in fitting],
            [Placed(None, piece.body, encoded, encoded.key) for piece, encoded in oversize],
        )

    def _too_large(self, topic: Topic, route: Route, ticket: Ticket, placed: Placed) -> None:
        """One item that does not fit uncompressed: it may compressed, or goes aside."""
        record = OutRecord(placed.key, placed.encoded.value, route.headers, placed.encoded.items)
        wire_max = topic.batch_bytes_max or self._message_bytes_max
        room = value_bytes_max(placed.key, route.headers, self._message_bytes_max)
        if len(record.value) <= room and encoded_size(record, self._codec) <= wire_max:
            self._queue(topic, route.headers, ticket, placed, False, route.signal)
            return
        self.refuse(topic, route.signal, ticket, placed)

    def refuse(self, topic: Topic, signal: Signal, ticket: Ticket, placed: Placed) -> None:
        """Send *placed* to the dead letter topic, or tell the sender that it was not taken."""
        limit = self._limit(topic)
        message = (
            f"a {_noun(signal)} of {describe(signal, placed.body)} has {len(placed.encoded.value)} "
            f"bytes, more than a batch of {limit} bytes for topic {topic.name} can hold"
        )
        items = placed.encoded.items
        aside = self.dead_letter
        log.warning("record_too_large", topic=topic.name, reason=message, dead_letter=bool(aside))
        if aside is not None and aside.name != topic.name:
            headers: Headers = (
                ("bridge-reason", message.encode()),
                ("bridge-topic", topic.name.encode()),
                ("bridge-signal", signal.value.encode()),
            )
            body = Placed(0, placed.body, Encoded(placed.body, items), None)
            if len(body.body) <= value_bytes_max(None, headers, self._dead_letter_limit(aside)):
                ticket.noted(f"{message}; it was written to topic {aside.name}")
                self._queue_aside(aside, headers, ticket, body)
                return
        self._figures.rejected[signal].add(items)
        ticket.opened()
        ticket.rejected(items, message)

    def _queue_aside(self, aside: Topic, headers: Headers, ticket: Ticket, placed: Placed) -> None:
        ticket.opened()
        entry = Entry(
            ticket, None, placed.body, headers, placed.encoded.items, False, _NotSmaller()
        )
        self._flusher.put(aside.name, 0, self._dead_letter_limit(aside), entry)

    def _limit(self, topic: Topic) -> int:
        if topic.batch_bytes_max is None:
            return self._message_bytes_max
        return min(self._message_bytes_max, topic.batch_bytes_max)

    def _dead_letter_limit(self, aside: Topic) -> int:
        # Made for what is too large elsewhere: the topic's own limit is the only one.
        return aside.batch_bytes_max or self._message_bytes_max


class _Shrinker:
    """Cuts one entry again when the broker says that it is larger than the topic allows."""

    __slots__ = ("_packable", "_placed", "_putting", "_route", "_topic")

    def __init__(
        self, putting: Putting, topic: Topic, route: Route, placed: Placed, packable: bool
    ) -> None:
        self._putting = putting
        self._topic = topic
        self._route = route
        self._placed = placed
        self._packable = packable

    def shrink(self, entry: Entry, bytes_max: int) -> list[Entry]:
        """Entries of at most *bytes_max*; what cannot be cut is refused here."""
        ticket = entry.ticket
        smaller: list[Entry] = []
        try:
            fitting, oversize = self._putting.pieces(
                self._route.signal, self._placed.body, bytes_max
            )
        except Malformed as error:
            ticket.failed(error)
            return []
        for placed in fitting + oversize:
            if placed in oversize and placed.encoded.items == entry.items:
                # The single item that the broker refused just now.
                self._putting.refuse(self._topic, self._route.signal, ticket, placed)
                continue
            ticket.opened()
            shrinker = _Shrinker(self._putting, self._topic, self._route, placed, self._packable)
            encoded = placed.encoded
            smaller.append(
                Entry(
                    ticket,
                    entry.key,
                    encoded.value,
                    entry.headers,
                    encoded.items,
                    self._packable,
                    shrinker,
                )
            )
        ticket.acknowledged(0)
        return smaller


class _NotSmaller:
    """The shrinker of dead letters: their topic was asked for its limit."""

    def shrink(self, entry: Entry, bytes_max: int) -> list[Entry]:
        """Refuse the record: there is nowhere else to put it."""
        entry.ticket.rejected(entry.items, f"the dead letter does not fit into {bytes_max} bytes")
        return []


def _noun(signal: Signal) -> str:
    return {Signal.TRACES: "span", Signal.METRICS: "data point", Signal.LOGS: "log record"}[signal]
