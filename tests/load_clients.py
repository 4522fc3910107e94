"""Clients that send as OTLP exporters do: concurrently, with retries, over both transports."""

import asyncio
import gzip
import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import aiohttp
import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Signal
from bridge.testing import Ledger, Made, Order, trace_request

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
ATTEMPT_TIMEOUT_S = 10.0
RETRY_S = 0.1
TRACES_PER_PAIR = 200
SPANS_PER_TRACE = 5
FIRST_SPANS = 2
"""Of each trace, these go into one request and the rest into another."""


def split_traces(traces: int, order: Order, seed: int = 1) -> list[Made]:
    """
    Requests with the spans of *traces* traces of five spans, each trace in two requests.

    The two requests of a pair stand far apart, so that different clients send them at different
    times.
    """
    whole = trace_request(TRACES_PER_PAIR, SPANS_PER_TRACE, seed=seed, attribute_count=2)
    cut = TRACES_PER_PAIR * FIRST_SPANS
    patterns = [_part(whole, slice(0, cut), order), _part(whole, slice(cut, None), order)]
    # Ids are random: their places in the bytes are found once, and each request gets new ones.
    places = [_places(pattern, whole) for pattern in patterns]
    dice = random.Random(seed)
    early, late = [], []
    for _ in range(traces // TRACES_PER_PAIR):
        fresh = {key: dice.randbytes(len(key)) for found in places for key in found}
        first, second = (
            _renamed(pattern, found, fresh) for pattern, found in zip(patterns, places, strict=True)
        )
        early.append(first)
        late.append(second)
    return early + late


def _places(pattern: Made, whole: Made) -> dict[bytes, list[int]]:
    """Where each trace id and span id of *whole* stands in the bytes of *pattern*."""
    found: dict[bytes, list[int]] = {}
    for key in dict.fromkeys(part for ids in whole.span_ids for part in (ids[:16], ids[16:])):
        at = pattern.body.find(key)
        while at >= 0:
            found.setdefault(key, []).append(at)
            at = pattern.body.find(key, at + 1)
    return found


def _renamed(pattern: Made, places: dict[bytes, list[int]], fresh: dict[bytes, bytes]) -> Made:
    body = bytearray(pattern.body)
    for key, found in places.items():
        for at in found:
            body[at : at + len(key)] = fresh[key]
    ids = tuple(fresh[ids[:16]] + fresh[ids[16:]] for ids in pattern.span_ids)
    return Made(pattern.signal, bytes(body), pattern.items, ids)


def _part(whole: Made, which: slice, order: Order) -> Made:
    request = ExportTraceServiceRequest.FromString(whole.body)
    spans = request.resource_spans[0].scope_spans[0].spans
    kept = list(spans)[which]
    del spans[:]
    spans.extend(kept)
    return Made(Signal.TRACES, order.encode(request), len(kept), whole.span_ids[which])


@dataclass(slots=True)
class Load:
    """A fleet of four clients and what they were told."""

    ledger: Ledger = field(default_factory=Ledger)
    retries: int = 0
    acknowledged: int = 0
    _waiting: deque[Made] = field(default_factory=deque)

    async def send(self, requests: Iterable[Made], grpc_endpoint: str, http_endpoint: str) -> None:
        """Send everything, each request until it is acknowledged."""
        self._waiting.extend(requests)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(self._client_grpc(grpc_endpoint))
                group.create_task(self._client_http(http_endpoint))

    async def wait_acknowledged(self, requests: int) -> None:
        """Wait until *requests* requests were acknowledged in all."""
        while self.acknowledged < requests:  # noqa: ASYNC110 - clients share no event
            await asyncio.sleep(0.01)

    async def _client_grpc(self, endpoint: str) -> None:
        # A client that waits for backoff of its own would sleep through the restart.
        options = [
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 200),
        ]
        async with grpc.aio.insecure_channel(endpoint, options=options) as channel:
            export = channel.unary_unary(EXPORT)
            while self._waiting:
                made = self._take()
                while True:
                    try:
                        await export(made.body, timeout=ATTEMPT_TIMEOUT_S)
                        break
                    except grpc.aio.AioRpcError as error:
                        await self._again(error.code().name in _PASSING, error)
                self._acknowledge(made)

    async def _client_http(self, endpoint: str) -> None:
        timeout = aiohttp.ClientTimeout(ATTEMPT_TIMEOUT_S)
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
        url = f"http://{endpoint}/v1/traces"
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            while self._waiting:
                made = self._take()
                body = gzip.compress(made.body, 1)
                while True:
                    try:
                        async with session.post(url, data=body) as response:
                            await response.read()
                            if response.status == 200:
                                break
                            await self._again(response.status in (429, 502, 503, 504), response)
                    except (aiohttp.ClientError, TimeoutError) as error:
                        await self._again(True, error)
                self._acknowledge(made)

    def _take(self) -> Made:
        made = self._waiting.popleft()
        self.ledger.sent(made.span_ids)
        return made

    def _acknowledge(self, made: Made) -> None:
        self.ledger.acknowledged(made.span_ids)
        self.acknowledged += 1

    async def _again(self, passing: bool, why: object) -> None:
        assert passing, f"refused for good: {why}"
        self.retries += 1
        await asyncio.sleep(RETRY_S)


_PASSING = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED"}


def partitions_by_trace(records: Sequence[object]) -> dict[bytes, set[int]]:
    """In which partitions the spans of each trace are."""
    from bridge.testing import span_ids

    found: dict[bytes, set[int]] = {}
    for record in records:
        for key in span_ids(record.value):  # type: ignore[attr-defined]  # a ConsumerRecord
            found.setdefault(key[:16], set()).add(record.partition)  # type: ignore[attr-defined]  # a ConsumerRecord
    return found
