"""Wrong certificates, passwords and rights: refused, explained, and mended without a restart."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.faults.certificates import Authority
from tests.faults.cluster import Cluster
from tests.faults.proxy import Proxy
from tests.faults.scene import Bridge, Scene
from tests.kafka_server import KafkaServer, Tls, User

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(180)]

PASSWORD = "canary-6f1d8c"  # Searched for in everything that is printed.
WRONG = "canary-wrong-90ab"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signed the brokers' certificate."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[Cluster]:
    """One node with TLS, SCRAM and ACLs; whoever comes by the plain listener may do everything."""
    server = KafkaServer(
        heap_mib=256,
        listeners=("SSL", "SASL_PLAINTEXT"),
        users=[User("bridge", PASSWORD)],
        tls=Tls(authority.issue("broker"), authority.file),
        properties={
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        },
    )
    with server:
        yield Cluster(server)  # type: ignore[arg-type]  # used without its proxies


@pytest.fixture
def guarded(secured: Cluster, tmp_path: Path, seed: int, row: Any) -> Callable[..., Scene]:
    """Makes a scene on the secured node."""
    return lambda **fields: _Guarded(secured, tmp_path, seed, row, replicas=1, **fields)


class _Guarded(Scene):
    """A scene on one node that is never taken away."""

    def _heal(self) -> None:
        """Nothing was broken."""


async def _wait_text(
    bridge: Bridge, *words: str, timeout_s: float = 25.0, sending: Scene | None = None
) -> str:
    """Wait until readiness or the log says all of *words*; give what they say."""
    text = ""
    for _ in range(round(timeout_s / 0.25)):
        _, body = await bridge.ready()
        text = f"{body}\n{bridge.log}"
        if all(word in text for word in words):
            return text
        if sending is not None:
            await sending.clients.try_grpc(sending.clients.make())
        await asyncio.sleep(0.25)
    missing = [word for word in words if word not in text]
    raise AssertionError(f"nothing says {missing}:\n{text[-5000:]}")


@asynccontextmanager
async def _tls_server(pem: Path) -> AsyncIterator[str]:
    """Something that shows the certificate in *pem* and hangs up."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.faults("F32")
async def test_broker_of_another_authority_is_refused(
    guarded: Callable[..., Scene], authority: Authority, tmp_path: Path
) -> None:
    """Nothing is acknowledged; the text names the file of the authority."""
    other = Authority(tmp_path, "other authority")
    async with guarded() as s:
        s.brokers = s.cluster.server.bootstrap_of("SSL")
        ingest = await s.ingest(tls={"ca_file": str(other.file)})
        await _wait_text(ingest, "certificate verify failed", str(other.file))
        told = await s.clients.try_grpc(s.clients.make())
        status, _ = await ingest.ready()
        await ingest.process.stop()
        s.bridges.clear()
        await s.ingest("ingest-2", tls={"ca_file": str(authority.file)})
        await s.clients.send_one()

    assert told.word == "UNAVAILABLE"
    assert status == 503


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"expired": True}, ("expired",)), ({"host": "kafka.example"}, ("not valid for",))],
    ids=["expired", "name"],
)
@pytest.mark.parametrize("side", ["kafka", "backend"])
@pytest.mark.faults("F32, certificate")
async def test_expired_or_foreign_certificates_are_explained(
    guarded: Callable[..., Scene],
    authority: Authority,
    side: str,
    fields: dict[str, Any],
    words: tuple[str, ...],
) -> None:
    """The text says what is wrong with the certificate, at which address."""
    pem = authority.issue("shown", **fields)
    tls = {"ca_file": str(authority.file)}
    async with guarded() as s, _tls_server(pem) as where:
        if side == "kafka":
            s.brokers = where
            bridge = await s.ingest(tls=tls)
        else:
            await s.ingest()
            bridge = await s.process(backend=where, exporter={"tls": tls})
            await s.clients.send_one()
        await _wait_text(bridge, "certificate", where, *words)


