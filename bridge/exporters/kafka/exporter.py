"""The Kafka exporter: OTLP requests in, acknowledged records out."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    DeliveryError,
    Denied,
    Outcome,
    Overloaded,
    Receipt,
    Retryable,
    Settings,
    Signal,
    State,
    Status,
    Unavailable,
)
from bridge.exporters.kafka.callers import Callers
from bridge.exporters.kafka.config import KafkaExporterConfig
from bridge.exporters.kafka.delivery import Delivery
from bridge.exporters.kafka.figures import Figures
from bridge.exporters.kafka.gathering import Gathering
from bridge.exporters.kafka.layout import Placing, layout_of
from bridge.exporters.kafka.putting import Putting
from bridge.exporters.kafka.routing import Route, Router
from bridge.kafka import (
    RETRY_AFTER_S,
    BacklogLimits,
    Expiry,
    Flusher,
    FlushOptions,
    Opening,
    Producer,
    RawProducer,
    Ticket,
    Topic,
    TopicBook,
    codec,
    connection_kwargs,
    guard_of,
    why_unreachable,
)
from bridge.wire import count_items

log = structlog.get_logger()

_EXPLAIN_TIMEOUT_S = 3.0
_LOOK_AGAIN_S = 5.0  # Between looks at topics that are missing or forbidden.
_SUBJECTS_MAX = 100  # Topics that data may choose: their states are reported up to this number.


class KafkaExporter:
    """
    Delivers by writing records and waiting for their acknowledgements.

    One producer for all signals. A request is answered when every partition that it touches has
    acknowledged, by `Denied`, `Retryable` or `Malformed` otherwise; items that no limit allows are
    named in the receipt while the rest is written.
    """

    def __init__(
        self,
        config: KafkaExporterConfig,
        settings: Settings,
        signals: frozenset[Signal],
        opening: Opening | None = None,
    ) -> None:
        """*opening* makes the producers, aiokafka's on `config.brokers` unless a test says else."""
        self._config = config
        self._settings = settings
        producer = config.producer
        dead_letter = config.dead_letter.topic if config.dead_letter is not None else ""
        self._figures = Figures(settings, producer.compression, dead_letter)
        self._dead_letter = dead_letter
        chosen = codec(producer.compression, producer.compression_params.level)
        self._producer = Producer(opening or self._opening(), self, settings.clock)
        self._topics = TopicBook(
            self._producer,
            settings.clock,
            auto_create=producer.allow_auto_topic_creation,
            refresh_s=config.metadata.refresh_interval,
            timeout_s=config.timeout,
            principal=config.principal,
            broker=config.brokers[0],
        )
        retry = config.retry_on_failure
        self._flusher = Flusher(
            self._producer,
            FlushOptions(
                chosen,
                BacklogLimits(producer.max_buffered_bytes, producer.max_wait),
                retry.enabled,
                retry.initial_interval,
            ),
            self._figures,
            settings.clock,
            lambda: guard_of(config.brokers),
        )
        layouts = {signal: layout_of(config, signal) for signal in signals}
        self._router = Router(config, self._topic_refused)
        self._putting = Putting(
            self._flusher, self._figures, layouts, producer.max_message_bytes, chosen
        )
        self._callers = Callers()
        self._gathering = Gathering(
            layouts,
            Placing(config, self._choose_partition),
            self._putting,
            self._callers,
            linger_s=producer.linger,
            requests_max=producer.flush_max_messages,
        )
        self._expiry = Expiry(settings.clock)
        # What changes: the connection's arguments, and what was reported and logged.
        self._kwargs: dict[str, Any] = {}
        self._denied_topics: set[str] = set()
        self._looking: asyncio.Task[None] | None = None
        self._refusal_logged = False
        settings.metrics.gauge(
            "bridge_kafka_exporter_buffered_bytes",
            {"exporter": str(settings.id)},
            lambda: float(self._flusher.held_bytes),
        )

    async def start(self) -> None:
        """
        Begin to connect. Returns at once, also when no broker answers.

        Raises:
            ConfigError: If TLS files cannot be used or a library is missing.
        """
        self._kwargs = connection_kwargs(self._config)
        await self._producer.start()

    async def stop(self, deadline: Deadline) -> None:
        """Write what was taken, until *deadline*; then fail the rest and close everything."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        self._gathering.flush()
        await self._flusher.stop(deadline)
        self._expiry.close()
        await self._producer.stop(deadline)

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Write *batch* and wait until Kafka has all of it.

        Raises:
            Overloaded: If too many bytes wait already, or for too long.
            Unavailable: If Kafka cannot be reached, or did not acknowledge everything before the
                sender's deadline; what it did acknowledge counts as possible duplicates.
            Denied: If a topic is missing or we may not write to it.
            Malformed: If the request cannot be split.
            TooLarge: If splitting it copies more than `producer.max_copied_bytes`.
            Interrupted: If we are stopping.

        Cancellation:
            Records that were not sent are not sent; those under way may be written.
        """
        body_bytes = len(batch.body)
        if not body_bytes:
            return ACCEPTED
        try:
            self._flusher.admit(body_bytes, patient=batch.origin.deadline is None)
        except Overloaded:
            self._figures.failed[batch.signal].value += batch.items
            raise
        self._callers.came()
        try:
            ticket = self._put_at_once(batch) or await self._put(batch)
            try:
                receipt = await ticket.future
            finally:
                self._leave(ticket, batch.signal)
                self._flusher.release(ticket.copied_bytes)
        except DeliveryError as error:
            self._figures.failed[batch.signal].value += batch.items
            raise _with_hint(error) from error.__cause__
        finally:
            self._callers.left()
            self._flusher.release(body_bytes)
        self._figures.sent[batch.signal].value += batch.items - receipt.rejected_items
        return receipt

    begins = True
    """Topics that are not known yet are the exception."""

    def begin_delivery(self, batch: Batch, settle: Callable[[Outcome], None]) -> Delivery | None:
        """Deliver without a task, if the topic is known already; see `bridge.core.Beginner`."""
        body = batch.body
        found = self._plain_topic(batch.signal)
        if found is None or not body:
            return None
        try:
            self._flusher.admit(len(body), patient=batch.origin.deadline is None)
        except Overloaded:
            self._figures.failed[batch.signal].value += batch.items
            raise
        self._callers.came()
        delivery = Delivery(self, batch, settle)
        self._expiry.watch(delivery)
        self._gathering.add(*found, delivery, body, batch.items)
        return delivery

    def forget(self, ticket: Ticket) -> None:
        """Nobody waits for *ticket* any more although it is not settled."""
        self._flusher.forget(ticket)

    def ended(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        """Clear up after a delivery that `begin_delivery` began."""
        batch = delivery.batch
        self._callers.left()
        self._flusher.release(len(batch.body) + delivery.copied_bytes)
        if outcome is ACCEPTED:
            # As nearly all end.
            self._expiry.forget(delivery)
            delivery.live = False
            self._figures.sent[batch.signal].value += batch.items
            return outcome
        self._leave(delivery, batch.signal)
        if isinstance(outcome, Receipt):
            self._figures.sent[batch.signal].value += batch.items - outcome.rejected_items
        elif outcome is not None:
            self._figures.failed[batch.signal].value += batch.items
            return _with_hint(outcome)
        return outcome

    def _put_at_once(self, batch: Batch) -> Ticket | None:
        """Gather *batch* for a topic that is known already; `None` if that takes more."""
        found = self._plain_topic(batch.signal)
        if found is None:
            return None
        ticket = Ticket(batch.origin.deadline, self._flusher.forget)
        self._expiry.watch(ticket)
        self._gathering.add(*found, ticket, batch.body, batch.items)
        return ticket

    def _plain_topic(self, signal: Signal) -> tuple[Route, Topic] | None:
        """Where all of *signal* goes, if nothing must be asked or looked at to know it."""
        route = self._router.plain(signal)
        if route is None or self._dead_letter or self._producer.trouble is not None:
            return None
        # What is being gathered at this moment is known well enough.
        topic = self._gathering.topic(route) or self._topics.known(route.topic)
        return None if topic is None else (route, topic)

    async def _put(self, batch: Batch) -> Ticket:
        if (trouble := self._producer.trouble) is not None:
            raise trouble
        deadline = batch.origin.deadline
        try:
            parts = self._router.route(batch)
            # All topics before any record: nothing is written if one of them is missing.
            topics = [
                self._topics.known(route.topic) or await self._ask(route.topic, deadline)
                for route, _ in parts
            ]
            if self._dead_letter:
                await self._find_dead_letter(deadline)
        except TimeoutError as error:
            raise Unavailable("Kafka did not answer in time") from error
        ticket = Ticket(deadline, self._flusher.forget)
        self._expiry.watch(ticket)
        for (route, body), topic in zip(parts, topics, strict=True):
            items = batch.items if len(parts) == 1 else count_items(batch.signal, body)
            self._gathering.add(route, topic, ticket, body, items, part=True)
        ticket.seal()
        self._gathering.whole()
        return ticket

    def _leave(self, ticket: Ticket, signal: Signal) -> None:
        """Nobody waits for *ticket* any more, whether it is settled or not."""
        self._expiry.forget(ticket)
        settled = ticket.settled
        ticket.give_up()
        if not settled:
            in_doubt = ticket.acknowledged_items + ticket.in_doubt_items
            self._figures.possible_duplicates[signal].add(in_doubt)

    async def _ask(self, name: str, deadline: Deadline | None) -> Topic:
        """The topic *name*, with our state reported where it is missing and when it is there."""
        subject = f"topic {name}"
        try:
            async with asyncio.timeout(None if deadline is None else deadline.remaining_s):
                topic = await self._topics.topic(name)
        except Denied as error:
            if name not in self._denied_topics and len(self._denied_topics) < _SUBJECTS_MAX:
                self._denied_topics.add(name)
                log.warning("kafka_topic_denied", topic=name, reason=str(error), hint=error.hint)
                self._report(State.RECOVERABLE, str(error), error.hint, subject)
                if self._looking is None or self._looking.done():
                    self._looking = asyncio.create_task(self._look_again(), name="denied-topics")
            raise
        if name in self._denied_topics:
            self._denied_topics.discard(name)
            self._report(State.OK, subject=subject)
        return topic

    async def _look_again(self) -> None:
        """
        Ask about denied topics until none is left.

        Senders do it with each request, but who is not ready gets none.
        """
        clock = self._settings.clock
        while self._denied_topics:
            await clock.sleep(_LOOK_AGAIN_S)
            for name in list(self._denied_topics):
                with suppress(DeliveryError, TimeoutError):
                    await self._ask(name, Deadline.after(_LOOK_AGAIN_S, clock))

    async def _find_dead_letter(self, deadline: Deadline | None) -> None:
        """Look for the dead letter topic; without it, the sender is told what is too large."""
        try:
            known = self._topics.known(self._dead_letter)
            self._putting.dead_letter = known or await self._ask(self._dead_letter, deadline)
        except Denied:
            self._putting.dead_letter = None

    def _opening(self) -> Opening:
        producer = self._config.producer
        return Opening(
            open=lambda: RawProducer(
                self._kwargs, producer.acks, self._config.timeout, self._settings.clock
            ),
            explain=lambda: why_unreachable(self._kwargs, timeout_s=_EXPLAIN_TIMEOUT_S),
            idempotent=producer.acks == "all",
            principal=self._config.principal,
            broker=self._config.brokers[0],
        )

    def _choose_partition(self, topic: str, partitions: int) -> int:
        """Where what has no key goes: the emptier of two partitions drawn at random."""
        one = random.randrange(partitions)  # noqa: S311 - spreads load, protects nothing
        other = random.randrange(partitions)  # noqa: S311 - the same
        fuller = self._flusher.backlog_of(topic, one) > self._flusher.backlog_of(topic, other)
        return other if fuller else one

    def _topic_refused(self, signal: Signal) -> None:
        self._figures.topic_refused[signal].add()
        if not self._refusal_logged:
            self._refusal_logged = True
            log.warning(
                "topic_not_allowed",
                topic=self._config.of(signal).topic,
                note="data chose a topic that allowed_topics does not name; it goes here instead",
            )

    def producer_reset(self, reason: str) -> None:
        """The producer was replaced."""
        self._figures.producer_reset(reason)

    def producer_trouble(self, error: DeliveryError | None) -> None:
        """Kafka cannot be reached, or can be again."""
        if error is None:
            self._report(State.OK)
        else:
            hint = error.hint if isinstance(error, Denied) else ""
            self._report(State.RECOVERABLE, str(error), hint)

    def _report(self, state: State, reason: str = "", hint: str = "", subject: str = "") -> None:
        self._settings.report(Status(state, reason, hint, subject))


def _with_hint(error: DeliveryError) -> DeliveryError:
    """*error* with a time to come back after, where waiting may help and nobody said how long."""
    if isinstance(error, Retryable) and error.retry_after_s is None:
        error.retry_after_s = RETRY_AFTER_S
    return error
