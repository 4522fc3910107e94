"""The receiver as a whole, on real sockets."""

import asyncio
import gzip
import socket

import grpc
import pytest

from bridge.core import (
    ConfigError,
    Deadline,
    Denied,
    Metadata,
    Overloaded,
    Receipt,
    Signal,
    State,
    TooLarge,
    Unavailable,
)
from bridge.receivers.otlp import FACTORY, OtlpReceiver, OtlpReceiverOptions
from bridge.testing import (
    FakeHost,
    FakeStage,
    log_request,
    make_settings,
    metric_request,
    trace_request,
)
from tests.unit.receivers.otlp.clients import (
    EXPORT_PATHS,
    JSON,
    PROTOBUF,
    Http,
    call,
    post,
    running,
)

MADE = {
    Signal.TRACES: trace_request(3),
    Signal.METRICS: metric_request(),
    Signal.LOGS: log_request(),
}
SPANS = MADE[Signal.TRACES]


class Tokens:
    """An authenticator that knows one token."""

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self, deadline: Deadline) -> None:
        """Nothing to do."""

    def authenticate(self, headers: Metadata) -> None:
        """Raise unless the token is right."""
        if headers.get("authorization") != ("Bearer good",):
            raise Denied("unknown token")


class Busy(Tokens):
    """An authenticator that cannot look now."""

    def authenticate(self, headers: Metadata) -> None:
        """Put everybody off."""
        raise Overloaded("too many at once", retry_after_s=2.0)


@pytest.mark.parametrize("signal", list(Signal))
async def test_request_is_delivered_as_it_came(signal: Signal) -> None:
    """Bytes, counts, deadline and figures, by both transports."""
    made = MADE[signal]
    async with running() as run:
        await call(run.grpc, made.body, EXPORT_PATHS[signal])
        answer = await post(run.http, made.body, PROTOBUF, f"/v1/{signal.value}")

        assert answer.status == 200
        assert [batch.body for batch in run.stage.taken] == [made.body] * 2
        assert {batch.signal for batch in run.stage.taken} == {signal}
        assert run.stage.items == 2 * made.items
        assert run.stage.taken[0].metadata == {}
        origin = run.stage.taken[0].origin
        assert origin.source == "otlp"
        assert origin.deadline is not None
        assert 3.0 < origin.deadline.remaining_s <= 4.0
        for transport in ("grpc", "http"):
            assert made.items == run.value(
                f"otelcol_receiver_accepted_{signal.items}", transport=transport, receiver="otlp"
            )


async def test_answer_waits_for_the_stage() -> None:
    """Nothing is acknowledged before custody has passed on."""
    stage = FakeStage()
    stage.hold()
    async with running(stage) as run:
        request = asyncio.create_task(call(run.grpc, SPANS.body))
        await stage.wait_offered()
        answered = request.done()
        stage.release()
        await request

    assert not answered


async def test_empty_request_is_not_delivered() -> None:
    """It is a success of nothing."""
    async with running() as run:
        answer = await call(run.grpc, b"")

        assert answer == b""
        assert run.stage.offered == []


async def test_signal_without_a_pipeline_is_unknown() -> None:
    """UNIMPLEMENTED and 404, so that the sender's log names the mistake."""
    async with running(signals=(Signal.TRACES,)) as run:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(run.grpc, MADE[Signal.LOGS].body, EXPORT_PATHS[Signal.LOGS])
        answer = await post(run.http, MADE[Signal.LOGS].body, PROTOBUF, "/v1/logs")

    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert answer.status == 404


async def test_metadata_is_handed_on_if_asked_for() -> None:
    """Lower-case keys, all values, from both transports."""
    options = {"include_metadata": True}
    async with running(grpc_options=options, http_options=options) as run:
        await call(run.grpc, SPANS.body, metadata=(("x-tenant", "a"), ("x-tenant", "b")))
        await post(run.http, SPANS.body, X_Tenant="c")

        first, second = (batch.metadata for batch in run.stage.taken)
        assert first["x-tenant"] == ("a", "b")
        assert ":authority" in first
        assert second["x-tenant"] == ("c",)


