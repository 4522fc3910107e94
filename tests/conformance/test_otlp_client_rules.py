"""
The rules for OTLP clients, both exporters against a real backend that misbehaves by script.

Numbers C1 to C13 are those of the OTLP client checklist (specification 1.11).
"""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    Denied,
    Exporter,
    Origin,
    Receipt,
    Refused,
    Settings,
    Signal,
    SystemClock,
    Unavailable,
)
from bridge.exporters import otlp, otlp_http
from bridge.flow import RESPONSE_BYTES_MAX, FanOut
from bridge.testing import make_settings, sample, span_ids
from bridge.testing.backend import Backend
from bridge.testing.backend_book import OK, Answer

CLOCK = SystemClock()
FAST = {"initial_interval": "10ms", "max_interval": "20ms"}

Make = Callable[..., Awaitable[tuple[Exporter, Settings]]]


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    async with Backend() as running:
        yield running


@pytest.fixture(params=["grpc", "http"])
async def make(request, backend) -> AsyncIterator[Make]:
    """A maker of started exporters of one transport, pointed at the backend."""
    started: list[Exporter] = []

    async def start(**keys: object) -> tuple[Exporter, Settings]:
        keys = {"retry_on_failure": FAST, **keys}
        settings = make_settings("otlp", clock=CLOCK)
        if request.param == "grpc":
            keys = {"endpoint": backend.grpc_endpoint, "tls": {"insecure": True}, **keys}
            factory = otlp.FACTORY
        else:
            keys = {"endpoint": f"http://{backend.http_endpoint}", **keys}
            factory = otlp_http.FACTORY
        exporter = factory.create(factory.config.model_validate(keys), settings, frozenset(Signal))
        await exporter.start()
        started.append(exporter)
        return exporter, settings

    start.transport = request.param  # type: ignore[attr-defined]  # for the tests to ask
    yield start
    for exporter in started:
        await exporter.stop(Deadline.after(2, CLOCK))


def a_batch(items: int = 3, *, waits_s: float | None = 5.0, seed: int = 0) -> Batch:
    made = sample(Signal.TRACES, items, seed=seed)
    deadline = None if waits_s is None else Deadline.after(waits_s, CLOCK)
    return Batch(Signal.TRACES, made.body, items, Origin("test", deadline))


@pytest.mark.parametrize("signal", list(Signal))
async def test_export_of_each_signal_arrives(make, backend, signal) -> None:
    """The bytes that were delivered are the bytes that the backend gets."""
    exporter, settings = await make()
    made = sample(signal, 5)
    batch = Batch(signal, made.body, 5, Origin("test"))

    assert await exporter.deliver(batch) is ACCEPTED
    (received,) = backend.book.bodies
    assert (received.signal, received.body) == (signal, made.body)
    assert settings.metrics.value(f"otelcol_exporter_sent_{signal.items}") == 5


@pytest.mark.parametrize("make", ["grpc"], indirect=True)
@pytest.mark.parametrize("code", [1, 4, 10, 11, 14, 15])
async def test_c1_retryable_grpc_code_is_repeated(make, backend, code) -> None:
    """Each code of the retryable set is followed by another attempt."""
    exporter, _ = await make()
    backend.book.answer(Answer(code), Answer(code))

    assert await exporter.deliver(a_batch()) is ACCEPTED
    assert len(backend.book.bodies) == 1
    assert not backend.book.script


@pytest.mark.parametrize("make", ["grpc"], indirect=True)
@pytest.mark.parametrize("code", [2, 3, 5, 6, 8, 9, 12, 13])
async def test_c1_other_grpc_code_is_final(make, backend, code) -> None:
    """Every other code is refused at once and counted, also for durable data."""
    exporter, settings = await make()
    backend.book.answer(Answer(code, message="no"), OK)

    with pytest.raises(Refused):
        await exporter.deliver(a_batch(waits_s=None))
    assert len(backend.book.script) == 1
    assert settings.metrics.value("otelcol_exporter_send_failed_spans") == 3


@pytest.mark.parametrize("make", ["grpc"], indirect=True)
async def test_c1_resource_exhausted_with_hint_is_repeated(make, backend) -> None:
    """RESOURCE_EXHAUSTED with RetryInfo is a throttle, not an end."""
    exporter, _ = await make()
    backend.book.answer(Answer(8, retry_after_s=0.05))

    assert await exporter.deliver(a_batch()) is ACCEPTED


