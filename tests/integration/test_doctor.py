"""``otlp-bridge doctor`` on a real broker: each planted mistake is named, with what mends it."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.cli.app import dispatch
from bridge.kafka import partition_of
from bridge.testing import trace_request
from tests.bridge_process import running_backend
from tests.certificates import authority, keystore
from tests.kafka_client import Kafka
from tests.kafka_server import KafkaServer, User, free_port

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(170),
    pytest.mark.usefixtures("sockets_left_open"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SECRET = "canary-31f7"
PARTITIONS = 4
Mapping = dict[str, Any]


@dataclass
class Site:
    """The broker, files, and a configuration that is right until a mistake is planted."""

    kafka: Kafka
    folder: Path
    backend: str
    topic: str = ""
    group: str = ""
    config: Mapping = field(default_factory=dict)

    def use(self, listener: str, user: str = "", **changes: Any) -> None:
        """Go to another listener, as *user* if one is named."""
        client: Mapping = {"brokers": [self.kafka.server.bootstrap_of(listener)]}
        if user:
            login = {"mechanism": "PLAIN", "username": user, "password": SECRET}
            client["auth"] = {"sasl": login}
        for part in (self.receiver, self.exporter):
            part.update({**client, **changes})

    @property
    def receiver(self) -> Mapping:
        """The Kafka receiver's section."""
        section: Mapping = self.config["receivers"]["kafka"]
        return section

    @property
    def exporter(self) -> Mapping:
        """The Kafka exporter's section."""
        section: Mapping = self.config["exporters"]["kafka"]
        return section


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker with every kind of listener, whose ACLs let only anonymous clients do anything."""
    server = KafkaServer(
        listeners=("SSL", "SASL_SSL", "SASL_PLAINTEXT"),
        users=(User("nobody", SECRET), User("reader", SECRET)),
        tls=keystore(tmp_path_factory.mktemp("tls")),
        properties={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        },
    )
    with server:
        yield Kafka(server)


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    """Address of an OTLP backend in a process of its own."""
    loop = asyncio.new_event_loop()
    context = running_backend()
    running = loop.run_until_complete(context.__aenter__())
    yield running.grpc
    loop.run_until_complete(context.__aexit__(None, None, None))
    loop.close()


@pytest.fixture
async def site(secured: Kafka, backend: str, tmp_path: Path) -> Site:
    """A topic, a group and a configuration without a mistake."""
    topic = await secured.create_topic(
        partitions=PARTITIONS,
        configs={"message.timestamp.type": "LogAppendTime", "retention.ms": "86400000"},
    )
    ports = [free_port() for _ in range(2)]
    group = secured.unique("group")
    found = Site(secured, tmp_path, backend, topic, group)
    errors = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
    found.config = {
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{ports[0]}"}}},
            "kafka": {
                "brokers": [secured.bootstrap],
                "group_id": group,
                "traces": {"topics": [topic]},
            },
        },
        "processors": {"tail_sampling": {"decision_wait": "10s", "policies": [errors]}},
        "exporters": {
            "kafka": {"brokers": [secured.bootstrap], "traces": {"topic": topic}},
            "otlp": {"endpoint": backend, "tls": {"insecure": True}},
        },
        "service": {
            "telemetry": {"metrics": {"address": f"127.0.0.1:{ports[1]}"}},
            "pipelines": {
                "traces/in": {"receivers": ["otlp"], "exporters": ["kafka"]},
                "traces/out": {
                    "receivers": ["kafka"],
                    "processors": ["tail_sampling"],
                    "exporters": ["otlp"],
                },
            },
        },
    }
    return found


async def examine(site: Site, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[Mapping]]:
    """The exit code and the findings of a run of the verb."""
    file = site.folder / "bridge.yaml"
    file.write_text(json.dumps(site.config))
    words = ["doctor", "--config", str(file), "--output", "json", "--timeout", "10s"]
    capsys.readouterr()
    code = await asyncio.to_thread(dispatch, words)
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
    assert told.err == ""
    return code, json.loads(told.out)["findings"]


async def test_configuration_without_a_mistake_has_no_error(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """One warning stays on one broker: a single replica."""
    await write(site, "sarama_compat")
    code, found = await examine(site, capsys)
    loud = {one["code"] for one in found if one["severity"] in ("warning", "error")}
    quiet = {one["subject"] for one in found if one["severity"] == "ok"}

    assert (code, loud) == (1, {"BR-3303"})
    assert quiet >= {
        f"broker {site.kafka.bootstrap}",
        f"group {site.group}",
        f"records of {site.topic}",
        "exporters/otlp",
        "ports",
        "memory",
    }


Plant = Callable[[Site], Any]
MISTAKES: dict[str, tuple[str, str, int]] = {
    "name": ("BR-3101", "getent hosts broker.invalid", 69),
    "port": ("BR-3102", "nc -vz 127.0.0.1", 69),
    "authority": ("BR-3103", "set tls.ca_file", 77),
    "plain_to_tls": ("BR-3104", "add tls", 69),
    "tls_to_plain": ("BR-3104", "remove the tls section", 69),
    "certificate": ("BR-3105", "renew", 69),
    "password": ("BR-3106", "check auth.sasl of User:reader", 77),
    "mechanism": ("BR-3107", "sasl.enabled.mechanisms", 77),
    "write": ("BR-3201", "--allow-principal User:nobody --operation Write", 77),
    "read_group": ("BR-3203", "--operation Read --operation Describe --group", 77),
    "settings": ("BR-3205", "--operation DescribeConfigs", 77),
    "topic": ("BR-3301", "kafka-topics --bootstrap-server", 69),
    "replicas": ("BR-3302", "min.insync.replicas=1", 69),
    "size": ("BR-3305", "max.message.bytes=3000000", 1),
    "stamps": ("BR-3306", "message.timestamp.type=LogAppendTime", 1),
    "retention": ("BR-3307", "retention.ms=86400000", 69),
    "compacted": ("BR-3308", "cleanup.policy=delete", 69),
    "partitioner": ("BR-3401", "sticky_key: {hasher: murmur2}", 69),
    "keyless": ("BR-3401", "partition_traces_by_id: true", 69),
    "encoding": ("BR-3402", "traces.encoding", 69),
    "clock": ("BR-3404", "chronyc", 1),
    "cooperative": ("BR-3501", "group_rebalance_strategies: [sticky]", 69),
    "deleted": ("BR-3503", "retention.ms", 69),
    "beyond": ("BR-3506", "otlp-bridge offsets reset", 69),
    "newer": ("BR-3509", "nothing need be done", 1),
    "decisions_absent": ("BR-3301", "--config cleanup.policy=compact,delete", 69),
    "decisions_few": ("BR-3317", f"--partitions {PARTITIONS}", 69),
    "decisions_kept": ("BR-3316", "cleanup.policy=[compact,delete]", 1),
    "behind": ("BR-3404", "chronyc", 1),
    "backend": ("BR-3601", "curl -v 127.0.0.1", 69),
    "taken": ("BR-3701", "ss -ltnp sport", 69),
    "twice": ("BR-3706", "another port", 69),
}


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_planted_mistake_is_named_with_its_mend(
    mistake: str, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code, the command and the exit code; nothing else is an error because of it."""
    expected, mend, expected_code = MISTAKES[mistake]
    plant: Plant = globals()[f"plant_{mistake}"]
    undo = plant(site)
    if asyncio.iscoroutine(undo):
        undo = await undo
    try:
        code, found = await examine(site, capsys)
    finally:
        if callable(undo):
            undo()
    hits = [one for one in found if one["code"] == expected]
    errors = {one["code"] for one in found if one["severity"] == "error"}

    assert hits, found
    assert all(mend in one["mend"] for one in hits), hits
    assert errors <= {expected} | ALONG.get(mistake, set())
    assert code == expected_code