async def test_receipt_with_rejections_is_a_partial_success() -> None:
    """The sender hears how many and why; the figures know them as refused."""
    async with running(FakeStage(otherwise=Receipt(2, "too large"))) as run:
        answer = await call(run.grpc, SPANS.body)

        assert answer == b"\x0a\x0d\x08\x02\x12\x09too large"
        assert run.value("otelcol_receiver_accepted_spans") == 1
        assert run.value("otelcol_receiver_refused_spans") == 2
        assert run.value("bridge_receiver_requests", outcome="partial") == 1


async def test_stage_that_fails_unforeseen_keeps_the_senders_data() -> None:
    """UNAVAILABLE, so that nothing is dropped because of a fault of ours; counted as failed."""
    async with running(FakeStage(otherwise=RuntimeError("ours"))) as run:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(run.grpc, SPANS.body)
        answer = await post(run.http, SPANS.body)

        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        assert answer.status == 503
        assert answer.headers["content-type"] == PROTOBUF
        assert run.value("otelcol_receiver_failed_spans") == 2 * SPANS.items
        assert run.value("bridge_receiver_requests", outcome="failed") == 2


async def test_stage_that_hangs_is_answered_for() -> None:
    """The sender hears UNAVAILABLE in time, and the stage is cancelled."""
    stage = FakeStage()
    stage.hold()
    async with running(stage, answer_timeout="10ms") as run:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(run.grpc, SPANS.body)
        answer = await post(run.http, SPANS.body)

        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        assert answer.status == 503
        assert stage.cancelled == 2
        assert stage.in_flight == 0
        assert run.value("bridge_receiver_in_flight_bytes") == 0


async def test_client_timeout_becomes_the_deadline() -> None:
    """Stages stop waiting when the client does."""
    async with running() as run:
        await call(run.grpc, SPANS.body, timeout_s=1.0)

        deadline = run.stage.taken[0].origin.deadline
        assert deadline is not None
        assert deadline.remaining_s <= 1.02  # gRPC rounds its header up to 10 ms.


async def test_budget_of_both_transports_is_one() -> None:
    """Bodies in flight count once they are declared; who comes too late hears when to return."""
    stage = FakeStage()
    stage.hold()
    limits = {"max_recv_msg_size_mib": 1}, {"max_request_body_size": 1 << 20}
    body = trace_request(1, 1, padding_bytes=900_000).body
    async with running(
        stage, grpc_options=limits[0], http_options=limits[1], max_in_flight_mib=2
    ) as run:
        held = [asyncio.create_task(call(run.grpc, body)) for _ in range(2)]
        await stage.wait_offered(2)
        used = run.value("bridge_receiver_in_flight_bytes")
        answer = await post(run.http, body)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(run.grpc, body)
        stage.release()
        await asyncio.gather(*held)

        assert used == 2 * len(body)
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        assert run.value("bridge_receiver_in_flight_bytes") == 0
        assert run.value("bridge_receiver_requests", outcome="overloaded") == 2


async def test_successor_takes_ports_over_without_refusing_anybody() -> None:
    """Who connects between the two waits in the system's queue, and is served by the second."""
    async with running() as run:
        first, clock = run.receiver, run.settings.clock
        port = first.endpoints()["grpc"][1]
        second = OtlpReceiver(first._config, run.settings, {Signal.TRACES: run.stage})
        second.borrow_ports(first.lend_ports())
        await first.stop(Deadline.after(5, clock))
        waiting = asyncio.create_task(call(f"127.0.0.1:{port}", SPANS.body))
        await asyncio.sleep(0)
        await second.start()
        try:
            assert second.endpoints()["grpc"][1] == port
            assert await waiting == b""
        finally:
            await second.stop(Deadline.after(5, clock))


