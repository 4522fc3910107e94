"""Every way to log in at a real broker, and what is said when it fails."""

import asyncio
import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
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

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    Denied,
    Origin,
    Signal,
    State,
    Status,
    SystemClock,
)
from bridge.exporters.kafka import KafkaExporter, KafkaExporterConfig
from bridge.receivers.kafka import KafkaReceiver, KafkaReceiverOptions
from bridge.testing import FakeHost, FakeStage, make_settings, settle, trace_request
from tests.certificates import authority, keystore
from tests.kafka_client import Kafka
from tests.kafka_server import KafkaServer, User

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(170),
    pytest.mark.usefixtures("sockets_left_open"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CLOCK = SystemClock()
SECRET = "canary-7c1e"
TOPIC = "spans"


@dataclass(frozen=True)
class Secured:
    """The server, and the authorities that signed its certificate and somebody else's."""

    server: KafkaServer
    ca: Path
    stranger: Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A broker with TLS, SASL and ACLs: ``writer`` may do everything, ``nobody`` nothing."""
    folder = tmp_path_factory.mktemp("tls")
    authority(folder, "stranger")
    server = KafkaServer(
        listeners=("SSL", "SASL_SSL", "SASL_PLAINTEXT"),
        users=(
            User("writer", SECRET),
            User("writer256", SECRET, "SCRAM-SHA-256"),
            User("nobody", SECRET),
            User("reader", SECRET),
        ),
        tls=keystore(folder),
        properties={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # One listener takes bearer tokens, unsigned ones, as nobody outside of tests would.
            "listener.name.sasl_plaintext.sasl.enabled.mechanisms": (
                "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"
            ),
            "listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config": (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
                'unsecuredLoginStringClaim_sub="writer";'
            ),
            "super.users": "User:ANONYMOUS;User:writer;User:writer256",
        },
    )
    with server:
        asyncio.run(Kafka(server).create_topic(TOPIC, partitions=1))
        yield Secured(server, folder / "ca.pem", folder / "stranger.pem")


async def write(section: dict[str, Any]) -> object:
    """Deliver one span with this connection, and give the receipt or what was raised."""
    config = KafkaExporterConfig.model_validate({"traces": {"topic": TOPIC}, **section})
    exporter = KafkaExporter(config, make_settings("kafka"), frozenset({Signal.TRACES}))
    await exporter.start()
    made = trace_request()
    origin = Origin("test", Deadline.after(15, CLOCK))
    try:
        return await exporter.deliver(Batch(made.signal, made.body, made.items, origin))
    except Denied as error:
        return error
    finally:
        await exporter.stop(Deadline.after(2, CLOCK))
        await settle()  # A handshake that was broken off is closed in the loop's next turns.


def login(mechanism: str, user: str = "", password: str = SECRET) -> dict[str, Any]:
    """An ``auth`` section; a SCRAM user exists for one of the two hashes."""
    user = user or ("writer256" if mechanism == "SCRAM-SHA-256" else "writer")
    return {"sasl": {"mechanism": mechanism, "username": user, "password": password}}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("listener", ["SASL_PLAINTEXT", "SASL_SSL"])
async def test_login_with_each_mechanism_writes(
    secured: Secured, listener: str, mechanism: str
) -> None:
    """With and without TLS."""
    tls = {"tls": {"ca_file": str(secured.ca)}} if listener == "SASL_SSL" else {}
    brokers = [secured.server.bootstrap_of(listener)]

    assert await write({"brokers": brokers, "auth": login(mechanism), **tls}) == ACCEPTED


async def test_tls_without_login_writes(secured: Secured) -> None:
    """The broker's certificate is checked against `ca_file`."""
    brokers = [secured.server.bootstrap_of("SSL")]
    written = await write({"brokers": brokers, "tls": {"ca_file": str(secured.ca)}})

    # Without a client certificate the principal is ANONYMOUS, who may write here.
    assert written == ACCEPTED


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_wrong_password_names_the_user_and_not_the_secret(
    secured: Secured, mechanism: str
) -> None:
    """Denied at once, with what to check."""
    brokers = [secured.server.bootstrap_of("SASL_PLAINTEXT")]
    error = await write({"brokers": brokers, "auth": login(mechanism, password="canary-wrong")})

    assert isinstance(error, Denied)
    assert "auth.sasl of User:writer" in error.hint
    assert "canary" not in f"{error} {error.hint} {error.__cause__!r}"


def bearer_token() -> str:
    """An unsigned token for ``writer``."""
    now = int(CLOCK.wall())
    parts = ({"alg": "none"}, {"sub": "writer", "iat": now - 60, "exp": now + 600})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join((*encoded, b"")).decode()


async def test_bearer_token_from_file_and_command_writes(secured: Secured, tmp_path: Path) -> None:
    """Both sources of the token."""
    path = tmp_path / "token"
    path.write_text(bearer_token())
    brokers = [secured.server.bootstrap_of("SASL_PLAINTEXT")]
    for source in ({"token_file": str(path)}, {"token_command": f"cat {path}"}):
        sasl = {"mechanism": "OAUTHBEARER", "oauthbearer": source}

        assert await write({"brokers": brokers, "auth": {"sasl": sasl}}) == ACCEPTED


async def test_missing_token_file_is_named(secured: Secured, tmp_path: Path) -> None:
    """The path, not only that authentication failed."""
    sasl = {
        "mechanism": "OAUTHBEARER",
        "oauthbearer": {"token_file": str(tmp_path / "absent")},
    }
    brokers = [secured.server.bootstrap_of("SASL_PLAINTEXT")]
    error = await write({"brokers": brokers, "auth": {"sasl": sasl}})

    assert isinstance(error, Denied)
    assert str(tmp_path / "absent") in str(error)


async def test_unknown_mechanism_names_the_setting(secured: Secured, tmp_path: Path) -> None:
    """This listener has no OAUTHBEARER."""
    token = tmp_path / "token"
    token.write_text("canary-token")
    sasl = {"mechanism": "OAUTHBEARER", "oauthbearer": {"token_file": str(token)}}
    brokers = [secured.server.bootstrap_of("SASL_SSL")]
    section = {"tls": {"ca_file": str(secured.ca)}, "auth": {"sasl": sasl}}
    error = await write({"brokers": brokers, **section})

    assert isinstance(error, Denied)
    assert "sasl.enabled.mechanisms" in error.hint
    assert "canary" not in f"{error} {error.hint}"


async def test_unknown_authority_names_the_file_setting(secured: Secured) -> None:
    """The certificate of the broker was signed by somebody else."""
    brokers = [secured.server.bootstrap_of("SSL")]
    error = await write({"brokers": brokers, "tls": {"ca_file": str(secured.stranger)}})

    assert isinstance(error, Denied)
    assert "tls.ca_file" in error.hint


async def test_missing_acl_names_principal_and_command(secured: Secured) -> None:
    """Logged in, but allowed nothing."""
    brokers = [secured.server.bootstrap_of("SASL_PLAINTEXT")]
    error = await write({"brokers": brokers, "auth": login("PLAIN", "nobody")})

    assert isinstance(error, Denied)
    assert f"kafka-acls --bootstrap-server {brokers[0]} --add" in error.hint
    assert "--allow-principal User:nobody" in error.hint


async def test_expired_certificate_of_the_broker_is_named(tmp_path: Path) -> None:
    """The broker's certificate ended yesterday."""
    tls = keystore(tmp_path, ended=True)
    with KafkaServer(listeners=("SSL",), tls=tls) as server:
        brokers = [server.bootstrap_of("SSL")]
        error = await write({"brokers": brokers, "tls": {"ca_file": str(tls.ca)}})

    assert isinstance(error, Denied)
    assert "expired" in str(error)
    assert "certificate" in error.hint


async def refusal_of_reading(secured: Secured, user: str) -> Status:
    """What a receiver that logs in as *user* reports once it was refused."""
    host = FakeHost()
    config = KafkaReceiverOptions.model_validate(
        {
            "brokers": [secured.server.bootstrap_of("SASL_PLAINTEXT")],
            "auth": login("PLAIN", user),
            "group_id": "readers",
            "traces": {"topics": [TOPIC]},
        }
    )
    receiver = KafkaReceiver(
        config, make_settings("kafka", host=host), {Signal.TRACES: FakeStage()}
    )
    await receiver.start()
    try:
        async with asyncio.timeout(30):
            while True:
                denied = [s for s in host.reported if s.state is State.PERMANENT]
                if denied:
                    return denied[0]
                await asyncio.sleep(0.1)
    finally:
        await receiver.stop(Deadline.after(2, CLOCK))


async def test_missing_acl_to_read_names_topic_and_command(secured: Secured) -> None:
    """A receiver that may do nothing is refused at its topic or group, by name."""
    status = await refusal_of_reading(secured, "nobody")

    assert "kafka-acls --bootstrap-server" in status.hint
    assert "--allow-principal User:nobody" in status.hint
    assert TOPIC in status.hint or "readers" in status.hint
    assert "canary" not in f"{status.reason} {status.hint}"


async def test_missing_acl_of_the_group_names_group_and_command(secured: Secured) -> None:
    """A receiver that may read the topic but not join its group."""
    await asyncio.to_thread(allow, secured, "reader", ResourceType.TOPIC, TOPIC)
    status = await refusal_of_reading(secured, "reader")

    assert "kafka-acls --bootstrap-server" in status.hint
    assert "--allow-principal User:reader" in status.hint
    assert "--group readers" in status.hint


def allow(secured: Secured, user: str, resource: ResourceType, name: str) -> None:
    """Let *user* read one resource."""
    admin = AdminClient({"bootstrap.servers": secured.server.bootstrap})
    binding = AclBinding(
        resource,
        name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation.READ,
        AclPermissionType.ALLOW,
    )
    for answer in admin.create_acls([binding]).values():
        answer.result(timeout=20)