ALONG = {
    "certificate": {"BR-3601"},
    # Who may not even see a topic may not read it either, nor join, nor write idempotently.
    "write": {"BR-3202", "BR-3203", "BR-3204"},
    "read_group": {"BR-3201", "BR-3204"},
    "settings": {"BR-3201", "BR-3203", "BR-3204"},
}
"""Errors that a mistake brings with it by its nature."""


def plant_name(site: Site) -> None:
    site.receiver["brokers"] = site.exporter["brokers"] = ["broker.invalid:9092"]


def plant_port(site: Site) -> None:
    site.receiver["brokers"] = site.exporter["brokers"] = [f"127.0.0.1:{free_port()}"]


def plant_authority(site: Site) -> None:
    authority(site.folder, "stranger")
    site.use("SSL", tls={"ca_file": str(site.folder / "stranger.pem")})


def plant_plain_to_tls(site: Site) -> None:
    site.use("SSL")


def plant_tls_to_plain(site: Site) -> None:
    site.use("PLAINTEXT", tls={"ca_file": str(ca(site))})


def plant_certificate(site: Site) -> None:
    # The test's certificates are good for two days. Without a client certificate we are ANONYMOUS,
    # and the address is closed so that the exit code is that of an error.
    site.use("SSL", tls={"ca_file": str(ca(site))})
    site.config["exporters"]["otlp"]["endpoint"] = f"127.0.0.1:{free_port()}"


