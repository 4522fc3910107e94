"""The Kafka receiver: topics in, batches out, offsets behind."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from bridge.core import Deadline, PartitionListener, Settings, Signal, Stage
from bridge.flow import (
    Backoff,
    Chunk,
    Lane,
    LaneLimits,
    ReadRecord,
    SourceRecord,
)
from bridge.kafka import (
    DeadLetterWriter,
    Fetching,
    KafkaSource,
    Membership,
    SourceOptions,
    Subscription,
    Troubles,
    Windows,
    connection_kwargs,
)
from bridge.receivers.kafka.config import MIB, KafkaReceiverOptions
from bridge.receivers.kafka.delivery import Delivery, Marking
from bridge.receivers.kafka.encodings import find_decoder
from bridge.receivers.kafka.header_extraction import HeaderAttributes
from bridge.receivers.kafka.lane_reader import LaneReader
from bridge.receivers.kafka.poison import Poison, PoisonRules
from bridge.receivers.kafka.reading import RecordReader
from bridge.receivers.kafka.route import Route, SignalFigures
from bridge.receivers.kafka.showing import Showing
from bridge.receivers.kafka.topics import plan_topics
from bridge.wire import RequestLimits

log = structlog.get_logger()

HINT_MAX_S = 300.0
"""Seconds that a backend may make a partition wait by its own hint."""

AT_ONCE_S = 0.05
"""Seconds between commits with `autocommit.enable: false`: one request carries what finished."""


class KafkaReceiver:
    """
    Reads the topics of each signal that some pipeline wants.

    Raises:
        ConfigError: If the topics collide, or TLS files cannot be used.
    """

    def __init__(
        self, config: KafkaReceiverOptions, settings: Settings, downstream: Mapping[Signal, Stage]
    ) -> None:
        self._config = config
        self._settings = settings
        self._downstream = downstream
        self._plan = plan_topics(config, downstream)
        self._figures = {signal: SignalFigures(settings, signal) for signal in downstream}
        connection = connection_kwargs(config)
        self._letters = (
            DeadLetterWriter(connection, config.dead_letter.topic, config.principal)
            if config.dead_letter is not None
            else None
        )
        troubles = Troubles(settings.report, config.group_id, config.principal, config.brokers[0])
        self._showing = Showing()
        self._delivery = _make_delivery(config, settings, troubles, self._letters, self._showing)
        self._source = KafkaSource(
            _source_options(config, settings, connection, self._plan.subscription),
            self,
            settings.report,
            troubles,
            settings.metrics,
            settings.clock,
        )
        # What changes: what belongs to each topic that was read.
        self._routes: dict[str, Route] = {}
        self._readers: dict[str, LaneReader] = {}

    async def start(self) -> None:
        """Begin to connect. Returns at once, also when no broker answers."""
        marking = self._config.message_marking
        if not marking.after or marking.on_error or marking.on_permanent_error:
            log.warning("kafka_marking_loses_data", marking=marking.model_dump())
        await self._source.start()

    async def stop(self, deadline: Deadline) -> None:
        """Finish deliveries in flight, commit, leave the group. Safe before `start`, and twice."""
        await self._source.stop(deadline)
        if self._letters is not None:
            await self._letters.stop(deadline)

    def details(self) -> Mapping[str, Any]:
        """The state of each partition and the newest dead letters, for the status page."""
        return self._showing.details()

    def read(self, lane: Lane, records: Sequence[SourceRecord]) -> list[ReadRecord]:
        """Make entries of records. Called by the source."""
        return self._reader_of(lane.topic).read(lane, records)

    async def deliver(self, lane: Lane, chunk: Chunk) -> None:
        """Deliver a chunk. Called by the source, which owns the task."""
        await self._delivery.deliver(lane, chunk, self._route_of(lane.topic))

    def read_back_s(self, lane: Lane) -> float:
        """What the stages behind us want to see again. Called by the source."""
        listener = self._listener_of(lane)
        return 0.0 if listener is None else listener.read_back_s

    async def prepare_lane(self, lane: Lane) -> None:
        """Let the stages behind us prepare that want to. Called by the source."""
        if (listener := self._listener_of(lane)) is not None:
            await listener.partition_assigned(lane)

    def lane_opened(self, lane: Lane) -> None:
        """Open its books. Called by the source."""
        account = self._route_of(lane.topic).figures.account
        lane.account = account
        account.watch(lane.items_in_flight)
        self._showing.opened(lane)

    def lane_frozen(self, lane: Lane) -> None:
        """Let the stages behind us keep what they hold, for now."""
        if (listener := self._listener_of(lane)) is not None:
            listener.partition_frozen(lane)

    async def wait_lane_quiet(self, lane: Lane) -> None:
        """Wait until nothing of *lane* is under way behind a stage that holds records."""
        if (listener := self._listener_of(lane)) is not None:
            await listener.wait_partition_quiet(lane)

    def lane_resumed(self, lane: Lane) -> None:
        """Let the stages behind us go on."""
        if (listener := self._listener_of(lane)) is not None:
            listener.partition_resumed(lane)

    def lane_closed(self, lane: Lane) -> None:
        """Close its books, and tell the stages behind us that want to know."""
        self._route_of(lane.topic).figures.account.forget(lane.items_in_flight)
        self._showing.closed(lane)
        if (listener := self._listener_of(lane)) is not None:
            listener.partition_revoked(lane)

    def _listener_of(self, lane: Lane) -> PartitionListener | None:
        return self._settings.listeners.get(self._route_of(lane.topic).signal)

    def _route_of(self, topic: str) -> Route:
        route = self._routes.get(topic)
        if route is None:
            signal = self._plan.signal_of(topic)
            assert signal is not None  # noqa: S101 - we read only what we subscribed to
            encoding = self._config.encoding_of(signal)
            stage = self._downstream[signal]
            route = self._routes[topic] = Route(signal, encoding, stage, self._figures[signal])
        return route

    def _reader_of(self, topic: str) -> LaneReader:
        reader = self._readers.get(topic)
        if reader is None:
            route, settings = self._route_of(topic), self._settings
            extraction = self._config.header_extraction
            attributes = (
                HeaderAttributes(route.signal, extraction.headers)
                if extraction.extract_headers and extraction.headers
                else None
            )
            reader = self._readers[topic] = LaneReader(
                RecordReader(
                    route.signal,
                    find_decoder(route.signal, route.encoding),
                    attributes,
                    RequestLimits(self._config.max_value_depth),
                ),
                settings.metrics,
                settings.clock,
                str(settings.id),
                self._config.telemetry.metrics.kafka_receiver_records_delay.enabled,
            )
        return reader


def _make_delivery(
    config: KafkaReceiverOptions,
    settings: Settings,
    troubles: Troubles,
    letters: DeadLetterWriter | None,
    showing: Showing,
) -> Delivery:
    again, marking = config.error_backoff, config.message_marking
    backoff = Backoff(
        again.initial_interval,
        again.multiplier,
        again.randomization_factor,
        again.max_interval,
        HINT_MAX_S,
    )
    give_up_after_s = None
    if marking.on_error:
        give_up_after_s = again.max_elapsed_time or None if again.enabled else 0.0
    drop = marking.on_permanent_error
    rules = PoisonRules(
        letters,
        # What counts as done when it is read can hold nothing up afterwards.
        not marking.after or (marking.on_error if drop is None else drop),
        config.group_id,
    )
    return Delivery(
        settings,
        backoff,
        Marking(not marking.after, give_up_after_s),
        Poison(settings, rules, backoff, troubles, showing),
        showing,
    )


def _source_options(
    config: KafkaReceiverOptions,
    settings: Settings,
    connection: Mapping[str, object],
    subscription: Subscription,
) -> SourceOptions:
    limits = LaneLimits(
        config.max_in_flight_mib * MIB, config.max_in_flight_batches, config.max_batch_kib * 1024
    )
    return SourceOptions(
        name=str(settings.id),
        connection=connection,
        principal=config.principal,
        membership=Membership(
            config.group_id,
            config.group_instance_id or None,
            config.strategies,
            config.session_timeout,
            config.heartbeat_interval,
            config.rebalance_timeout,
        ),
        fetching=Fetching(
            config.min_fetch_size,
            config.max_fetch_size,
            config.max_partition_fetch_size,
            config.max_fetch_wait,
            config.rack_id or None,
        ),
        subscription=subscription,
        initial=config.initial_offset,
        windows=Windows(limits, config.max_in_flight_total_mib * MIB),
        islands=config.islands,
        commit_interval_s=config.autocommit.interval if config.autocommit.enable else AT_ONCE_S,
        revoke_timeout_s=config.revoke_timeout,
        lag_interval_s=config.lag_interval,
    )
