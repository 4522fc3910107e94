"""Requests over HTTP that arrive whole, through the receiver's own connections, without sockets."""

import asyncio
import gzip
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bridge.core import ACCEPTED, Outcome, Overloaded, Receipt, Refused, Unavailable
from bridge.flow import ByteBudget
from bridge.http1 import Head, Http1Limits, Http1Protocol, WholeRequest
from bridge.http1.known_heads import KnownHeads
from bridge.receivers.otlp.config import HttpOptions
from bridge.receivers.otlp.http_calls import OtlpHttpCalls
from bridge.receivers.otlp.http_service import OtlpHttpHandler
from bridge.receivers.otlp.intake import Outcomes
from bridge.testing import ManualClock, make_settings, settle, trace_request
from bridge.wire import native
from tests.unit.http1.gate import statuses
from tests.unit.http2.transport import FakeTransport
from tests.unit.receivers.otlp.clients import JSON, Running, running
from tests.unit.receivers.otlp.test_whole_calls import Beginning

MADE = trace_request(3)


def post(
    body: bytes, *fields: str, path: str = "/v1/traces", kind: str = "application/x-protobuf"
) -> bytes:
    """A request as an exporter writes it."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {kind}", *fields]
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body


class Client:
    """One connection of a running receiver."""

    def __init__(self, running: Running, stage: Beginning, *, whole: bool = True) -> None:
        self.running, self.stage = running, stage
        server = running.receiver._servers["http"]
        server.date = "now"
        server.tick = lambda: None  # type: ignore[method-assign]  # or the date is another one
        connection = server._make_connection(server)
        assert isinstance(connection, Http1Protocol)
        self.connection, self.transport = connection, FakeTransport()
        if not whole:
            connection._lane = None
            connection._state._known = _Nothing(Http1Limits())
        connection.connection_made(self.transport)  # type: ignore[arg-type]

    async def learn(self, data: bytes) -> None:
        """Send *data* until its head is known; what was counted for it is in the figures."""
        for _ in range(2):
            self.connection.data_received(data)
            await settle()
            for each in self.stage.begun:
                each.end(ACCEPTED)
            await settle()
        self.stage.begun.clear()
        assert statuses(self.transport.take()) == [200, 200]

    def figures(self) -> dict[Any, float]:
        """All counters and gauges that are not 0."""
        metrics: Any = self.running.settings.metrics
        counters = {key: counter.value for key, counter in metrics._counters.items()}
        gauges = {key: read() for key, read in metrics._gauges.items()}
        return {key: value for key, value in {**counters, **gauges}.items() if value}

    def value(self, name: str) -> float:
        """One figure."""
        return self.running.value(name, receiver="otlp", transport="http")


class _Nothing(KnownHeads):
    """Learns nothing."""

    __slots__ = ()

    def learn(self, data: bytes, position: int, head: Head, content_length: int) -> None:
        """Do not."""


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client whose head is known."""
    stage = Beginning()
    async with running(stage) as receiver:
        made = Client(receiver, stage)
        await made.learn(post(MADE.body))
        yield made
        made.connection.connection_lost(None)


def whole(client: Client) -> list[bool]:
    """Which of the deliveries that have begun are of whole requests."""
    return [isinstance(each.settle_owner, WholeRequest) for each in client.stage.begun]


async def test_request_is_answered_when_its_delivery_ends(client: Client) -> None:
    """Not before; every span is counted once, and its bytes are given back."""
    client.connection.data_received(post(MADE.body))
    before = asyncio.all_tasks()
    await settle()
    waiting = client.transport.take()
    # In Python nobody counts the spans of many bodies at once: each is begun by itself then.
    assert whole(client) == [native.available()]
    assert asyncio.all_tasks() == before
    assert client.running.value("bridge_receiver_in_flight_bytes") == len(MADE.body)

    client.stage.begun[0].end(ACCEPTED)
    await settle()

    assert waiting == b""
    assert statuses(client.transport.take()) == [200]
    assert client.value("otelcol_receiver_accepted_spans") == 9
    assert client.running.value("bridge_receiver_requests", outcome="ok") == 3
    assert client.running.value("bridge_receiver_in_flight_bytes") == 0


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (post(gzip.compress(MADE.body), "Content-Encoding: gzip"), {}),
        (post(b'{"resourceSpans": []}', kind=JSON), {}),
        (post(MADE.body, path="/v1/traces?a=b"), {}),
        (post(MADE.body, "Origin: https://a.b"), {"cors": {"allowed_origins": ["*"]}}),
    ],
)
async def test_other_requests_are_not_taken_whole(data: bytes, options: dict[str, Any]) -> None:
    """What must be unpacked, and what is answered in another way."""
    stage = Beginning()
    async with running(stage, http_options=options) as receiver:
        client = Client(receiver, stage)
        await client.learn(data)
        client.connection.data_received(data)
        await settle()

        assert not any(whole(client))
        client.connection.connection_lost(None)


