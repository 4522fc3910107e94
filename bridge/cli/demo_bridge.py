"""The running pieces of the demo: broker, backend and bridge in one loop, and the counting."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.core import Deadline, Signal, SystemClock

if TYPE_CHECKING:
    from bridge.config import LoadedConfig
    from bridge.kafka.embedded import EmbeddedBroker, StoredRecord
    from bridge.testing.backend import Backend
    from bridge.testing.backend_book import Book
    from bridge.testing.sdk_traffic import Account

PARTITIONS = 12
TOPICS = {"otlp_spans": PARTITIONS, "otlp_metrics": PARTITIONS, "otlp_logs": PARTITIONS}
PORTS = {"grpc": 4317, "http": 4318}
"""OTLP's own ports, which `keep` takes when they are free."""

ARRIVE_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
_POLL_S = 0.05

CONFIG = """\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
  kafka:
    brokers: ["{broker}"]
    group_id: demo
exporters:
  kafka:
    brokers: ["{broker}"]
  otlp:
    endpoint: "{backend}"
    tls: {{insecure: true}}
service:
  telemetry:
    metrics: {{level: none}}
  pipelines:
    traces/ingest: {{receivers: [otlp], exporters: [kafka]}}
    traces/process: {{receivers: [kafka], exporters: [otlp]}}
    metrics/ingest: {{receivers: [otlp], exporters: [kafka]}}
    metrics/process: {{receivers: [kafka], exporters: [otlp]}}
    logs/ingest: {{receivers: [otlp], exporters: [kafka]}}
    logs/process: {{receivers: [kafka], exporters: [otlp]}}
"""


@dataclass(frozen=True, slots=True)
class Running:
    """The demo while it runs."""

    broker: "EmbeddedBroker"
    backend: "Backend"
    endpoints: Mapping[str, str]
    """Where the bridge takes OTLP: ``grpc`` and ``http`` to ``host:port``."""
    config: str
    """The file that it runs from."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was sent, what Kafka held, and what came out."""

    requests_grpc: int
    requests_http: int
    traces: int
    spans_sent: int
    spans_accepted: int
    records: int
    partitions: int
    traces_split: int
    spans_out: int
    spans_missing: int
    spans_duplicate: int
    log_records_accepted: int
    log_records_out: int
    metric_points_accepted: int
    metric_points_out: int

    @property
    def ok(self) -> bool:
        """Whether all that was sent came out, and no trace was split."""
        return (
            self.spans_missing == 0
            and self.traces_split == 0
            and self.spans_accepted == self.spans_sent > 0
            and self.log_records_out >= self.log_records_accepted > 0
            and self.metric_points_out >= self.metric_points_accepted > 0
        )


@asynccontextmanager
async def running(ports: Mapping[str, int]) -> AsyncIterator[Running]:
    """
    Start broker, backend and bridge, and stop them in the order in which data flows.

    Args:
        ports:
            Of ``grpc`` and ``http``; 0 takes a free one.

    Raises:
        ConfigError, RuntimeError: If an extra is not installed or a port is taken.
    """
    from bridge.config import LogSettings
    from bridge.kafka.embedded import EmbeddedBroker
    from bridge.service import Service
    from bridge.telemetry import configure_logging
    from bridge.testing.backend import Backend

    # Before the first line is logged: the broker has something to say.
    configure_logging(LogSettings(level="warn"))
    broker = EmbeddedBroker(TOPICS)
    try:
        async with Backend() as backend:
            text = CONFIG.format(
                broker=await broker.start(), backend=backend.grpc_endpoint, **ports
            )
            service = Service(_load(text))
            await service.start()
            try:
                found = service.endpoints()
                yield Running(
                    broker,
                    backend,
                    {name: found[f"receivers/otlp/{name}"] for name in PORTS},
                    text,
                )
            finally:
                await service.stop(Deadline.after(STOP_TIMEOUT_S, SystemClock()))
    finally:
        await broker.stop()


async def send(demo: Running, traces: int) -> Tally:
    """Send *traces* traces through the bridge, wait until they came out, and count."""
    from bridge.testing.sdk_traffic import send_shop_traffic

    # The SDK exports on threads of its own and blocks its caller, as in an application.
    account = await asyncio.to_thread(send_shop_traffic, demo.endpoints, traces)
    await _wait_arrived(account, demo.backend.book)
    return count(account, await demo.broker.records("otlp_spans"), demo.backend.book)


def count(account: "Account", records: "Iterable[StoredRecord]", book: "Book") -> Tally:
    """Compare what was sent with what Kafka holds and what the backend has."""
    from bridge.testing import span_ids

    records = list(records)
    places: dict[bytes, set[int]] = {}
    for record in records:
        for key in span_ids(record.value or b""):
            places.setdefault(key[:16], set()).add(record.partition)
    return Tally(
        requests_grpc=account.requests["grpc"],
        requests_http=account.requests["http"],
        traces=len({key[:16] for key in account.sent_spans}),
        spans_sent=len(account.sent_spans),
        spans_accepted=len(account.accepted_spans),
        records=len(records),
        partitions=len({record.partition for record in records}),
        traces_split=sum(1 for found in places.values() if len(found) > 1),
        spans_out=len(book.span_ids),
        spans_missing=len(account.accepted_spans - book.span_ids.keys()),
        spans_duplicate=book.duplicates,
        log_records_accepted=account.accepted["logs"],
        log_records_out=book.items[Signal.LOGS],
        metric_points_accepted=account.accepted["metrics"],
        metric_points_out=book.items[Signal.METRICS],
    )


def free_ports() -> dict[str, int]:
    """OTLP's ports where they are free, and 0 where they are not."""
    return {name: port if _is_free(port) else 0 for name, port in PORTS.items()}


def _load(text: str) -> "LoadedConfig":
    """Read the config as `otlp-bridge run` does; no file, since there may be no place for one."""
    from bridge.config import load
    from bridge.service import Registry

    return load([f"yaml:{text}"], [], Registry(), os.environ)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _wait_arrived(account: "Account", book: "Book") -> None:
    """Wait until the backend has what was accepted; what does not come in time is missing."""
    for _ in range(round(ARRIVE_TIMEOUT_S / _POLL_S)):
        if (
            account.accepted_spans <= book.span_ids.keys()
            and book.items[Signal.LOGS] >= account.accepted["logs"]
            and book.items[Signal.METRICS] >= account.accepted["metrics"]
        ):
            return
        await asyncio.sleep(_POLL_S)
