"""
Who knows the truth: the span ids of a scenario and what became of each.

A span is known by 24 bytes, trace id and span id. Besides the ledger's classes the oracle keeps a
digest of every span as it was sent, with its resource and scope, so that a change of one byte on
the way is seen; and when each span was first delivered, so that commits can be judged in time.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Signal
from bridge.testing import Ledger, Made
from bridge.testing.backend import Backend
from bridge.testing.backend_book import Answer, Book, Received

DIGEST_BYTES = 16


def digests(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Id and digest of every span in a request, as the official classes read it."""
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        outer = resource.resource.SerializeToString(deterministic=True)
        for scope in resource.scope_spans:
            middle = scope.scope.SerializeToString(deterministic=True)
            for span in scope.spans:
                inner = span.SerializeToString(deterministic=True)
                text = b"\0".join((outer, middle, inner))
                digest = hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()
                yield span.trace_id + span.span_id, digest


@dataclass
class Oracle:
    """The books of one scenario."""

    ledger: Ledger = field(default_factory=Ledger)
    acknowledged: set[bytes] = field(default_factory=set)
    refused: set[bytes] = field(default_factory=set)
    delivered_at: dict[bytes, float] = field(default_factory=dict)
    deliveries: Counter[bytes] = field(default_factory=Counter)
    dead_lettered_at: dict[bytes, float] = field(default_factory=dict)
    settled_otherwise: set[bytes] = field(default_factory=set)
    by_rule: set[bytes] = field(default_factory=set)
    altered: set[bytes] = field(default_factory=set)
    resent: Counter[bytes] = field(default_factory=Counter)
    unanswered_by_backend: Counter[bytes] = field(default_factory=Counter)
    _digests: dict[bytes, bytes] = field(default_factory=dict)

    def mint(self, made: Made) -> Made:
        """Note *made* before it goes out for the first time."""
        self._digests.update(digests(made.body))
        self.ledger.sent(made.span_ids)
        return made

    def acknowledge(self, made: Made) -> None:
        """The bridge answered OK."""
        self.ledger.acknowledged(made.span_ids)
        self.acknowledged.update(made.span_ids)

    def acknowledge_ids(self, ids: Iterable[bytes]) -> None:
        """The same for a part of a request, when some of it was rejected."""
        ids = list(ids)
        self.ledger.acknowledged(ids)
        self.acknowledged.update(ids)

    def refuse(self, made: Made) -> None:
        """The bridge refused it for good."""
        self.refused.update(made.span_ids)

    def resend(self, made: Made) -> None:
        """An attempt ended without OK: what it wrote, if anything, may come twice."""
        self.resent.update(made.span_ids)

    def deliver(self, body: bytes) -> None:
        """The backend took a request."""
        now = time.time()
        ids = []
        for key, digest in digests(body):
            ids.append(key)
            self.delivered_at.setdefault(key, now)
            if self._digests.get(key) not in (digest, None):
                self.altered.add(key)
        self.deliveries.update(ids)
        self.ledger.delivered(ids)

    def dead_letter(self, ids: Iterable[bytes], at: float) -> None:
        """*ids* are in the dead letter topic since *at*, seconds since the epoch."""
        ids = list(ids)
        self.ledger.dead_lettered(ids)
        for key in ids:
            self.dead_lettered_at.setdefault(key, at)

    def drop(self, ids: Iterable[bytes]) -> None:
        """A named rule of the configuration says that *ids* are dropped."""
        ids = list(ids)
        self.by_rule.update(ids)
        self.ledger.dropped(ids)
        self.settled_otherwise.update(ids)

    def reject(self, ids: Iterable[bytes]) -> None:
        """The backend said in a partial success that it does not want *ids*."""
        ids = list(ids)
        self.ledger.rejected(ids)
        self.settled_otherwise.update(ids)

    def resolved_at(self, key: bytes) -> float:
        """When *key* was safe at its end: seconds since the epoch; infinity if it is not."""
        if key in self.settled_otherwise:
            return 0.0
        never = float("inf")
        return min(self.delivered_at.get(key, never), self.dead_lettered_at.get(key, never))

    @property
    def missing(self) -> frozenset[Any]:
        """Acknowledged and not yet accounted for."""
        return self.ledger.balance().missing


class _Book(Book):
    """Gives what the backend takes to the oracle, and keeps no bodies."""

    __slots__ = ("oracle",)

    oracle: Oracle

    def take(self, received: Received, ids: Iterable[bytes]) -> None:
        self.requests[received.transport] += 1
        if received.signal is Signal.TRACES:
            self.oracle.deliver(received.body)
        else:
            self.items[received.signal] += received.items


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request at the backend: when it came (seconds, monotonic) and what it was told."""

    at: float
    answer: Answer
    ids: frozenset[bytes]


class OracleBackend(Backend):
    """
    The OTLP backend of the testing kit, in this process, with the oracle looking on.

    `refuse_ids` are spans that make it answer INVALID_ARGUMENT / 400, alone or in company.
    """

    def __init__(self, oracle: Oracle, grpc_port: int = 0, http_port: int = 0) -> None:
        super().__init__(grpc_port, http_port)
        self.book = _Book()
        self.book.oracle = oracle
        self._oracle = oracle
        self.attempts: list[Attempt] = []
        self.refuse_ids: set[bytes] = set()

    def tell(self, **answer: Any) -> None:
        """Answer everything like this from now on; without arguments, OK."""
        self.book.otherwise = Answer(**answer)

    async def _receive(
        self, signal: Signal, body: bytes, transport: str, metadata: dict[str, str]
    ) -> tuple[Answer, int]:
        ids = _ids(body) if signal is Signal.TRACES else frozenset()
        if self.refuse_ids & ids:
            answer = Answer(3, 400, "not wanted")
            self.attempts.append(Attempt(time.monotonic(), answer, ids))
            return answer, len(ids)
        came = time.monotonic()
        answer, items = await super()._receive(signal, body, transport, metadata)
        self.attempts.append(Attempt(came, answer, ids))
        if answer.rejected_items:
            self._oracle.reject(ids)
        return answer, items


def _ids(body: bytes) -> frozenset[bytes]:
    try:
        return frozenset(key for key, _ in digests(body))
    except DecodeError:
        return frozenset()  # The backend itself refuses it.