@pytest.mark.parametrize(
    "options", [{"cors": {"allowed_origins": ["*"]}}, {"include_metadata": True}]
)
async def test_options_that_do_not_matter_are_no_hindrance(options: dict[str, Any]) -> None:
    """Browsers name their origin, so that requests without one are nobody else's business."""
    stage = Beginning()
    async with running(stage, http_options=options) as receiver:
        client = Client(receiver, stage)
        await client.learn(post(MADE.body, "X-Tenant: a"))
        client.connection.data_received(post(MADE.body, "X-Tenant: a"))
        await settle()
        (begun,) = stage.begun

        assert whole(client) == [native.available()]
        expected = ("a",) if "include_metadata" in options else None
        assert begun.batch.metadata.get("x-tenant") == expected
        client.connection.connection_lost(None)


async def test_lost_connection_cancels_and_counts(client: Client) -> None:
    """Its spans are refused, its bytes given back."""
    client.connection.data_received(post(MADE.body))
    await settle()

    client.connection.connection_lost(None)
    await settle()

    assert client.value("otelcol_receiver_refused_spans") == 3
    assert client.running.value("bridge_receiver_in_flight_bytes") == 0
    assert client.running.value("bridge_ledger_imbalance", signal="traces") == 0


async def test_what_takes_a_task_gets_one(client: Client) -> None:
    """A stage that must wait first is delivered to."""
    client.stage.declines = True

    client.connection.data_received(post(MADE.body))
    await settle()

    assert statuses(client.transport.take()) == [200]
    assert len(client.stage.taken) == 1


def test_room_is_what_the_budget_has_left() -> None:
    """What is charged is not there for others until it is given back."""
    budget = ByteBudget(100)
    options = HttpOptions.model_validate({"max_request_body_size": 50})
    settings = make_settings("otlp", clock=ManualClock())
    shared: Any = {"clock": settings.clock, "budget": budget, "answer_s": 4.0}
    outcomes = Outcomes(settings, "http")
    handler = OtlpHttpHandler(options, {}, outcomes, where="here", **shared)
    calls = OtlpHttpCalls(handler, options, {}, outcomes, **shared)

    calls.charge(30)

    assert (calls.body_bytes_max, calls.room_bytes) == (50, 70)


OUTCOMES: list[Outcome] = [
    ACCEPTED,
    ACCEPTED,
    Unavailable("later", retry_after_s=1.0),
    Overloaded("full", retry_after_s=2.0),
    Refused("no"),
    Receipt(2, "too old"),
]
SPANS = [trace_request(count).body for count in (1, 3, 5)]
REQUESTS = [
    *(post(body) for body in SPANS),
    post(SPANS[1], "User-Agent: other"),
    post(b"\xff\xff"),
    post(b""),
    post(trace_request(40).body),
    post(b"x" * 5_000),
    post(gzip.compress(SPANS[1]), "Content-Encoding: gzip"),
    post(b'{"resourceSpans": []}', kind=JSON),
    post(SPANS[1], path="/v1/unknown"),
    post(SPANS[1], kind="text/plain"),
    post(SPANS[1], "Origin: https://a.b"),
    post(SPANS[1], "Connection: close"),
    post(SPANS[1], "Expect: 100-continue"),
]
STEPS = st.tuples(
    st.sampled_from(REQUESTS[:4]) | st.sampled_from(REQUESTS),
    st.none() | st.integers(1, 400),
    st.sampled_from(OUTCOMES),
    st.sampled_from(["", "", "", "", "raises", "breaks", "declines"]),
)


async def told(whole: bool, steps: list[tuple[bytes, int | None, Outcome, str]]) -> object:
    """All that there is to see of a connection that *steps* were sent on."""
    stage = Beginning()
    options = {"cors": {"allowed_origins": ["*"]}, "max_request_body_size": 4_000}
    async with running(stage, http_options=options, max_items_per_request=30) as receiver:
        client = Client(receiver, stage, whole=whole)
        seen = []
        for data, cut, outcome, trouble in steps:
            random.seed(len(seen))  # Hints when to return are spread.
            stage.declines = trouble == "declines"
            stage.error = {"raises": Unavailable("away"), "breaks": RuntimeError("ours")}.get(
                trouble
            )
            if client.transport.closed:
                break
            for piece in (data[:cut], data[cut:] if cut is not None else b""):
                if piece:
                    client.connection.data_received(piece)
                await settle()
            seen.append((client.figures(), [each.batch.body for each in stage.begun]))
            for each in stage.begun:
                each.end(outcome)
            stage.begun.clear()
            await settle()
            seen.append((client.figures(), client.transport.take()))
        closed = client.transport.closed
        client.connection.connection_lost(None)
        await settle()
        return seen, closed, client.figures(), [batch.body for batch in stage.taken]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=3, max_size=10))
@example([(REQUESTS[0], None, each, "") for each in (ACCEPTED, ACCEPTED, *OUTCOMES)])
@example([(REQUESTS[0], None, ACCEPTED, each) for each in ("", "", "raises", "breaks", "declines")])
@example([(each, None, ACCEPTED, "") for each in (*[REQUESTS[0]] * 2, *REQUESTS)])
def test_both_ways_do_the_same(steps: list[tuple[bytes, int | None, Outcome, str]]) -> None:
    """Random requests and outcomes: the same bytes, deliveries and figures, at every step."""

    async def both() -> None:
        with capture_logs():
            assert await told(True, steps) == await told(False, steps)

    asyncio.run(both())