async def test_ports_that_are_not_as_configured_are_not_taken_over() -> None:
    """Another endpoint is bound anew; what was lent is closed and free again."""
    async with running() as run:
        first, clock = run.receiver, run.settings.clock
        port = first.endpoints()["grpc"][1]
        other = OtlpReceiverOptions.model_validate(
            {"protocols": {"grpc": {"endpoint": "localhost:0"}}}
        )
        second = OtlpReceiver(other, run.settings, {Signal.TRACES: run.stage})
        second.borrow_ports(first.lend_ports())
        second.borrow_ports(first.lend_ports())
        await second.start()
        try:
            await first.stop(Deadline.after(5, clock))
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                probe.listen()
            assert second.endpoints()["grpc"][1] != port
        finally:
            await second.stop(Deadline.after(5, clock))


async def test_health_is_serving_for_known_services() -> None:
    """The server, each service, and nothing else."""
    check = "/grpc.health.v1.Health/Check"
    async with running(signals=(Signal.TRACES,)) as run:
        name = b"opentelemetry.proto.collector.trace.v1.TraceService"
        whole = await call(run.grpc, b"", check)
        one = await call(run.grpc, b"\x0a" + bytes((len(name),)) + name, check)
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await call(run.grpc, b"\x0a\x01x", check)
        with pytest.raises(grpc.aio.AioRpcError) as broken:
            await call(run.grpc, b"\xff", check)

    assert (whole, one) == (b"\x08\x01", b"\x08\x01")
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
    assert broken.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_health_watch_of_grpc_core_hears_of_the_stop() -> None:
    """A stream that outlives a call's deadline, and ends before the drain would wait for it."""
    watch = "/grpc.health.v1.Health/Watch"
    stage = FakeStage()
    stage.hold()
    async with (
        running(stage, signals=(Signal.TRACES,), answer_timeout="1s") as run,
        grpc.aio.insecure_channel(run.grpc) as channel,
        asyncio.timeout(20),
    ):
        stream = channel.unary_stream(watch)(b"")
        first = await stream.read()
        unknown = channel.unary_stream(watch)(b"\x0a\x01x")
        other = await unknown.read()
        unknown.cancel()
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary(EXPORT_PATHS[Signal.TRACES])(SPANS.body)
        await run.receiver.stop(Deadline.after(60, run.settings.clock))
        last = await stream.read()
        with pytest.raises(grpc.aio.AioRpcError) as end:
            await stream.read()

    assert (first, other, last) == (b"\x08\x01", b"\x08\x03", b"\x08\x02")
    assert end.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("token", ["good", "bad", ""])
async def test_authenticator_decides_who_may_send(token: str) -> None:
    """Before the body is read, on both transports; health checks stay open."""
    options = {"auth": {"authenticator": "tokens"}}
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    async with running(
        grpc_options=options, http_options=options, extensions={"tokens": Tokens()}
    ) as run:
        answer = await post(run.http, SPANS.body, **dict(metadata))
        health = await call(run.grpc, b"", "/grpc.health.v1.Health/Check")
        try:
            await call(run.grpc, SPANS.body, metadata=metadata)
            code = grpc.StatusCode.OK
        except grpc.aio.AioRpcError as error:
            code = error.code()

        good = token == "good"
        assert code is (grpc.StatusCode.OK if good else grpc.StatusCode.UNAUTHENTICATED)
        assert answer.status == (200 if good else 401)
        assert health == b"\x08\x01"
        assert len(run.stage.taken) == (2 if good else 0)


async def test_authenticator_that_cannot_look_costs_no_sender_its_data() -> None:
    """Clients drop what is UNAUTHENTICATED: UNAVAILABLE and 503 bring them back."""
    options = {"auth": {"authenticator": "tokens"}}
    async with running(
        grpc_options=options, http_options=options, extensions={"tokens": Busy()}
    ) as run:
        answer = await post(run.http, SPANS.body)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(run.grpc, SPANS.body)

        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        assert run.stage.taken == []


@pytest.mark.parametrize("extensions", [{}, {"tokens": FakeStage()}])
async def test_authenticator_that_is_none_stops_the_start(
    extensions: dict[str, FakeStage],
) -> None:
    """Missing, or an extension of another kind."""
    with pytest.raises(ConfigError):
        async with running(
            grpc_options={"auth": {"authenticator": "tokens"}}, extensions=dict(extensions)
        ):
            pass


