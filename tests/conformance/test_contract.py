"""Our own components keep the contract that plugins are held to. A new one is one more line."""

import asyncio
import itertools
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp
import grpc
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bridge.core import (
    Exporter,
    ExporterFactory,
    ProcessorFactory,
    Receiver,
    Settings,
    Signal,
    Stage,
)
from bridge.exporters.otlp import FACTORY as OTLP_EXPORTER
from bridge.exporters.otlp_http import FACTORY as OTLP_HTTP_EXPORTER
from bridge.kafka.embedded import EmbeddedBroker
from bridge.processors.attributes import FACTORY as ATTRIBUTES
from bridge.processors.batch import FACTORY as BATCH
from bridge.processors.filter import FACTORY as FILTER
from bridge.processors.memory_limiter import FACTORY as MEMORY_LIMITER
from bridge.processors.probabilistic_sampler import FACTORY as PROBABILISTIC_SAMPLER
from bridge.processors.resource import FACTORY as RESOURCE
from bridge.processors.transform import FACTORY as TRANSFORM
from bridge.receivers.kafka import FACTORY as KAFKA_RECEIVER
from bridge.receivers.otlp import FACTORY as OTLP_RECEIVER
from bridge.testing import Made
from bridge.testing.backend import Backend
from bridge.testing.backend_book import INVALID, OK, UNAVAILABLE
from bridge.testing.conformance import (
    EXPORTER_CHECKS,
    PROCESSOR_CHECKS,
    RECEIVER_CHECKS,
    Check,
    ProcessorCase,
    Refusal,
)

pytestmark = pytest.mark.slow

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TIMEOUT_S = 20.0
POLL_S = 0.02


class OtlpReceiverCase:
    """The OTLP receiver, sent to by clients of other makes over one transport."""

    signal = Signal.TRACES
    keeps_refused = False

    def __init__(self, transport: str):
        self.transport = transport

    def create(self, settings: Settings, downstream: Mapping[Signal, Stage]) -> Receiver:
        """Both protocols on free ports."""
        protocols = {name: {"endpoint": "127.0.0.1:0"} for name in ("grpc", "http")}
        config = OTLP_RECEIVER.config.model_validate({"protocols": protocols})
        return OTLP_RECEIVER.create(config, settings, downstream)

    async def send(self, receiver: Any, made: Made) -> bool:
        """One request by a client of its own."""
        host, port = receiver.endpoints()[self.transport]
        if self.transport == "grpc":
            async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
                try:
                    await channel.unary_unary(EXPORT)(made.body, timeout=TIMEOUT_S)
                except grpc.aio.AioRpcError:
                    return False
                return True
        url = f"http://{host}:{port}/v1/{made.signal.value}"
        headers = {"Content-Type": "application/x-protobuf"}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT_S)) as session,
                session.post(url, data=made.body, headers=headers) as response,
            ):
                return response.status == 200
        except aiohttp.ClientError:
            return False


class KafkaReceiverCase:
    """The Kafka receiver on the embedded broker: a record is acknowledged by its commit."""

    signal = Signal.TRACES
    keeps_refused = True

    def __init__(self, broker: EmbeddedBroker, producer: AIOKafkaProducer):
        self.broker, self.producer = broker, producer
        self.topic = self.group = f"case-{uuid.uuid4().hex[:8]}"
        self.partitions = [TopicPartition(self.topic, number) for number in range(3)]
        self.turn = itertools.cycle(self.partitions)
        broker.create_topic(self.topic, len(self.partitions))

    def create(self, settings: Settings, downstream: Mapping[Signal, Stage]) -> Receiver:
        """A group of its own."""
        options = {
            "brokers": [self.broker.bootstrap],
            "group_id": self.group,
            "traces": {"topics": [self.topic]},
            # The kit waits for forty commits.
            "autocommit": {"interval": "50ms"},
            "error_backoff": {"initial_interval": "20ms", "max_interval": "100ms"},
        }
        config = KAFKA_RECEIVER.config.model_validate(options)
        return KAFKA_RECEIVER.create(config, settings, downstream)

    async def send(self, receiver: Receiver, made: Made) -> bool:
        """Write a record, and wait until the group committed it."""
        at = next(self.turn)
        record = await self.producer.send_and_wait(self.topic, made.body, partition=at.partition)
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker.bootstrap)
        await admin.start()
        try:
            for _ in range(round(TIMEOUT_S / POLL_S)):
                found = await admin.list_consumer_group_offsets(self.group, partitions=[at])
                if found[at].offset > record.offset:
                    return True
                await asyncio.sleep(POLL_S)
            return False
        finally:
            await admin.close()


class OtlpExporterCase:
    """An exporter towards the OTLP backend of the testing kit."""

    def __init__(self, factory: ExporterFactory[Any], signal: Signal, transport: str):
        self.factory, self.signal, self.transport = factory, signal, transport
        self.backend = Backend()
        self.ports: dict[str, int] = {}

    def create(self, settings: Settings) -> Exporter:
        """Retries fast, so that a backend that came is found within the kit's patience."""
        scheme = "http://" if self.transport == "http" else ""
        options = {
            "endpoint": f"{scheme}127.0.0.1:{self.ports[self.transport]}",
            "tls": {"insecure": True},
            "retry_on_failure": {"initial_interval": "50ms", "max_interval": "200ms"},
        }
        config = self.factory.config.model_validate(options)
        return self.factory.create(config, settings, frozenset({self.signal}))

    async def open(self) -> None:
        """Listen at the same ports each time."""
        await self.backend.start()

    async def close(self) -> None:
        """Stop listening."""
        await self.backend.stop()

    def refuse(self, how: Refusal | None) -> None:
        """With the status that OTLP has for it."""
        answers = {"retryable": UNAVAILABLE, "permanent": INVALID, None: OK}
        self.backend.book.otherwise = answers[how]

    def hold(self) -> None:
        """Do not answer."""
        self.backend.hold()

    def release(self) -> None:
        """Answer."""
        self.backend.release()

    async def received_items(self) -> int:
        """Of the one signal that is sent."""
        return self.backend.book.items[self.signal]

    async def prepare(self) -> None:
        """Choose the ports before the exporter is created."""
        async with Backend() as found:
            ports = [
                int(endpoint.rpartition(":")[2])
                for endpoint in (found.grpc_endpoint, found.http_endpoint)
            ]
        self.backend = Backend(*ports)
        self.ports = dict(zip(("grpc", "http"), ports, strict=True))


