"""The OTLP backend of tests, asked by the clients that applications use."""

import gzip
import json
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from bridge.core import Signal
from bridge.testing import Made, log_request, sample, trace_request
from bridge.testing.backend import Backend
from bridge.testing.backend_book import THROTTLED, UNAVAILABLE, Answer

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    """A listening backend."""
    async with Backend() as backend:
        yield backend


async def _grpc(backend: Backend, made: Made, **options: Any) -> bytes:
    async with grpc.aio.insecure_channel(backend.grpc_endpoint) as channel:
        return await channel.unary_unary(EXPORT)(made.body, timeout=10, **options)


async def _http(backend: Backend, made: Made, **headers: str) -> aiohttp.ClientResponse:
    url = f"http://{backend.http_endpoint}/v1/{made.signal.value}"
    body = gzip.compress(made.body) if "Content-Encoding" in headers else made.body
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as response,
    ):
        await response.read()
        return response


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_backend_grpc_keeps_spans(backend: Backend, compression: Any) -> None:
    """Spans over gRPC are counted by id, plain and compressed, with the request's metadata."""
    made = trace_request(2, 2)

    await _grpc(backend, made, compression=compression, metadata=(("x-tenant", "a"),))
    await _grpc(backend, made, compression=compression)

    assert set(backend.book.span_ids) == set(made.span_ids)
    assert backend.book.duplicates == 4
    assert backend.book.bodies[0].metadata["x-tenant"] == "a"


@pytest.mark.parametrize("signal", list(Signal))
async def test_backend_http_keeps_every_signal(backend: Backend, signal: Signal) -> None:
    """Each signal has its path; gzip is undone."""
    response = await _http(backend, sample(signal, 5), **{"Content-Encoding": "gzip"})

    assert response.status == 200
    assert backend.book.items[signal] == 5


async def test_backend_grpc_script_decides_answers(backend: Backend) -> None:
    """A scripted refusal takes nothing and carries its delay; then all is well again."""
    backend.book.answer(THROTTLED)
    made = trace_request()

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await _grpc(backend, made)
    await _grpc(backend, made)

    details = dict(raised.value.trailing_metadata() or ())["grpc-status-details-bin"]
    info = RetryInfo()
    Status.FromString(details).details[0].Unpack(info)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert info.retry_delay.seconds == 1
    assert backend.book.duplicates == 0


async def test_backend_http_script_decides_answers(backend: Backend) -> None:
    """The same script answers HTTP with status and Retry-After."""
    backend.book.answer(THROTTLED)

    response = await _http(backend, log_request(2))

    assert (response.status, response.headers["Retry-After"]) == (429, "1")
    assert backend.book.items[Signal.LOGS] == 0


async def test_backend_partial_success_is_told(backend: Backend) -> None:
    """Rejected items come back in the response, and the data is not kept."""
    backend.book.answer(Answer(rejected_items=2, message="two bad"))

    body = await _grpc(backend, trace_request(2))

    response = ExportTraceServiceResponse.FromString(body)
    assert response.partial_success.rejected_spans == 2
    assert response.partial_success.error_message == "two bad"
    assert not backend.book.span_ids


async def test_backend_lost_answer_keeps_data(backend: Backend) -> None:
    """An error with `keep` is what a client sees whose answer got lost."""
    backend.book.answer(Answer(14, 503, keep=True))
    made = trace_request(1)

    with pytest.raises(grpc.aio.AioRpcError):
        await _grpc(backend, made)

    assert set(backend.book.span_ids) == set(made.span_ids)


async def test_backend_garbage_is_invalid(backend: Backend) -> None:
    """A body that is no request is refused as the sender's fault."""
    garbage = Made(Signal.TRACES, b"\xff\xff", 0)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await _grpc(backend, garbage)
    response = await _http(backend, garbage)

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert response.status == 400


@pytest.mark.slow
async def test_backend_process_is_controlled_over_http() -> None:
    """As a process it says where it listens, obeys /control, and ends with SIGTERM."""
    command = (sys.executable, "-m", "bridge.testing.backend")
    process = await create_subprocess_exec(*command, stdout=PIPE)
    assert process.stdout is not None
    try:
        endpoints = json.loads(await process.stdout.readline())
        url = f"http://{endpoints['http']}"
        made = trace_request(3)
        async with aiohttp.ClientSession() as session:
            script = [{"grpc_status": 14, "http_status": 503}]
            async with session.post(f"{url}/control/answer", json=script) as response:
                scripted = await response.json()
            statuses = []
            for _ in range(2):
                async with session.post(f"{url}/v1/traces", data=made.body) as response:
                    statuses.append(response.status)
            async with session.get(f"{url}/control/summary") as response:
                summary = await response.json()
            async with session.get(f"{url}/control/span_ids") as response:
                ids = await response.read()
            async with session.post(f"{url}/control/clear") as response:
                await response.read()
    finally:
        process.terminate()
        code = await process.wait()

    assert scripted == {"scripted": 1}
    assert statuses == [503, 200]
    assert summary["spans"] == 3
    assert {ids[at : at + 24] for at in range(0, len(ids), 24)} == set(made.span_ids)
    assert code == 0


def test_unavailable_is_both_transports_word_for_away() -> None:
    """The ready-made answer speaks gRPC and HTTP alike."""
    assert (UNAVAILABLE.grpc_status, UNAVAILABLE.http_status) == (14, 503)
    assert not UNAVAILABLE.takes
