"""How the receiver is put together; what it does with a Kafka: tests/integration."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from bridge.core import ConfigError, Custody, Deadline, Signal, Status, SystemClock
from bridge.receivers.kafka import FACTORY, KafkaReceiver, KafkaReceiverOptions
from bridge.testing import FakeHost, FakeStage, make_settings, trace_request
from tests.unit.receivers.kafka.lanes import source_record, started


class Listening:
    """A stage somewhere behind that hears of partitions."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []

    read_back_s = 7.0

    async def partition_assigned(self, partition: Custody) -> None:
        self.heard.append(("assigned", partition.epoch))

    def partition_frozen(self, partition: Custody) -> None:
        self.heard.append(("frozen", partition.epoch))

    async def wait_partition_quiet(self, partition: Custody) -> None:
        self.heard.append(("waited", partition.epoch))

    def partition_resumed(self, partition: Custody) -> None:
        self.heard.append(("resumed", partition.epoch))

    def partition_revoked(self, partition: Custody) -> None:
        self.heard.append(("revoked", partition.epoch))


def _make(
    stage: Any = None,
    host: FakeHost | None = None,
    listener: Listening | None = None,
    **section: Any,
) -> KafkaReceiver:
    section = {"brokers": ["127.0.0.1:1"], "traces": {"topics": ["spans"]}, **section}
    config = KafkaReceiverOptions.model_validate(section)
    listeners = {Signal.TRACES: listener} if listener else None
    settings = make_settings("kafka", host=host, listeners=listeners)
    receiver = FACTORY.create(config, settings, {Signal.TRACES: stage or FakeStage()})
    assert isinstance(receiver, KafkaReceiver)
    return receiver


async def test_receiver_tells_stages_of_partitions() -> None:
    """A stage that keeps records for long hears when they begin and end to count."""
    listener = Listening()
    receiver = _make(listener=listener)
    lane, _ = started()

    await receiver.prepare_lane(lane)
    receiver.lane_opened(lane)
    receiver.lane_frozen(lane)
    await receiver.wait_lane_quiet(lane)
    receiver.lane_resumed(lane)
    receiver.lane_closed(lane)

    assert receiver.read_back_s(lane) == 7.0
    assert [what for what, _ in listener.heard] == [
        "assigned", "frozen", "waited", "resumed", "revoked",
    ]  # fmt: skip


async def test_receiver_tells_no_others() -> None:
    """A stage that does not care is left alone."""
    receiver = _make()
    lane, _ = started()

    await receiver.prepare_lane(lane)
    receiver.lane_opened(lane)
    receiver.lane_frozen(lane)
    await receiver.wait_lane_quiet(lane)
    receiver.lane_resumed(lane)
    receiver.lane_closed(lane)
    assert receiver.read_back_s(lane) == 0.0


async def test_receiver_reads_and_delivers() -> None:
    """Records become entries by the topic's encoding, and chunks go to the signal's stage."""
    stage = FakeStage()
    receiver = _make(stage)
    lane, chunk = started(2)
    body = trace_request().body

    assert [entry.body for entry in receiver.read(lane, [source_record(5, body)])] == [body]

    await receiver.deliver(lane, chunk)

    assert stage.items == 4


def test_receiver_extracts_headers_if_asked() -> None:
    """`header_extraction` puts headers on resources."""
    receiver = _make(header_extraction={"extract_headers": True, "headers": ["tenant"]})
    lane, _ = started()
    record = source_record(0, trace_request().body, headers=(("tenant", b"a"),))

    (entry,) = receiver.read(lane, [record])

    assert b"kafka.header.tenant" in entry.body


def test_receiver_with_colliding_topics_is_refused() -> None:
    """What can never work fails when it is built."""
    config = KafkaReceiverOptions(topic="all")
    stages = {Signal.TRACES: FakeStage(), Signal.LOGS: FakeStage()}

    with pytest.raises(ConfigError, match="topics of its own"):
        KafkaReceiver(config, make_settings("kafka"), stages)


@pytest.mark.parametrize(
    ("marking", "on_read", "give_up_after_s", "drop"),
    [
        ({}, False, None, False),
        ({"after": False}, True, None, True),
        ({"on_error": True}, False, None, True),
        ({"on_error": True, "on_permanent_error": False}, False, None, False),
        ({"on_permanent_error": True}, False, None, True),
    ],
)
def test_receiver_marking_loses_only_what_is_asked_for(
    marking: dict[str, bool], on_read: bool, give_up_after_s: float | None, drop: bool
) -> None:
    """The Collector's marking rules, without its defaults that lose data."""
    delivery = _make(message_marking=marking)._delivery

    assert delivery._marking.on_read is on_read
    assert delivery._marking.give_up_after_s == give_up_after_s
    assert delivery._poison._rules.drop is drop


@pytest.mark.parametrize(
    ("backoff", "give_up_after_s"),
    [({"enabled": False}, 0.0), ({"max_elapsed_time": "30s"}, 30.0), ({}, None)],
)
def test_receiver_gives_up_when_backoff_and_marking_say_so(
    backoff: dict[str, Any], give_up_after_s: float | None
) -> None:
    """`on_error` applies when `error_backoff` ends."""
    receiver = _make(message_marking={"on_error": True}, error_backoff=backoff)

    assert receiver._delivery._marking.give_up_after_s == give_up_after_s


async def test_receiver_that_may_lose_data_says_so() -> None:
    """A configuration that drops is in the log when it starts."""
    receiver = _make(message_marking={"after": False}, dead_letter={"topic": "letters"})
    deadline = Deadline.after(5.0, SystemClock())

    with capture_logs() as logs:
        await receiver.start()
        await receiver.stop(deadline)
        await receiver.stop(deadline)

    assert "kafka_marking_loses_data" in [entry["event"] for entry in logs]


async def test_receiver_stop_before_start_does_nothing() -> None:
    """A receiver that never began ends at once and reports nothing."""
    host = FakeHost()

    await _make(host=host).stop(Deadline.after(5.0, SystemClock()))

    reports: list[Status] = host.reported
    assert reports == []


def test_receiver_commits_at_once_without_autocommit() -> None:
    """`autocommit.enable: false` commits what was delivered without waiting for the interval."""
    source = _make(autocommit={"enable": False, "interval": "1h"})._source

    assert source._options.commit_interval_s < 0.1