@pytest.mark.parametrize("transport", ["grpc", "http"])
@pytest.mark.parametrize("check", RECEIVER_CHECKS, ids=lambda check: check.__name__)
async def test_otlp_receiver_keeps_the_contract(check: Check, transport: str) -> None:
    """The OTLP receiver acknowledges, refuses and stops as every receiver must."""
    await check(OtlpReceiverCase(transport))


@pytest.mark.parametrize("check", RECEIVER_CHECKS, ids=lambda check: check.__name__)
async def test_kafka_receiver_keeps_the_contract(check: Check) -> None:
    """The Kafka receiver commits what was taken, keeps what was refused, and stops in order."""
    broker = EmbeddedBroker()
    producer = AIOKafkaProducer(bootstrap_servers=await broker.start())
    await producer.start()
    try:
        await check(KafkaReceiverCase(broker, producer))
    finally:
        await producer.stop()
        await broker.stop()


def configured(
    factory: ProcessorFactory[Any],
    config: Mapping[str, Any],
    signal: Signal = Signal.TRACES,
    *,
    keeps: bool = True,
) -> ProcessorCase:
    """A case of a processor with a config as a file has it."""
    return ProcessorCase(factory, factory.config.model_validate(config), signal, keeps)


PROCESSORS = {
    "batch": ProcessorCase(BATCH, BATCH.config()),
    "batch_capped": ProcessorCase(
        BATCH, BATCH.config(send_batch_size=2, send_batch_max_size=2), Signal.LOGS
    ),
    "memory_limiter": ProcessorCase(
        MEMORY_LIMITER,
        MEMORY_LIMITER.config.model_validate({"check_interval": "1s", "limit_mib": 4000}),
    ),
    # Nothing of what the kit sends is dropped, but every item is looked at.
    "filter_that_keeps": configured(
        FILTER, {"trace_conditions": ['IsMatch(span.name, "^never$") or span.kind == 77']}
    ),
    "filter_that_drops_some": configured(
        FILTER, {"trace_conditions": ['IsMatch(span.span_id.string, "[02468ace]$")']}, keeps=False
    ),
    "filter_that_drops_all": configured(
        FILTER, {"log_conditions": ["log.time_unix_nano >= 0"]}, Signal.LOGS, keeps=False
    ),
    "filter_of_points": configured(
        FILTER, {"metric_conditions": ["datapoint.flags == 77"]}, Signal.METRICS
    ),
    "transform_traces": configured(
        TRANSFORM,
        {
            "trace_statements": [
                'set(span.attributes["env"], "prod")',
                'replace_pattern(span.name, "[0-9]+", "?")',
                'set(resource.attributes["seen"], true)',
            ]
        },
    ),
    "transform_logs": configured(
        TRANSFORM, {"log_statements": ['set(log.attributes["size"], Len(log.body))']}, Signal.LOGS
    ),
    "transform_metrics": configured(
        TRANSFORM, {"metric_statements": ['set(datapoint.attributes["a"], 1)']}, Signal.METRICS
    ),
    # Every statement fails on every item: it is counted, and the item goes on.
    "transform_that_fails": configured(
        TRANSFORM, {"trace_statements": ['set(span.attributes["a"], Int("x") + 1)']}
    ),
    "attributes": configured(
        ATTRIBUTES, {"actions": [{"key": "env", "value": "prod", "action": "upsert"}]}
    ),
    "resource": configured(
        RESOURCE,
        {"attributes": [{"key": "env", "value": "prod", "action": "upsert"}]},
        Signal.METRICS,
    ),
    "probabilistic_sampler_all": configured(PROBABILISTIC_SAMPLER, {"sampling_percentage": 100}),
    "probabilistic_sampler_half": configured(
        PROBABILISTIC_SAMPLER, {"sampling_percentage": 50, "mode": "proportional"}, keeps=False
    ),
    "probabilistic_sampler_logs": configured(
        PROBABILISTIC_SAMPLER, {"sampling_percentage": 50}, Signal.LOGS, keeps=False
    ),
}


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("check", PROCESSOR_CHECKS, ids=lambda check: check.__name__)
async def test_processor_keeps_the_contract(check: Check, name: str) -> None:
    """Each processor hands custody on as every processor must."""
    await check(PROCESSORS[name])


@pytest.mark.parametrize(
    ("factory", "transport"), [(OTLP_EXPORTER, "grpc"), (OTLP_HTTP_EXPORTER, "http")]
)
@pytest.mark.parametrize("check", EXPORTER_CHECKS, ids=lambda check: check.__name__)
async def test_exporter_keeps_the_contract(
    check: Check, factory: ExporterFactory[Any], transport: str
) -> None:
    """Each exporter acknowledges what its backend took as every exporter must."""
    case = OtlpExporterCase(factory, Signal.TRACES, transport)
    await case.prepare()
    await check(case)
