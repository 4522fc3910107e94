"""Input that nobody should send, through a sampler on a real Kafka: bounded and counted."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaProducer

from bridge.testing.backend import Backend
from tests.bridge_process import BridgeProcess, scrape, total
from tests.integration.test_sampling_rules import until_committed
from tests.kafka_client import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

RSS_MIB_MAX = 300
"""64 for traces, 30 for decisions, 8 for the window, and what Python takes; 212 in the burst."""

CONFIG = """
receivers:
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    autocommit: {{interval: 200ms}}
    traces: {{topics: ["{topic}"]}}
processors:
  tail_sampling:
    decision_wait: {wait}
    memory_limit_mib: 64
    policies:
      - {{name: errors, type: status_code, status_code: {{status_codes: [ERROR]}}}}
exporters:
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces: {{receivers: [kafka], processors: [tail_sampling], exporters: [otlp]}}
"""


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(tag: int, content: bytes) -> bytes:
    """A field of bytes, such as a message."""
    return bytes((tag,)) + varint(len(content)) + content


def span(trace: bytes, number: int, *, failed: bool = False, start: int = 0, end: int = 0) -> bytes:
    """One framed span, put together by hand: a million of them are needed."""
    made = field(0x0A, trace) + field(0x12, number.to_bytes(8, "big"))
    made += b"\x39" + start.to_bytes(8, "little") + b"\x41" + end.to_bytes(8, "little")
    return field(0x12, made + (b"\x7a\x02\x18\x02" if failed else b""))


def request(spans: Iterator[bytes]) -> bytes:
    """One resource with one scope."""
    return field(0x0A, field(0x12, b"".join(spans)))


def trace(number: int) -> bytes:
    return number.to_bytes(16, "big")


def now_ns() -> int:
    return int(time.time() * 1e9)


def burst() -> Iterator[bytes]:
    """A million traces of one span each."""
    at = now_ns()
    for record in range(100):
        first = record * 10_000 + 1
        yield request(
            span(trace(number), number, start=at, end=at) for number in range(first, first + 10_000)
        )


def giant() -> Iterator[bytes]:
    """One trace of 200,000 spans."""
    at = now_ns()
    for record in range(40):
        first = record * 5_000 + 1
        yield request(span(trace(1), n, start=at, end=at) for n in range(first, first + 5_000))


def interleaved() -> Iterator[bytes]:
    """Records in which the spans of 10,000 traces take turns; every trace has an error."""
    at = now_ns()
    for _ in range(2):
        yield request(
            span(trace(number), turn, failed=True, start=at, end=at)
            for turn in (1, 2)
            for number in range(1, 10_001)
        )


def odd() -> Iterator[bytes]:
    """Without a trace id, with equal span ids, ending before they start, of another century."""
    at = now_ns()
    yield request(
        iter(
            [
                span(b"", 1, failed=True, start=at, end=at),
                span(bytes(16), 2, failed=True, start=at, end=at),
                span(trace(1), 3, failed=True, start=at, end=at),
                span(trace(1), 3, failed=True, start=at, end=at),
                span(trace(2), 4, failed=True, start=at, end=at - 5),
                span(trace(3), 5, failed=True, start=5, end=7),
                span(trace(4), 6, failed=True, start=at * 3, end=at * 3),
            ]
        )
    )


_OURS = "bridge_processor_tail_sampling_"

CASES = {
    "burst": (burst, "1h", 0, {'early_decisions{cause="memory"': 500_000}),
    "giant": (giant, "1h", 0, {'early_decisions{cause="trace_size"': 1}),
    "interleaved": (interleaved, "1s", 20_000, {"interleaved_ranges{": 20_000}),
    "odd": (
        odd,
        "1s",
        6,
        {
            "spans_without_trace_id{": 2,
            'odd_spans{oddity="equal_span_id"': 1,
            'odd_spans{oddity="ends_before_start"': 1,
            'odd_spans{oddity="time"': 2,
        },
    ),
}


@pytest.mark.parametrize("case", list(CASES))
async def test_sampler_takes_bad_input(kafka: Kafka, tmp_path: Path, case: str) -> None:
    """Memory stays bounded, the partition goes on to its end, and a counter names it."""
    records, wait, delivered, counted = CASES[case]
    topic, group = await kafka.create_topic(partitions=1), kafka.unique("group")
    sent = 0
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, acks="all", max_request_size=1 << 20
    ) as producer:
        for body in records():
            await producer.send_and_wait(topic, body, partition=0)
            sent += 1
    async with Backend() as backend:
        config = CONFIG.format(
            kafka=kafka.bootstrap,
            group=group,
            topic=topic,
            backend=backend.grpc_endpoint,
            wait=wait,
        )
        bridge = BridgeProcess(config, tmp_path)
        await bridge.start()
        try:
            figures = await _settled(kafka, group, topic, sent, bridge, waits=wait != "1h")
        finally:
            bridge.send_signal(signal.SIGKILL)
            await bridge.wait()

        assert len(backend.book.span_ids) == delivered
    for name, least in counted.items():
        found = sum(
            value
            for series, value in figures.items()
            if series.startswith(_OURS + name.partition("{")[0])
            and name.partition("{")[2] in series
        )
        assert found >= least, (name, found)


async def _settled(
    kafka: Kafka, group: str, topic: str, sent: int, bridge: BridgeProcess, *, waits: bool
) -> dict[str, float]:
    """The figures once all is read, and finished if it is decided in time; memory in bounds."""
    assert bridge.process is not None
    process, most = psutil.Process(bridge.process.pid), 0.0
    address = bridge.endpoints["metrics"]
    read = "otelcol_kafka_receiver_records"
    async with asyncio.timeout(120.0):
        while total(await scrape(address), read) < sent:
            most = max(most, process.memory_info().rss / 2**20)
            await asyncio.sleep(0.1)
    if waits:
        await until_committed(kafka, group, topic, sent)
    most = max(most, process.memory_info().rss / 2**20)
    print(f"{most:.0f} MiB at most")
    assert most < RSS_MIB_MAX
    return await scrape(address)