def plant_password(site: Site) -> None:
    site.use("SASL_PLAINTEXT", "reader")
    for part in (site.receiver, site.exporter):
        part["auth"]["sasl"]["password"] = SECRET + "-wrong"


def plant_mechanism(site: Site) -> None:
    token = site.folder / "token"
    token.write_text(SECRET)
    sasl = {"mechanism": "OAUTHBEARER", "oauthbearer": {"token_file": str(token)}}
    site.use("SASL_PLAINTEXT", auth={"sasl": sasl})


def plant_write(site: Site) -> None:
    site.use("SASL_PLAINTEXT", "nobody")


async def plant_read_group(site: Site) -> None:
    site.use("SASL_PLAINTEXT", "reader")
    await asyncio.to_thread(allow, site, "reader", AclOperation.READ)


async def plant_settings(site: Site) -> None:
    await plant_read_group(site)


async def plant_topic(site: Site) -> None:
    site.receiver["traces"] = {"topics": ["absent"]}
    site.exporter["traces"] = {"topic": "absent"}


async def plant_replicas(site: Site) -> None:
    await alter(site, "min.insync.replicas", "2")


async def plant_size(site: Site) -> None:
    site.exporter["producer"] = {"max_message_bytes": 3_000_000}


async def plant_stamps(site: Site) -> None:
    await alter(site, "message.timestamp.type", "CreateTime")


async def plant_retention(site: Site) -> None:
    await alter(site, "retention.ms", "9000")


async def plant_compacted(site: Site) -> None:
    await alter(site, "cleanup.policy", "compact")


async def plant_partitioner(site: Site) -> None:
    await write(site, "murmur2")


async def plant_keyless(site: Site) -> None:
    await write(site, "none")


async def plant_encoding(site: Site) -> None:
    await write(site, "json")


async def plant_clock(site: Site) -> None:
    await alter(site, "message.timestamp.type", "CreateTime")
    await write(site, "sarama_compat", ahead_s=1800.0)


