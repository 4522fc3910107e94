"""Traffic of real SDKs against the backend of the kit."""

import asyncio

import pytest

from bridge.core import Signal
from bridge.testing.backend import Backend
from bridge.testing.sdk_traffic import SPANS_PER_TRACE, send_shop_traffic

pytestmark = pytest.mark.slow


async def test_shop_traffic_reaches_backend_whole() -> None:
    """Every span, log record and point that the account has as accepted is at the backend."""
    async with Backend() as backend:
        endpoints = {"grpc": backend.grpc_endpoint, "http": backend.http_endpoint}
        account = await asyncio.to_thread(send_shop_traffic, endpoints, 20)

    book = backend.book
    assert account.complete
    assert len(account.sent_spans) == 20 * SPANS_PER_TRACE
    assert set(book.span_ids) == account.sent_spans
    assert book.items[Signal.LOGS] == account.items["logs"] == 20
    assert book.items[Signal.METRICS] == account.items["metrics"] > 0
    assert {"grpc", "http"} == set(book.requests)


async def test_shop_trace_comes_over_both_transports() -> None:
    """The spans of one trace arrive in requests of both transports."""
    async with Backend() as backend:
        endpoints = {"grpc": backend.grpc_endpoint, "http": backend.http_endpoint}
        account = await asyncio.to_thread(send_shop_traffic, endpoints, 1)

    bodies = [b for b in backend.book.bodies if b.signal is Signal.TRACES]
    assert {body.transport for body in bodies} == {"grpc", "http"}
    assert len({key[:16] for key in account.sent_spans}) == 1