async def test_start_reports_and_port_in_use_leaves_nothing_behind() -> None:
    """A start that fails closes what it had opened."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = OtlpReceiverOptions.model_validate(
            {
                "protocols": {
                    "grpc": {"endpoint": "127.0.0.1:0"},
                    "http": {"endpoint": f"127.0.0.1:{port}"},
                }
            }
        )
        host = FakeHost()
        receiver = FACTORY.create(config, make_settings("otlp", host=host), {})
        with pytest.raises(ConfigError, match="in use"):
            await receiver.start()

        assert host.state is None
        assert receiver.endpoints() == {}  # type: ignore[attr-defined]  # an OtlpReceiver

    async with running() as run:
        assert run.settings.host.state is State.OK  # type: ignore[attr-defined]  # a FakeHost
        assert set(run.receiver.endpoints()) == {"grpc", "http"}


async def is_served(address: tuple[str, int]) -> bool:
    """Whether a new connection is answered; some loops close their listeners a turn later."""
    try:
        http = await Http.connect(address)
        await http.post(SPANS.body)
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    http.close()
    return True


async def test_stop_finishes_what_is_in_flight() -> None:
    """Both answers arrive, both connections are told to end, new ones find nobody."""
    stage = FakeStage()
    stage.hold()
    async with running(stage) as run:
        http = await Http.connect(run.http)
        grpc_call = asyncio.create_task(call(run.grpc, SPANS.body))
        http_call = asyncio.create_task(http.post(SPANS.body))
        await stage.wait_offered(2)
        address = run.http

        stopping = asyncio.create_task(run.receiver.stop(Deadline.after(10, run.settings.clock)))
        await asyncio.sleep(0)
        served = await is_served(address)
        stage.release()
        answer = await http_call
        await grpc_call
        await stopping

        assert not served
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert await http.closed()
        http.close()


async def test_stop_twice_and_before_start_is_safe() -> None:
    """Nothing happens."""
    config = OtlpReceiverOptions.model_validate({"protocols": {"grpc": None}})
    settings = make_settings("otlp")
    receiver = FACTORY.create(config, settings, {})

    await receiver.stop(Deadline.after(1, settings.clock))
    await receiver.stop(Deadline.after(1, settings.clock))


async def test_compressed_body_over_the_budget_is_refused_while_it_grows() -> None:
    """What decompression makes is charged as well."""
    body = gzip.compress(bytes(3 << 20))
    async with running(
        grpc_options={"max_recv_msg_size_mib": 4},
        http_options={"max_request_body_size": 4 << 20},
        max_in_flight_mib=8,
    ) as run:
        budget = run.receiver._budget
        budget.acquire(7 << 20)
        answer = await post(run.http, body, Content_Encoding="gzip")
        budget.release(7 << 20)

        assert answer.status == 503
        assert budget.used_bytes == 0


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (Overloaded("full"), grpc.StatusCode.UNAVAILABLE, 503),
        (Unavailable("away"), grpc.StatusCode.UNAVAILABLE, 503),
        (Denied("no ACL", hint="kafka-acls ..."), grpc.StatusCode.UNAVAILABLE, 503),
        (TooLarge("one span"), grpc.StatusCode.RESOURCE_EXHAUSTED, 413),
    ],
)
async def test_errors_of_the_stage_are_told(
    error: Exception, code: grpc.StatusCode, status: int
) -> None:
    """By both transports, and the items count as refused."""
    async with running(FakeStage(otherwise=error)) as run:
        with pytest.raises(grpc.aio.AioRpcError) as answered:
            await call(run.grpc, SPANS.body)
        answer = await post(run.http, b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}', JSON)

        assert answered.value.code() is code
        assert answer.status == status
        assert answer.headers["content-type"] == JSON
        assert run.value("otelcol_receiver_refused_spans") == SPANS.items + 1
