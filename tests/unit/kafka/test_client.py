"""The shared connection block: defaults of the Collector, and what aiokafka gets."""

import asyncio
import ssl

import pytest
from pydantic import ValidationError

from bridge.kafka import ClientConfig, connection_kwargs, why_unreachable


def test_defaults_are_the_collectors() -> None:
    """An empty section connects to localhost in plain text."""
    kwargs = connection_kwargs(ClientConfig())

    assert kwargs["bootstrap_servers"] == ["localhost:9092"]
    assert kwargs["client_id"] == "otel-collector"
    assert kwargs["security_protocol"] == "PLAINTEXT"
    assert kwargs["metadata_max_age_ms"] == 600_000
    assert kwargs["connections_max_idle_ms"] == 540_000
    assert kwargs["retry_backoff_ms"] == 250
    assert "sasl_mechanism" not in kwargs


@pytest.mark.parametrize(
    ("section", "protocol"),
    [
        ({"tls": {"insecure_skip_verify": True}}, "SSL"),
        ({"tls": {"insecure": True}}, "PLAINTEXT"),
        (
            {"auth": {"sasl": {"mechanism": "PLAIN", "username": "u", "password": "p"}}},
            "SASL_PLAINTEXT",
        ),
        (
            {
                "tls": {"insecure_skip_verify": True},
                "auth": {"sasl": {"mechanism": "SCRAM-SHA-512", "username": "u", "password": "p"}},
            },
            "SASL_SSL",
        ),
    ],
)
def test_protocol_follows_tls_and_sasl(section: dict[str, object], protocol: str) -> None:
    """The four security protocols."""
    kwargs = connection_kwargs(ClientConfig.model_validate(section))

    assert kwargs["security_protocol"] == protocol
    assert isinstance(kwargs["ssl_context"], ssl.SSLContext) == ("SSL" in protocol)


@pytest.mark.parametrize(
    "section",
    [
        {"brokers": []},
        {"brokers": ["http://kafka:9092"]},
        {"brokers": [" "]},
        {"protocol_version": "two"},
        {"conn_idle_timeout": "0s"},
        {"brokerz": ["kafka:9092"]},
    ],
)
def test_mistakes_are_refused(section: dict[str, object]) -> None:
    """Before anything is connected."""
    with pytest.raises(ValidationError):
        ClientConfig.model_validate(section)


def test_principal_is_known_from_the_user_name() -> None:
    """For hints about ACLs."""
    sasl = {"mechanism": "PLAIN", "username": "bridge", "password": "p"}

    assert ClientConfig.model_validate({"auth": {"sasl": sasl}}).principal == "User:bridge"
    assert ClientConfig().principal == ""


async def test_reason_for_an_absent_broker_is_found() -> None:
    """Nobody listens on the port: the refusal itself is returned."""
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    config = ClientConfig(brokers=[f"127.0.0.1:{port}"])

    reason = await why_unreachable(connection_kwargs(config), timeout_s=2.0)

    assert isinstance(reason, OSError)