@pytest.mark.parametrize("make", ["http"], indirect=True)
@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_c2_retryable_http_status_is_repeated(make, backend, status) -> None:
    """429, 502, 503 and 504 are followed by another attempt."""
    exporter, _ = await make()
    backend.book.answer(Answer(14, status))

    assert await exporter.deliver(a_batch()) is ACCEPTED


@pytest.mark.parametrize("make", ["http"], indirect=True)
@pytest.mark.parametrize("status", [400, 404, 408, 413, 415, 500, 501, 505])
async def test_c2_other_http_status_is_final(make, backend, status) -> None:
    """Every other error status is refused at once with the backend's message."""
    exporter, _ = await make()
    backend.book.answer(Answer(3, status, "because"), OK)

    with pytest.raises(Exception, match="because") as caught:
        await exporter.deliver(a_batch(waits_s=None))
    assert not isinstance(caught.value, Unavailable | Denied)
    assert len(backend.book.script) == 1


async def test_c2_lost_connection_is_repeated(make, backend) -> None:
    """A backend that is away and comes back gets the data, and once."""
    exporter, _ = await make(retry_on_failure={"initial_interval": "50ms", "max_interval": "50ms"})
    assert await exporter.deliver(a_batch(seed=1)) is ACCEPTED
    ports = [int(e.rpartition(":")[2]) for e in (backend.grpc_endpoint, backend.http_endpoint)]
    await backend.stop()
    task = asyncio.create_task(exporter.deliver(a_batch(waits_s=None, seed=2)))
    again = Backend(*ports)
    await again.start()
    try:
        assert await task is ACCEPTED
        assert len(again.book.bodies) == 1
    finally:
        await again.stop()


@pytest.mark.parametrize(("grpc_code", "status"), [(16, 401), (7, 403)])
async def test_denial_is_told_to_senders_and_held_for_kafka(
    make, backend, grpc_code, status
) -> None:
    """Wrong credentials lose nothing: a sender hears of them, durable data waits for their end."""
    exporter, settings = await make(
        retry_on_failure={"initial_interval": "10ms", "max_interval": "30ms"}
    )
    backend.book.answer(*[Answer(grpc_code, status, "who are you")] * 3)

    with pytest.raises(Denied, match="who are you") as caught:
        await exporter.deliver(a_batch())
    assert caught.value.hint
    assert await exporter.deliver(a_batch(waits_s=None)) is ACCEPTED
    assert [report.state.name for report in settings.host.reported][-2:] == ["PERMANENT", "OK"]


async def test_c3_partial_success_is_never_repeated(make, backend) -> None:
    """What a backend rejects is counted and told, and the request is not sent again."""
    exporter, settings = await make()
    backend.book.answer(Answer(rejected_items=2, message="too old"), OK)

    receipt = await exporter.deliver(a_batch())

    assert receipt == Receipt(2, "too old")
    assert len(backend.book.script) == 1
    assert settings.metrics.value("bridge_exporter_rejected_items", signal="traces") == 2
    assert settings.metrics.value("otelcol_exporter_sent_spans") == 1


async def test_c4_hint_overrides_the_backoff(make, backend) -> None:
    """RetryInfo and Retry-After decide when the next attempt comes."""
    exporter, _ = await make(retry_on_failure={"initial_interval": "30s"})
    backend.book.answer(Answer(14, 503, retry_after_s=1.0))
    began_s = time.monotonic()

    assert await exporter.deliver(a_batch()) is ACCEPTED
    assert 1.0 <= time.monotonic() - began_s < 2.0


async def test_c4_retry_after_date_is_understood() -> None:
    """Retry-After as an HTTP date is a hint like a number, cut to max_retry_after."""
    answers = [
        web.Response(
            status=503, headers={"Retry-After": formatdate(time.time() + 3600, usegmt=True)}
        ),
        web.Response(status=200),
    ]

    async with http_server(lambda request: answers.pop(0)) as url:
        exporter = await started_http(
            endpoint=url, retry_on_failure={"initial_interval": "30s", "max_retry_after": "100ms"}
        )
        began_s = time.monotonic()

        assert await exporter.deliver(a_batch()) is ACCEPTED
        assert time.monotonic() - began_s < 2.0
        await exporter.stop(Deadline.after(1, CLOCK))


async def test_c4_waits_spread(make, backend) -> None:
    """Two attempts after the same failures do not come at the same moment."""
    from bridge.flow import Backoff
    from bridge.options import RetryOnFailure

    backoff = Backoff.from_options(RetryOnFailure())

    assert backoff.wait_s(1, None, 0.1) != backoff.wait_s(1, None, 0.9)


