"""Requests share a moment, and each is settled by itself."""

import asyncio
from typing import Any, cast

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Malformed, Overloaded, Signal, TooLarge, Unavailable
from bridge.exporters.kafka import KafkaExporterConfig
from bridge.exporters.kafka.callers import Callers
from bridge.exporters.kafka.figures import Figures
from bridge.exporters.kafka.gathering import Gathering
from bridge.exporters.kafka.layout import Placing, layout_of
from bridge.exporters.kafka.putting import Putting
from bridge.exporters.kafka.routing import Route
from bridge.kafka import Entry, Ticket, Topic
from bridge.testing import make_settings, trace_request
from bridge.wire import native

TOPIC = Topic("t", 3, None)
ROUTE = Route(Signal.TRACES, "t", ())


class Recorder:
    """Stands for the flusher: acknowledges what is put, and keeps how many items that were."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.put_items: list[int] = []
        self.fault = fault

    def put(self, topic: str, partition: int, batch_bytes_max: int, entry: Entry) -> None:
        if self.fault is not None:
            raise self.fault
        self.put_items.append(entry.items)
        entry.doubt(1)
        entry.acknowledged()


def crowd() -> Callers:
    """So many who wait that whoever is gathered is not everyone."""
    callers = Callers()
    for _ in range(1000):
        callers.came()
    return callers


def gather(
    flusher: Recorder,
    linger_s: float = 60.0,
    requests_max: int = 0,
    config: KafkaExporterConfig | None = None,
    callers: Callers | None = None,
) -> Gathering:
    """A gathering, of the default configuration unless another is given."""
    callers = callers or crowd()
    config = config or KafkaExporterConfig()
    layouts = {signal: layout_of(config, signal) for signal in Signal}
    placing = Placing(config, lambda _, count: 0)
    figures = Figures(make_settings("kafka"), "none", "")
    putting = Putting(cast("Any", flusher), figures, layouts, 1_000_000, None)
    return Gathering(
        layouts, placing, putting, callers, linger_s=linger_s, requests_max=requests_max
    )


def add(gathering: Gathering, body: bytes, items: int) -> Ticket:
    """One request in one part."""
    ticket = Ticket(None, lambda _: None)
    gathering.add(ROUTE, TOPIC, ticket, body, items)
    return ticket


async def test_requests_wait_for_the_linger_and_are_put_together() -> None:
    """One flush for all, and every ticket settles."""
    flusher = Recorder()
    gathering = gather(flusher)
    made = trace_request(5, 2)
    tickets = [add(gathering, made.body, made.items) for _ in range(4)]
    await asyncio.sleep(0)
    assert flusher.put_items == []
    gathering.flush()
    for ticket in tickets:
        await ticket.wait()

    assert sum(flusher.put_items) == 40


def call(gathering: Gathering, callers: Callers) -> None:
    """A sender sends a request of one span, and waits."""
    callers.came()
    made = trace_request()
    add(gathering, made.body, made.items)


async def test_linger_ends_when_everyone_waits() -> None:
    """The last of three senders seen is the last to wait for; a turn later all are put."""
    callers, flusher = Callers(), Recorder()
    gathering = gather(flusher, callers=callers)
    for _ in range(3):
        call(gathering, callers)
    assert flusher.put_items == []  # More of them may have been read in this turn.
    await asyncio.sleep(0)
    assert sum(flusher.put_items) == 3

    for _ in range(3):
        callers.left()
    for _ in range(2):
        call(gathering, callers)
        await asyncio.sleep(0)
    assert sum(flusher.put_items) == 3
    call(gathering, callers)
    await asyncio.sleep(0)
    assert sum(flusher.put_items) == 6


async def test_linger_lasts_while_answers_are_awaited() -> None:
    """Whoever waits for what is under way sends again when it has the answer."""
    callers, flusher = Callers(), Recorder()
    gathering = gather(flusher, callers=callers)
    call(gathering, callers)
    await asyncio.sleep(0)
    assert sum(flusher.put_items) == 1
    call(gathering, callers)
    await asyncio.sleep(0)
    assert sum(flusher.put_items) == 1

    callers.left()
    call(gathering, callers)
    await asyncio.sleep(0)
    assert sum(flusher.put_items) == 3


async def test_request_of_two_routes_counts_once() -> None:
    """Two parts are not two senders: the second sender is still to come."""
    callers, flusher = Callers(), Recorder()
    gathering = gather(flusher, callers=callers)
    callers.came()
    callers.came()
    callers.left()
    callers.came()
    made = trace_request()
    ticket = Ticket(None, lambda _: None)
    for route in (ROUTE, Route(Signal.TRACES, "other", ())):
        gathering.add(route, TOPIC, ticket, made.body, 1, part=True)
    ticket.seal()
    gathering.whole()
    await asyncio.sleep(0)
    assert flusher.put_items == []

    gathering.flush()
    assert sum(flusher.put_items) == 2
    assert ticket.settled


async def test_number_of_requests_ends_the_linger_early() -> None:
    """`flush_max_messages`."""
    flusher = Recorder()
    gathering = gather(flusher, requests_max=2)
    made = trace_request()
    for _ in range(5):
        add(gathering, made.body, 1)

    assert sum(flusher.put_items) == 4
    gathering.flush()
    assert sum(flusher.put_items) == 5


async def test_dead_requests_are_not_put() -> None:
    """Nobody waits for them."""
    flusher = Recorder()
    gathering = gather(flusher)
    add(gathering, trace_request().body, 1).give_up()
    gathering.flush()

    assert flusher.put_items == []


async def test_broken_request_fails_alone() -> None:
    """Its neighbours are put."""
    flusher = Recorder()
    gathering = gather(flusher)
    good, bad = add(gathering, trace_request().body, 1), add(gathering, b"\x0a\x7f", 1)
    gathering.flush()
    await good.wait()
    with pytest.raises(Malformed):
        await bad.wait()


async def test_fault_of_ours_leaves_nobody_waiting() -> None:
    """Everyone keeps the data and repeats."""
    gathering = gather(Recorder(RuntimeError("a bug")))
    ticket = add(gathering, trace_request().body, 1)
    gathering.flush()
    with pytest.raises(Unavailable, match="split"):
        await ticket.wait()


class Accountant(Recorder):
    """A flusher with room for so many copied bytes, which keeps what it is given."""

    def __init__(self, room_bytes: int) -> None:
        super().__init__()
        self.room_bytes = room_bytes
        self.charged: list[int] = []

    def admit(self, body_bytes: int, own_bytes: int) -> None:
        if body_bytes > self.room_bytes:
            raise Overloaded("no room for copies")
        self.room_bytes -= body_bytes
        self.charged.append(body_bytes)


def top_heavy(resource_bytes: int, traces: int) -> bytes:
    """A large resource above a span of each of so many traces."""
    request = ExportTraceServiceRequest.FromString(trace_request(traces, 1).body)
    attribute = request.resource_spans[0].resource.attributes.add(key="a")
    attribute.value.string_value = "x" * resource_bytes
    body: bytes = request.SerializeToString()
    return body


@pytest.mark.parametrize("pure", [False, True])
async def test_copies_of_a_top_heavy_request_are_charged(
    monkeypatch: pytest.MonkeyPatch, pure: bool
) -> None:
    """What a request costs is what its records take, not only what came in; others go free."""
    if pure:
        monkeypatch.setattr(native, "_compiled", None)
    flusher = Accountant(1_000_000)
    gathering = gather(flusher)
    heavy = top_heavy(100_000, 60)
    plain = trace_request(5, 2)
    tickets = [add(gathering, heavy, 60), add(gathering, plain.body, plain.items)]
    gathering.flush()
    for ticket in tickets:
        await ticket.wait()

    assert [tickets[0].copied_bytes] == flusher.charged
    assert 190_000 < tickets[0].copied_bytes < 210_000
    assert tickets[1].copied_bytes == 0


@pytest.mark.parametrize("pure", [False, True])
async def test_copies_without_room_are_refused_for_now(
    monkeypatch: pytest.MonkeyPatch, pure: bool
) -> None:
    """Whoever finds no room comes again; the neighbour of the same flush is written."""
    if pure:
        monkeypatch.setattr(native, "_compiled", None)
    flusher = Accountant(100_000)
    gathering = gather(flusher)
    heavy, plain = top_heavy(100_000, 60), trace_request(5, 2)
    refused, taken = add(gathering, heavy, 60), add(gathering, plain.body, plain.items)
    gathering.flush()
    with pytest.raises(Overloaded):
        await refused.wait()

    assert (await taken.wait()).rejected_items == 0
    assert refused.copied_bytes == 0


async def test_copies_above_the_limit_are_too_large_for_good() -> None:
    """Waiting would not help, so the sender is told to send smaller batches."""
    config = KafkaExporterConfig.model_validate({"producer": {"max_copied_bytes": 150_000}})
    flusher = Accountant(10_000_000)
    gathering = gather(flusher, config=config)
    ticket = add(gathering, top_heavy(100_000, 60), 60)
    gathering.flush()
    with pytest.raises(TooLarge, match="more than 150,000"):
        await ticket.wait()

    assert flusher.put_items == []