@pytest.mark.parametrize(
    ("sasl", "words"),
    [
        (
            {"mechanism": "SCRAM-SHA-512", "username": "bridge", "password": WRONG},
            ("bridge", "SCRAM-SHA-512"),
        ),
        (
            {"mechanism": "PLAIN", "username": "bridge", "password": WRONG},
            ("PLAIN", "SCRAM-SHA-512"),
        ),
    ],
    ids=["password", "mechanism"],
)
@pytest.mark.faults("F34")
async def test_wrong_credentials_are_explained_and_not_repeated_in_a_storm(
    guarded: Callable[..., Scene], sasl: dict[str, str], words: tuple[str, ...]
) -> None:
    """Both sides say whom and why; they try seldom, and never print the password."""
    async with guarded() as s:
        host, _, port = s.cluster.server.bootstrap_of("SASL_PLAINTEXT").rpartition(":")
        async with Proxy((host, int(port))) as proxy:
            s.brokers = proxy.endpoint
            ingest = await s.ingest(auth={"sasl": sasl})
            process = await s.process(auth={"sasl": sasl})
            texts = [await _wait_text(side, *words) for side in (ingest, process)]
            before = proxy.connections
            await asyncio.sleep(10)
            attempts = proxy.connections - before
            told = await s.clients.try_grpc(s.clients.make())
            status = [(await side.ready())[0] for side in (ingest, process)]
            texts += [ingest.log, process.log, told.message]
            s.row.notes.append(f"{attempts} connections by both sides in 10 s")

    assert not any(WRONG in text for text in texts)
    assert told.word == "UNAVAILABLE"
    assert status == [503, 503]
    assert attempts <= 40


@pytest.mark.faults("F35")
async def test_missing_rights_are_named_with_the_command_and_given_at_run_time(
    guarded: Callable[..., Scene],
) -> None:
    """Topic and group: principal, resource and kafka-acls are named; then it works as it is."""
    sasl = {"mechanism": "SCRAM-SHA-512", "username": "bridge", "password": PASSWORD}
    async with guarded() as s:
        s.brokers = s.cluster.server.bootstrap_of("SASL_PLAINTEXT")
        ingest = await s.ingest(auth={"sasl": sasl})
        process = await s.process(auth={"sasl": sasl})
        told = await s.clients.try_grpc(s.clients.make())
        # Without a right to write anywhere, the idempotent producer is not let in at all.
        await _wait_text(ingest, "kafka-acls", "User:bridge", "--cluster")
        await _allow(s, ResourceType.BROKER, "kafka-cluster", AclOperation.IDEMPOTENT_WRITE)
        await _wait_text(ingest, f"--topic {s.topic}", sending=s)
        await _wait_text(process, "kafka-acls", "User:bridge", s.topic)
        await _allow(s, ResourceType.TOPIC, s.topic, AclOperation.DESCRIBE, AclOperation.READ)
        await _wait_text(process, "kafka-acls", "User:bridge", s.group)
        await _allow(s, ResourceType.TOPIC, s.topic, AclOperation.WRITE)
        await _allow(s, ResourceType.GROUP, s.group, AclOperation.READ)
        await ingest.wait_ready(200)
        await process.wait_ready(200, timeout_s=60)
        s.clients.start()
        await s.clients.wait_acknowledged(10)
        await s.settle()
        texts = ingest.log + process.log

    assert told.word == "UNAVAILABLE"
    assert PASSWORD not in texts


async def _allow(s: Scene, resource: ResourceType, name: str, *operations: AclOperation) -> None:
    admin = AdminClient({"bootstrap.servers": s.cluster.bootstrap})
    bindings = [
        AclBinding(
            resource,
            name,
            ResourcePatternType.LITERAL,
            "User:bridge",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for operation in operations
    ]
    for done in admin.create_acls(bindings).values():
        await asyncio.to_thread(done.result, 15)
