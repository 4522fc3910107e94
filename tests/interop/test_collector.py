"""Topics shared with an OpenTelemetry Collector 0.155.0, written and read by either."""

from pathlib import Path

import pytest

from bridge.testing import Order
from tests.bridge_process import running_backend, running_bridge
from tests.interop.collector_process import free_port, running_collector
from tests.kafka_client import Kafka
from tests.load_clients import Load, partitions_by_trace, split_traces

pytestmark = pytest.mark.timeout(180)

TRACES = 2_000
SPANS = TRACES * 5

COLLECTOR_INGEST = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
exporters:
  kafka:
    brokers: ["{kafka}"]
    traces: {{topic: "{topic}", encoding: {encoding}}}
    partition_traces_by_id: {keyed}
    producer: {{required_acks: -1}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [kafka]}}
"""

COLLECTOR_PROCESS = """
receivers:
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    initial_offset: earliest
    traces: {{topics: ["{topic}"], encoding: {encoding}}}
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}}}}}
processors:
  batch: {{}}
exporters:
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces: {{receivers: [kafka, otlp], processors: [batch], exporters: [otlp]}}
"""

BRIDGE_INGEST = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:0"}}
      http: {{endpoint: "127.0.0.1:0"}}
exporters:
  kafka:
    brokers: ["{kafka}"]
    traces: {{topic: "{topic}", encoding: {encoding}}}
    producer: {{packing: {packing}, compression: zstd}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [kafka]}}
"""

BRIDGE_PROCESS = """
receivers:
  kafka:
    brokers: ["{kafka}"]
    group_id: "{group}"
    traces: {{topics: ["{topic}"], encoding: {encoding}}}
exporters:
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:0"}}}}
  pipelines:
    traces: {{receivers: [kafka], exporters: [otlp]}}
"""


@pytest.mark.parametrize("keyed", ["true", "false"])
@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
async def test_bridge_reads_what_a_collector_wrote(
    kafka: Kafka, tmp_path: Path, encoding: str, keyed: str
) -> None:
    """One record a trace or one a request, protobuf or JSON: every span arrives once."""
    topic = await kafka.create_topic(partitions=6)
    grpc, http = free_port(), free_port()
    written = COLLECTOR_INGEST.format(
        kafka=kafka.bootstrap, topic=topic, grpc=grpc, http=http, keyed=keyed, encoding=encoding
    )
    load = Load()
    async with running_collector(written, tmp_path, grpc):
        requests = split_traces(TRACES, Order.SDK)
        await load.send(requests, f"127.0.0.1:{grpc}", f"127.0.0.1:{http}")
    async with running_backend() as backend:
        read = BRIDGE_PROCESS.format(
            kafka=kafka.bootstrap,
            topic=topic,
            group=kafka.unique("group"),
            backend=backend.grpc,
            encoding=encoding,
        )
        async with running_bridge(read, tmp_path) as bridge:
            await backend.wait_spans(SPANS)
            load.ledger.delivered(await backend.span_ids())
            assert await bridge.stop() == 0

    balance = load.ledger.balance()
    assert (balance.acknowledged, balance.delivered, balance.duplicates) == (SPANS, SPANS, 0)


@pytest.mark.parametrize("packing", ["partition", "trace"])
@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
async def test_collector_reads_what_the_bridge_wrote(
    kafka: Kafka, tmp_path: Path, encoding: str, packing: str
) -> None:
    """A stock kafkareceiver reads packed records and those of the Collector's layout alike."""
    topic = await kafka.create_topic(partitions=6)
    load = Load()
    written = BRIDGE_INGEST.format(
        kafka=kafka.bootstrap, topic=topic, packing=packing, encoding=encoding
    )
    async with running_bridge(written, tmp_path) as bridge:
        found = bridge.endpoints
        requests = split_traces(TRACES, Order.COLLECTOR)
        await load.send(requests, found["receivers/otlp/grpc"], found["receivers/otlp/http"])
        assert await bridge.stop() == 0
    async with running_backend() as backend:
        grpc = free_port()
        read = COLLECTOR_PROCESS.format(
            kafka=kafka.bootstrap,
            topic=topic,
            group=kafka.unique("group"),
            backend=backend.grpc,
            encoding=encoding,
            grpc=grpc,
        )
        async with running_collector(read, tmp_path, grpc):
            await backend.wait_spans(SPANS)
            load.ledger.delivered(await backend.span_ids())

    balance = load.ledger.balance()
    assert (balance.acknowledged, balance.delivered, balance.duplicates) == (SPANS, SPANS, 0)


@pytest.mark.parametrize("packing", ["partition", "trace"])
async def test_traces_sent_half_to_each_meet_in_one_partition(
    kafka: Kafka, tmp_path: Path, packing: str
) -> None:
    """A fleet that is half migrated does not split traces: keys and hashes are the same."""
    topic = await kafka.create_topic(partitions=12)
    grpc, http = free_port(), free_port()
    theirs = COLLECTOR_INGEST.format(
        kafka=kafka.bootstrap,
        topic=topic,
        grpc=grpc,
        http=http,
        keyed="true",
        encoding="otlp_proto",
    )
    ours = BRIDGE_INGEST.format(
        kafka=kafka.bootstrap, topic=topic, packing=packing, encoding="otlp_proto"
    )
    requests = split_traces(TRACES, Order.SDK)
    middle = len(requests) // 2
    load = Load()
    async with (
        running_collector(theirs, tmp_path, grpc),
        running_bridge(ours, tmp_path) as bridge,
    ):
        await load.send(requests[:middle], f"127.0.0.1:{grpc}", f"127.0.0.1:{http}")
        found = bridge.endpoints
        await load.send(
            requests[middle:], found["receivers/otlp/grpc"], found["receivers/otlp/http"]
        )
        assert await bridge.stop() == 0
    places = partitions_by_trace(await kafka.read_all(topic))

    assert load.ledger.balance().acknowledged == SPANS
    assert len(places) == TRACES
    assert {len(partitions) for partitions in places.values()} == {1}