async def join_group(site: Site, **settings: str) -> Callable[[], None]:
    """A foreign member with partitions; what is given back lets it leave."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": site.kafka.bootstrap,
            "group.id": site.group,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
    )
    consumer.subscribe([site.topic])

    def join() -> None:
        until_s = time.monotonic() + 60
        while not consumer.assignment():
            assert time.monotonic() < until_s
            consumer.poll(0.2)

    await asyncio.to_thread(join)
    return consumer.close


async def plant_cooperative(site: Site) -> Callable[[], None]:
    return await join_group(site, partition_assignment_strategy="cooperative-sticky")


async def plant_newer(site: Site) -> Callable[[], None]:
    return await join_group(site, group_protocol="consumer")


def decide_in(site: Site, topic: str, **changes: Any) -> None:
    """Let the sampler keep its decisions in *topic*."""
    section = {"brokers": [site.kafka.bootstrap], "topic": topic, **changes}
    site.config["processors"]["tail_sampling"]["decision_topic"] = section


async def plant_decisions_absent(site: Site) -> None:
    decide_in(site, "absent_decisions", create=False)


async def plant_decisions_few(site: Site) -> None:
    settings = {"cleanup.policy": "compact,delete"}
    decide_in(site, await site.kafka.create_topic(partitions=PARTITIONS - 1, configs=settings))


async def plant_decisions_kept(site: Site) -> None:
    decide_in(site, await site.kafka.create_topic(partitions=PARTITIONS))


async def plant_behind(site: Site) -> None:
    await write(site, "sarama_compat", ends_ahead_s=600.0)


async def plant_deleted(site: Site) -> None:
    await write(site, "sarama_compat")
    await commit(site, 0)
    # Whole segments go: the broker is told where the log begins now, as retention does.
    async with site.kafka.admin() as admin:
        ends = await site.kafka.end_offsets(site.topic)
        from aiokafka import TopicPartition
        from aiokafka.admin import RecordsToDelete

        await admin.delete_records(
            {
                TopicPartition(site.topic, at): RecordsToDelete(end)
                for at, end in ends.items()
                if end
            }
        )


async def plant_beyond(site: Site) -> None:
    await commit(site, 5)


def plant_backend(site: Site) -> None:
    site.config["exporters"]["otlp"]["endpoint"] = f"127.0.0.1:{free_port()}"


def plant_taken(site: Site) -> Callable[[], None]:
    listener = socket.create_server(("127.0.0.1", free_port()))
    grpc = site.config["receivers"]["otlp"]["protocols"]["grpc"]
    grpc["endpoint"] = f"127.0.0.1:{listener.getsockname()[1]}"
    return listener.close


def plant_twice(site: Site) -> None:
    protocols = site.config["receivers"]["otlp"]["protocols"]
    protocols["http"] = {"endpoint": protocols["grpc"]["endpoint"]}


def ca(site: Site) -> Path:
    """The authority of the broker's certificate."""
    assert site.kafka.server.tls is not None
    return site.kafka.server.tls.ca


async def write(
    site: Site, hasher: str, ahead_s: float = 0.0, ends_ahead_s: float | None = None
) -> None:
    """Write 40 traces, placed by *hasher*: ``none`` spreads each, ``json`` is no protobuf."""
    producer = AIOKafkaProducer(bootstrap_servers=site.kafka.bootstrap)
    await producer.start()
    stamp_ms = round((time.time() + ahead_s) * 1000)
    for number in range(40):
        body = trace_request(seed=number).body
        request = ExportTraceServiceRequest.FromString(body)
        trace_id = request.resource_spans[0].scope_spans[0].spans[0].trace_id
        if ends_ahead_s is not None:
            span = request.resource_spans[0].scope_spans[0].spans[0]
            span.end_time_unix_nano = round((time.time() + ends_ahead_s) * 1e9)
            body = request.SerializeToString()
        key: bytes | None = trace_id.hex().encode()
        if hasher == "none":
            partition, key = number % PARTITIONS, None
        elif hasher == "json":
            partition, key, body = 0, None, b'{"resourceSpans": []}'
        else:
            partition = partition_of(key or b"", PARTITIONS, hasher)  # type: ignore[arg-type]
        await producer.send_and_wait(
            site.topic, body, key=key, partition=partition, timestamp_ms=stamp_ms
        )
    await producer.stop()


async def commit(site: Site, offset: int) -> None:
    """Commit one offset everywhere, as a member would that has gone since."""
    async with site.kafka.consumer(group_id=site.group) as consumer:
        places = [TopicPartition(site.topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.commit(dict.fromkeys(places, offset))


async def alter(site: Site, name: str, value: str) -> None:
    """Change a setting of the topic, as a person would."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, site.topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": site.kafka.bootstrap})
    (answer,) = admin.incremental_alter_configs([resource]).values()
    await asyncio.to_thread(answer.result, 20)


def allow(site: Site, user: str, operation: AclOperation) -> None:
    """Let *user* do one thing with the topic."""
    admin = AdminClient({"bootstrap.servers": site.kafka.bootstrap})
    binding = AclBinding(
        ResourceType.TOPIC,
        site.topic,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )
    for answer in admin.create_acls([binding]).values():
        answer.result(timeout=20)