async def test_c5_oversize_request_is_split(make, backend) -> None:
    """Nothing above max_request_bytes is sent; the pieces hold every span once."""
    batch = a_batch(60)
    limit = max(1024, len(batch.body) // 3)
    exporter, _ = await make(max_request_bytes=limit)

    assert await exporter.deliver(batch) is ACCEPTED
    assert len(backend.book.bodies) > 2
    assert all(len(one.body) <= limit for one in backend.book.bodies)
    assert sorted(backend.book.span_ids.elements()) == sorted(span_ids(batch.body))


async def test_c6_oversize_answer_is_final() -> None:
    """An answer above 4 MiB is not read to its end and not asked for again."""
    asked = []

    def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(body=b"\0" * (RESPONSE_BYTES_MAX + 1))

    async with http_server(answer) as url:
        exporter = await started_http(endpoint=url, retry_on_failure=FAST)
        with pytest.raises(Refused, match="exceeds"):
            await exporter.deliver(a_batch(waits_s=None))
        await exporter.stop(Deadline.after(1, CLOCK))

    assert len(asked) == 1


async def test_c6_compressed_oversize_answer_is_final() -> None:
    """The limit holds after decompression too."""
    bomb = gzip.compress(b"\0" * (RESPONSE_BYTES_MAX + 1))

    def answer(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with http_server(answer) as url:
        exporter = await started_http(endpoint=url, retry_on_failure=FAST)
        with pytest.raises(Refused, match="after decompression"):
            await exporter.deliver(a_batch(waits_s=None))
        await exporter.stop(Deadline.after(1, CLOCK))


async def test_c7_calls_run_concurrently_up_to_the_limit(make, backend) -> None:
    """num_consumers requests are under way together, and not one more."""
    exporter, _ = await make(sending_queue={"num_consumers": 4})
    backend.book.otherwise = Answer(delay_s=0.3)
    began_s = time.monotonic()
    await asyncio.gather(*(exporter.deliver(a_batch(seed=n)) for n in range(8)))
    took_s = time.monotonic() - began_s

    assert 0.6 <= took_s < 1.2


@pytest.mark.parametrize("queue", [{}, {"batch": {"min_size": 1}}])
async def test_c8_shutdown_waits_for_answers(make, backend, queue) -> None:
    """A request under way at shutdown is answered if that takes less than the deadline."""
    exporter, _ = await make(sending_queue=queue)
    backend.book.answer(Answer(delay_s=0.3))
    task = asyncio.create_task(exporter.deliver(a_batch()))
    await asyncio.sleep(0.1)
    await exporter.stop(Deadline.after(5, CLOCK))

    assert await task is ACCEPTED
    assert len(backend.book.bodies) == 1


@pytest.mark.parametrize("queue", [{}, {"batch": {"min_size": 1}}])
async def test_c8_shutdown_ends_at_its_deadline(make, backend, queue) -> None:
    """A backend that does not answer cannot hold the shutdown up; the data is not lost silently."""
    exporter, settings = await make(sending_queue=queue)
    backend.book.answer(Answer(delay_s=30))
    task = asyncio.create_task(exporter.deliver(a_batch()))
    await asyncio.sleep(0.1)
    began_s = time.monotonic()
    await exporter.stop(Deadline.after(0.2, CLOCK))

    assert time.monotonic() - began_s < 2.0
    with pytest.raises(Exception, match=r"stopping|is not running|lost|disconnected"):
        await task
    assert settings.metrics.value("otelcol_exporter_send_failed_spans") == 3


async def test_c9_destinations_are_independent(make, backend) -> None:
    """With two backends, one being away does not send the data twice to the other."""
    good, _ = await make()
    bad, _ = await make(endpoint="http://127.0.0.1:9", timeout="200ms")
    both = FanOut(
        "traces", {"good": good, "bad": bad}, clock=CLOCK, metrics=make_settings().metrics
    )

    with pytest.raises(Unavailable, match="bad"):
        await both.deliver(a_batch(waits_s=1.0))
    assert len(backend.book.bodies) == 1


async def test_c10_empty_envelope_is_not_sent(make, backend) -> None:
    """After a filter that dropped everything there is nothing to send."""
    exporter, _ = await make()

    assert await exporter.deliver(Batch(Signal.TRACES, b"\x0a\x00", 0, Origin("x"))) is ACCEPTED
    assert not backend.book.bodies


@pytest.mark.parametrize("compression", ["gzip", "none", ""])
async def test_c11_compression_is_declared(make, backend, compression) -> None:
    """Compressed bodies are declared as such and arrive as they were."""
    exporter, _ = await make(compression=compression)
    batch = a_batch(50)

    assert await exporter.deliver(batch) is ACCEPTED
    (received,) = backend.book.bodies
    assert received.body == batch.body
    declared = {key: value.lower() for key, value in received.metadata.items()}
    if make.transport == "http":
        expected = "gzip" if compression == "gzip" else None
        assert declared.get("content-encoding") == expected


async def test_c12_connections_are_kept(make, backend) -> None:
    """Many requests in a row use one connection."""
    exporter, _ = await make()
    for seed in range(5):
        await exporter.deliver(a_batch(seed=seed))

    if make.transport == "grpc":
        assert repr(exporter._channel).count("Connection(") == 1
    else:
        assert len(exporter._session.connector._conns) == 1


async def test_c13_attempt_ends_at_the_senders_deadline(make, backend) -> None:
    """The sender's deadline shortens the attempt, so that it hears in time."""
    exporter, _ = await make()
    backend.book.answer(Answer(delay_s=5))
    began_s = time.monotonic()

    with pytest.raises(Unavailable, match="no answer"):
        await exporter.deliver(a_batch(waits_s=0.3))
    assert time.monotonic() - began_s < 1.0


async def test_c13_attempt_ends_at_its_timeout(make, backend) -> None:
    """timeout bounds each attempt, also of durable data, which is then repeated."""
    exporter, settings = await make(timeout="200ms")
    backend.book.answer(Answer(delay_s=5))

    assert await exporter.deliver(a_batch(waits_s=None)) is ACCEPTED
    assert settings.metrics.value("bridge_exporter_retries") == 1


async def test_headers_are_sent(make, backend) -> None:
    """Configured headers reach the backend."""
    exporter, _ = await make(headers={"X-Tenant": "acme"})
    await exporter.deliver(a_batch())

    assert backend.book.bodies[0].metadata["x-tenant"] == "acme"


async def test_json_is_understood_by_the_backend() -> None:
    """encoding: json sends OTLP/JSON and reads JSON answers."""
    bodies = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append((request.headers["Content-Type"], await request.json()))
        return web.json_response(
            {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "one is old"}}
        )

    async with http_server(answer) as url:
        exporter = await started_http(endpoint=url, encoding="json")
        receipt = await exporter.deliver(a_batch())
        await exporter.stop(Deadline.after(1, CLOCK))

    assert receipt == Receipt(1, "one is old")
    ((kind, body),) = bodies
    assert kind == "application/json"
    spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert len(spans) == 3
    assert len(spans[0]["traceId"]) == 32


async def test_redirect_is_refused_with_its_target() -> None:
    """A redirect is not followed, since the body would be lost on the way."""
    async with http_server(
        lambda request: web.Response(status=307, headers={"Location": "https://other/"})
    ) as url:
        exporter = await started_http(endpoint=url)
        with pytest.raises(Refused, match="https://other/"):
            await exporter.deliver(a_batch())
        await exporter.stop(Deadline.after(1, CLOCK))


async def test_empty_answer_is_a_full_success() -> None:
    """A 200 without a body means that everything was taken."""
    async with http_server(lambda request: web.Response()) as url:
        exporter = await started_http(endpoint=url)
        assert await exporter.deliver(a_batch()) is ACCEPTED
        await exporter.stop(Deadline.after(1, CLOCK))


async def test_partial_success_of_no_signal_is_a_success() -> None:
    """An empty partial success is the same as none."""
    response = ExportTraceServiceResponse()
    response.partial_success.SetInParent()
    body = response.SerializeToString()
    async with http_server(lambda request: web.Response(body=body)) as url:
        exporter = await started_http(endpoint=url)
        assert await exporter.deliver(a_batch()) is ACCEPTED
        await exporter.stop(Deadline.after(1, CLOCK))


async def started_http(**keys: object) -> Exporter:
    options = otlp_http.OtlpHttpOptions.model_validate(keys)
    exporter = otlp_http.FACTORY.create(
        options, make_settings("otlp_http", clock=CLOCK), frozenset(Signal)
    )
    await exporter.start()
    return exporter


class http_server:
    """A server that answers each POST by a function; gives its base URL."""

    def __init__(self, answer: Callable[[web.Request], object]) -> None:
        self._answer = answer

    async def __aenter__(self) -> str:
        async def handle(request: web.Request) -> web.StreamResponse:
            found = self._answer(request)
            return await found if asyncio.iscoroutine(found) else found  # type: ignore[return-value]

        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/{path:.*}", handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
