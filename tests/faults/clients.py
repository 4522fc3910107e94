"""OTLP clients that keep to the specification: retry what may be retried, after the hint."""

import asyncio
import gzip
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import grpc
from google.rpc import error_details_pb2, status_pb2

from bridge.testing import Made, Order, trace_request
from tests.faults.oracle import Oracle
from tests.load_clients import EXPORT

ATTEMPT_TIMEOUT_S = 10.0
BACKOFF_S = 0.2
HINT_MAX_S = 3.0
"""Seconds that a hint may make a client of a scenario wait; scenarios are short."""

LET_GO_TIMEOUT_S = 60.0
"""Seconds for which a stopping client still tries to get rid of what it has."""

RETRYABLE = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
RETRYABLE_HTTP = frozenset({429, 502, 503, 504})
_BROKEN = ("connect", "Socket closed", "reset", "recvmsg", "GOAWAY", "Broken pipe", "Stream", "RST")
"""What gRPC says in the details when it was no server that said UNAVAILABLE."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an attempt was told: OK, a passing or lasting refusal, or nothing at all."""

    word: str
    ok: bool = False
    lasting: bool = False
    answered: bool = True
    hint_s: float | None = None
    rejected: int = 0
    message: str = ""


@dataclass
class Shape:
    """What requests look like."""

    traces: int = 3
    spans_per_trace: int = 4
    padding_bytes: int = 0
    attribute_count: int = 3
    service: str = "checkout"


