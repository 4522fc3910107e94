"""Gathering requests for a moment, and turning them into entries for partitions together."""

import asyncio
from dataclasses import dataclass, field

import structlog

from bridge.core import DeliveryError, Permanent, Signal, Unavailable
from bridge.exporters.kafka.callers import Callers
from bridge.exporters.kafka.encodings import Encoded
from bridge.exporters.kafka.layout import (
    PACKING_HEADER,
    Kind,
    Layout,
    Placed,
    Placing,
    place_packed,
    place_separate,
)
from bridge.exporters.kafka.putting import Putting, Target
from bridge.exporters.kafka.routing import Route
from bridge.kafka import Share, Ticket, Topic, split_joined

log = structlog.get_logger()

GATHERED_BYTES_MAX = 4 * 1024 * 1024
"""Bytes of one route that are not kept waiting any longer: splitting them takes milliseconds."""

_CHARGED_FROM = 2
"""Records may be so many times as large as their request before the copies are charged too."""


@dataclass(slots=True)
class _Group:
    topic: Topic
    requests: list[tuple[Ticket, bytes, int]] = field(default_factory=list)
    size_bytes: int = 0
    timer: asyncio.TimerHandle | None = None


class Gathering:
    """
    Holds the requests of each route for `linger_s`, so that they share a split and a batch.

    Waiting ends early when all of *callers* that were seen of late are gathered: see `Callers`.
    """

    def __init__(
        self,
        layouts: dict[Signal, Layout],
        placing: Placing,
        putting: Putting,
        callers: Callers,
        *,
        linger_s: float,
        requests_max: int,
    ) -> None:
        self._layouts = layouts
        self._placing = placing
        self._putting = putting
        self._callers = callers
        self._linger_s = linger_s
        self._requests_max = requests_max
        # What changes: what is being gathered, the group found last, since hashing a route costs
        # as much as all the rest of `add`, how many requests are gathered whole, and whether we
        # look at the end of this turn of the loop if those are all.
        self._groups: dict[Route, _Group] = {}
        self._latest: tuple[Route, _Group] | None = None
        self._whole = 0
        self._looking = False

    def add(
        self,
        route: Route,
        topic: Topic,
        ticket: Ticket,
        body: bytes,
        items: int,
        *,
        part: bool = False,
    ) -> None:
        """
        Gather one request; *ticket* is sealed for it when its entries were put.

        Args:
            part:
                Whether *body* is only a part: then *ticket* stays open for others, whoever adds
                them seals it besides, and tells `whole`.
        """
        if part:
            ticket.opened()
        latest = self._latest
        group = (
            latest[1] if latest is not None and latest[0] is route else self._group(route, topic)
        )
        group.topic = topic
        group.requests.append((ticket, body, items))
        group.size_bytes += len(body)
        if not part:
            self.whole()
        full = group.size_bytes >= GATHERED_BYTES_MAX
        if full or (self._requests_max and len(group.requests) >= self._requests_max):
            self._flush(route)

    def whole(self) -> None:
        """Hear that a request was added with all its parts: it may be the last to wait for."""
        self._whole += 1
        if self._whole >= self._callers.expected and not self._looking:
            # Whoever sent it may have sent more, which is read in this turn too.
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look)

    def topic(self, route: Route) -> Topic | None:
        """The topic of what was gathered last, if it was for *route* and is not put yet."""
        latest = self._latest
        return latest[1].topic if latest is not None and latest[0] is route else None

    def flush(self) -> None:
        """Put everything that is being gathered, now."""
        for route in list(self._groups):
            self._flush(route)

    def _look(self) -> None:
        self._looking = False
        if self._whole >= self._callers.expected:
            self.flush()

    def _group(self, route: Route, topic: Topic) -> _Group:
        group = self._groups.get(route)
        if group is None:
            loop = asyncio.get_running_loop()
            if not self._groups:
                self._callers.look(loop.time())
            group = self._groups[route] = _Group(topic)
            group.timer = loop.call_later(self._linger_s, self._flush, route)
        self._latest = route, group
        return group

    def _flush(self, route: Route) -> None:
        self._latest = None
        group = self._groups.pop(route, None)
        if group is None:
            return
        # Too few rather than too many, where one request has parts in several groups.
        self._whole = max(0, self._whole - len(group.requests)) if self._groups else 0
        if group.timer is not None:
            group.timer.cancel()
        requests = [request for request in group.requests if request[0].live]
        try:
            self._place(route, group.topic, requests)
        except Exception as error:
            # A fault of ours must not leave callers waiting: they keep their data and repeat.
            log.exception("kafka_exporter_split_failed", topic=route.topic)
            trouble = Unavailable("the request could not be split")
            trouble.__cause__ = error
            for ticket, _, _ in requests:
                ticket.failed(trouble)
        for ticket, _, _ in requests:
            ticket.seal()

    def _place(self, route: Route, topic: Topic, requests: list[tuple[Ticket, bytes, int]]) -> None:
        layout = self._layouts[route.signal]
        keyless = self._placing.of_keyless(topic.name, topic.partitions)
        if layout.kind is Kind.JOINED:
            target = self._putting.target(topic, route.signal, route.headers, packable=True)
            for ticket, body, items in requests:
                target.put(ticket, Placed(keyless, body, Encoded(body, items), None))
        elif layout.kind is Kind.PACKED:
            self._place_packed(layout, route, topic, requests, keyless)
        else:
            for ticket, body, items in requests:
                self._place_separate(layout, route, topic, (ticket, body, items), keyless)

    def _place_packed(
        self,
        layout: Layout,
        route: Route,
        topic: Topic,
        requests: list[tuple[Ticket, bytes, int]],
        keyless: int,
    ) -> None:
        headers = (*route.headers, PACKING_HEADER)
        target = self._putting.target(topic, route.signal, headers, packable=layout.is_proto)
        if layout.is_proto and self._place_joined(layout, target, topic, requests, keyless):
            return
        hasher = self._placing.hasher
        for ticket, body, _ in requests:
            # One by one, so that the copies of one are charged before the next are made.
            (result,) = place_packed(layout, (body,), topic.partitions, hasher, keyless)
            if isinstance(result, Permanent):
                ticket.failed(result)
            else:
                self._put(target, ticket, body, result)

    def _place_joined(
        self,
        layout: Layout,
        target: Target,
        topic: Topic,
        requests: list[tuple[Ticket, bytes, int]],
        keyless: int,
    ) -> bool:
        """Split all requests at once; says whether that could be done."""
        joined = split_joined(
            layout.signal,
            [body for _, body, _ in requests],
            [ticket for ticket, _, _ in requests],
            topic.partitions,
            self._placing.hasher,
            bytes_max=target.room,
            nameless=None if layout.signal is Signal.TRACES else keyless,
            copied_bytes_max=layout.copied_bytes_max,
        )
        if joined is None:
            return False
        made_bytes = sum(len(piece) for _, piece, _, _ in joined)
        if made_bytes > _CHARGED_FROM * sum(len(body) for _, body, _ in requests):
            self._charge_shares(requests, [shares for _, _, _, shares in joined])
        for partition, piece, items, shares in joined:
            target.put_shared(partition, piece, items, shares)
        return True

    def _place_separate(
        self,
        layout: Layout,
        route: Route,
        topic: Topic,
        request: tuple[Ticket, bytes, int],
        keyless: int,
    ) -> None:
        ticket, body, items = request
        try:
            # All of a request or nothing: it is read to its end before any record is put.
            records = list(
                place_separate(layout, body, items, topic.partitions, route.key, self._placing)
            )
        except Permanent as error:
            ticket.failed(error)
            return
        target = self._putting.target(topic, route.signal, route.headers, packable=False)
        found = [one if one.partition is not None else one.at(keyless) for one in records]
        self._put(target, ticket, body, found)

    def _put(self, target: Target, ticket: Ticket, body: bytes, records: list[Placed]) -> None:
        """Put what one request became, unless its copies do not fit into memory now."""
        self._charge(ticket, len(body), sum(len(placed.encoded.value) for placed in records))
        if ticket.live:
            for placed in records:
                target.put(ticket, placed)

    def _charge_shares(
        self, requests: list[tuple[Ticket, bytes, int]], pieces: list[list[Share]]
    ) -> None:
        """Charge each request what its shares of all pieces take; who cannot pay lives no more."""
        made: dict[Ticket, int] = {}
        for shares in pieces:
            start = 0
            for ticket, _, stop in shares:
                made[ticket] = made.get(ticket, 0) + stop - start
                start = stop
        for ticket, body, _ in requests:
            self._charge(ticket, len(body), made.get(ticket, 0))

    def _charge(self, ticket: Ticket, body_bytes: int, made_bytes: int) -> None:
        copied_bytes = made_bytes - body_bytes
        if made_bytes <= _CHARGED_FROM * body_bytes:
            return
        try:
            self._putting.flusher.admit(copied_bytes, own_bytes=body_bytes)
        except DeliveryError as error:
            ticket.failed(error)
        else:
            ticket.copied_bytes += copied_bytes