@dataclass
class Clients:
    """
    A fleet that sends until it is stopped, each request until it is acknowledged.

    Args:
        endpoints: Gives the gRPC and the HTTP endpoint, asked for at each connection.
        pause_s: Seconds between two requests of one client.
    """

    oracle: Oracle
    endpoints: Callable[[], tuple[str, str]]
    seed: int
    grpc_clients: int = 2
    http_clients: int = 2
    pause_s: float = 0.02
    attempt_timeout_s: float = ATTEMPT_TIMEOUT_S
    shape: Shape = field(default_factory=Shape)
    statuses: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    answers_s_max: float = 0.0
    refusals: int = 0
    refusals_without_hint: int = 0
    acknowledged_requests: int = 0
    lasting: list[str] = field(default_factory=list)
    gave_up: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._stop = asyncio.Event()
        self._drop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._lent: aiohttp.ClientSession | None = None
        self.last_acknowledged_at = time.monotonic()
        self.longest_stall_s = 0.0

    def start(self) -> None:
        """Begin to send."""
        self.last_acknowledged_at = time.monotonic()
        for _ in range(self.grpc_clients):
            self._tasks.append(asyncio.create_task(self._run_grpc()))
        for _ in range(self.http_clients):
            self._tasks.append(asyncio.create_task(self._run_http()))

    async def stop(self, let_go_s: float = LET_GO_TIMEOUT_S) -> None:
        """Send nothing new; deliver what is in hand, for *let_go_s* seconds."""
        self._stop.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=let_go_s)
            self._drop.set()
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        failed = [t.exception() for t in self._tasks if not t.cancelled() and t.exception()]
        self._tasks.clear()
        if failed:
            raise failed[0]  # type: ignore[misc]  # filtered above

    async def wait_acknowledged(self, more: int, timeout_s: float = 60.0) -> None:
        """Wait until *more* further requests are acknowledged."""
        wanted = self.acknowledged_requests + more
        async with asyncio.timeout(timeout_s):
            while self.acknowledged_requests < wanted:  # noqa: ASYNC110 - clients share no event
                await asyncio.sleep(0.01)

    async def send_one(self, made: Made | None = None, timeout_s: float = 60.0) -> Made:
        """Send one request until it is acknowledged."""
        made = self.oracle.mint(made) if made is not None else self.make()
        self._drop.clear()
        async with asyncio.timeout(timeout_s), self._channel() as channel:
            await self._until_taken(made, lambda m: self._attempt_grpc(channel, m.body))
        return made

    async def try_grpc(self, made: Made, timeout_s: float | None = None) -> Told:
        """One attempt, without retries; the oracle hears of it."""
        async with self._channel() as channel:
            told = await self._attempt_grpc(channel, made.body, timeout_s)
        self._hear(made, told)
        return told

    async def try_http(self, made: Made) -> Told:
        """The same over HTTP."""
        async with aiohttp.ClientSession() as session:
            told = await self._attempt_http(session, made.body)
        self._hear(made, told)
        return told

    def make(self) -> Made:
        """A fresh request in either field order, noted by the oracle."""
        shape = self.shape
        made = trace_request(
            shape.traces,
            shape.spans_per_trace,
            order=self._dice.choice(list(Order)),
            seed=self._dice.getrandbits(62),
            service=shape.service,
            attribute_count=shape.attribute_count,
            padding_bytes=shape.padding_bytes,
        )
        return self.oracle.mint(made)

    async def _run_grpc(self) -> None:
        async with self._channel() as channel:
            while not self._stop.is_set():
                await self._until_taken(
                    self.make(), lambda made: self._attempt_grpc(channel, made.body)
                )
                await asyncio.sleep(self.pause_s)

    async def _run_http(self) -> None:
        async with aiohttp.ClientSession() as session:
            while not self._stop.is_set():
                await self._until_taken(
                    self.make(), lambda made: self._attempt_http(session, made.body)
                )
                await asyncio.sleep(self.pause_s)

    async def _until_taken(self, made: Made, attempt: object) -> None:
        while not self._drop.is_set():
            told: Told = await attempt(made)  # type: ignore[operator]  # a coroutine function
            if self._hear(made, told):
                return
            await asyncio.sleep(min(told.hint_s or BACKOFF_S, HINT_MAX_S) * self._spread())
        self.gave_up += 1

    def _spread(self) -> float:
        return 1.0 + 0.3 * self._dice.random()

    def _hear(self, made: Made, told: Told) -> bool:
        """Note an outcome; whether it is final."""
        self.statuses[told.word] += 1
        if told.ok:
            self._acknowledged(made, told)
            return True
        if told.lasting:
            self.lasting.append(f"{told.word}: {told.message}")
            self.oracle.refuse(made)
            return True
        self.oracle.resend(made)
        if told.answered:
            self.refusals += 1
            self.refusals_without_hint += told.hint_s is None
        return False

    def _acknowledged(self, made: Made, told: Told) -> None:
        now = time.monotonic()
        self.longest_stall_s = max(self.longest_stall_s, now - self.last_acknowledged_at)
        self.last_acknowledged_at = now
        self.acknowledged_requests += 1
        if not told.rejected:
            self.oracle.acknowledge(made)
        elif told.rejected == len(made.span_ids):
            self.oracle.refuse(made)

    def _channel(self) -> grpc.aio.Channel:
        # A client that waits for backoff of its own would sleep through the healing.
        options = [
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        return grpc.aio.insecure_channel(self.endpoints()[0], options=options)

    async def _attempt_grpc(
        self, channel: grpc.aio.Channel, body: bytes, timeout_s: float | None = None
    ) -> Told:
        began = time.monotonic()
        call = channel.unary_unary(EXPORT)(body, timeout=timeout_s or self.attempt_timeout_s)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            word = error.code().name
            text = error.details() or ""
            answered = word not in ("DEADLINE_EXCEEDED", "CANCELLED") and not (
                word == "UNAVAILABLE" and any(mark in text for mark in _BROKEN)
            )
            hint_s = _retry_info_s(error)
            if answered:
                self._took(began)
            lasting = word not in RETRYABLE and not (word == "RESOURCE_EXHAUSTED" and hint_s)
            return Told(word, False, lasting, answered, hint_s, message=text)
        self._took(began, ok=True)
        rejected, message = _partial(answer)
        return Told("OK", ok=True, rejected=rejected, message=message)

    async def _attempt_http(self, session: aiohttp.ClientSession, body: bytes) -> Told:
        began = time.monotonic()
        url = f"http://{self.endpoints()[1]}/v1/traces"
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
        try:
            async with (
                asyncio.timeout(self.attempt_timeout_s),
                session.post(url, data=gzip.compress(body, 1), headers=headers) as response,
            ):
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Told(type(error).__name__, answered=False, message=str(error))
        self._took(began, ok=response.status == 200)
        if response.status == 200:
            rejected, message = _partial(answer)
            return Told("200", ok=True, rejected=rejected, message=message)
        after = response.headers.get("Retry-After")
        lasting = response.status not in RETRYABLE_HTTP
        hint_s = float(after) if after else None
        return Told(str(response.status), False, lasting, True, hint_s, message=str(answer[:300]))

    def _took(self, began: float, ok: bool = False) -> None:
        seconds = time.monotonic() - began
        self.answers_s_max = max(self.answers_s_max, seconds)
        if ok:
            self.latencies_s.append(seconds)


def _retry_info_s(error: grpc.aio.AioRpcError) -> float | None:
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if not details:
        return None
    for entry in status_pb2.Status.FromString(details).details:
        info = error_details_pb2.RetryInfo()
        if entry.Unpack(info):
            return info.retry_delay.seconds + info.retry_delay.nanos / 1e9
    return None


def _partial(answer: bytes) -> tuple[int, str]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceResponse,
    )

    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    return partial.rejected_spans, partial.error_message
