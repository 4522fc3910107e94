"""
The connection block that every Kafka component shares, in the Collector's spelling.

aiokafka's constructors get their arguments from `connection_kwargs` and from nowhere else.
"""

import asyncio
import re
import ssl
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError, UnsupportedSaslMechanismError
from aiokafka.protocol.admin import SaslHandShakeRequest
from pydantic import Field, field_validator

from bridge.kafka.owned_connections import own_connections
from bridge.kafka.security import Auth, default_context, sasl_kwargs
from bridge.options import Duration, Options, TlsClient

_VERSION = re.compile(r"\d+\.\d+(\.\d+){0,2}")


class MetadataRetry(Options):
    """How often a refresh of the cluster's metadata is tried again."""

    max: int = Field(default=3, ge=0)
    """Attempts. Accepted for the Collector's sake: a refresh is repeated until it succeeds."""

    backoff: Duration = 0.25
    """Seconds between attempts; also the pause after a failed request to a broker."""


class MetadataConfig(Options):
    """What is asked about the cluster, and how often."""

    full: bool = True
    """Accepted for the Collector's sake: only the topics in use are asked for."""

    refresh_interval: Duration = Field(default=600.0, gt=0)
    """Seconds after which topics, partitions and leaders are asked for again without a cause."""

    retry: MetadataRetry = MetadataRetry()
    """Repetition of failed refreshes."""


class ClientConfig(Options):
    """How to reach the brokers. Base of the Kafka exporter's and receiver's configs."""

    brokers: list[str] = Field(default_factory=lambda: ["localhost:9092"], min_length=1)
    """Bootstrap brokers as host:port; port 9092 if left out. ``[embedded]`` starts one here."""

    protocol_version: str = ""
    """Kafka version such as 2.1.0. Checked for form only: versions are negotiated."""

    client_id: str = "otel-collector"
    """Name in the brokers' logs and quotas. The Collector's default, so that quotas still fit."""

    resolve_canonical_bootstrap_servers_only: bool = False
    """Accepted for the Collector's sake, which ignores it too."""

    tls: TlsClient | None = None
    """TLS to the brokers; absent means plaintext."""

    auth: Auth = Auth()
    """Authentication; absent means none."""

    metadata: MetadataConfig = MetadataConfig()
    """Refreshing of cluster metadata."""

    rack_id: str = ""
    """Rack of this client, for fetching from the nearest replica (receiver only)."""

    use_leader_epoch: bool = True
    """Accepted for the Collector's sake: the client does not send leader epochs when fetching."""

    conn_idle_timeout: Duration = Field(default=540.0, gt=0)
    """Seconds after which an idle connection to a broker is closed."""

    @field_validator("brokers")
    @classmethod
    def _brokers_named(cls, brokers: list[str]) -> list[str]:
        for broker in brokers:
            if not broker.strip() or "://" in broker:
                raise ValueError("a broker is written host:port, as in kafka-1:9092")
        return brokers

    @field_validator("protocol_version")
    @classmethod
    def _version_form(cls, text: str) -> str:
        if text and not _VERSION.fullmatch(text):
            raise ValueError("protocol_version is written like 2.1.0; leave it out to negotiate")
        return text

    @property
    def principal(self) -> str:
        """How ACLs name us, such as ``User:bridge``; empty if only the broker knows."""
        sasl = self.auth.effective_sasl()
        return sasl.principal if sasl is not None else ""


def connection_kwargs(config: ClientConfig) -> dict[str, Any]:
    """
    What every aiokafka client, producer, consumer and admin client is constructed with.

    Raises:
        ConfigError: If TLS files cannot be used, or a library for the mechanism is missing.
    """
    own_connections()
    sasl = config.auth.effective_sasl()
    context = config.tls.context() if config.tls is not None else default_context(sasl)
    protocol = "SSL" if context is not None else "PLAINTEXT"
    return {
        "bootstrap_servers": list(config.brokers),
        "client_id": config.client_id,
        "security_protocol": f"SASL_{protocol}" if sasl is not None else protocol,
        "ssl_context": context,
        "metadata_max_age_ms": round(config.metadata.refresh_interval * 1000),
        "connections_max_idle_ms": round(config.conn_idle_timeout * 1000),
        "retry_backoff_ms": max(1, round(config.metadata.retry.backoff * 1000)),
        **sasl_kwargs(sasl),
    }


async def why_unreachable(kwargs: dict[str, Any], *, timeout_s: float) -> BaseException | None:
    """
    Connect to each bootstrap broker once and say what goes wrong first.

    aiokafka logs why a broker refused it and then raises only that none could be reached; this
    finds the reason again, so that a wrong password is not reported as an absent broker.

    Args:
        kwargs: What `connection_kwargs` gave.
        timeout_s: Seconds for each broker.

    Returns:
        `None` if some broker lets us in, else the most telling error: one about credentials
        before one about the network.
    """
    connection = {
        name: value
        for name, value in kwargs.items()
        if name.startswith("sasl_") or name in ("client_id", "security_protocol", "ssl_context")
    }
    first: BaseException | None = None
    for host, port, _ in collect_hosts(kwargs["bootstrap_servers"], randomize=False):
        try:
            async with asyncio.timeout(timeout_s):
                reached = await create_conn(
                    host, port, request_timeout_ms=round(timeout_s * 1000), **connection
                )
        except (OSError, KafkaError) as error:  # TimeoutError is an OSError
            if not _about_network(error):
                return await _with_details(error, host, port, connection, timeout_s)
            first = first or error
        else:
            reached.close()
            return None
    return first


async def _with_details(
    error: BaseException, host: str, port: int, connection: dict[str, Any], timeout_s: float
) -> BaseException:
    """*error* with notes on where it was met and what was expected there."""
    if isinstance(error, ssl.SSLError):
        files = getattr(connection.get("ssl_context"), "files", ())
        checked = f", with {', '.join(files)}" if files else ""
        error.add_note(f"at broker {host}:{port}{checked}")
    elif isinstance(error, UnsupportedSaslMechanismError):
        enabled = await _enabled_mechanisms(host, port, connection, timeout_s)
        told = f"enabled there: {', '.join(enabled)}" if enabled else "it does not say what is"
        tried = connection.get("sasl_mechanism", "")
        error.add_note(f"broker {host}:{port} has not enabled {tried}; {told}")
    return error


async def _enabled_mechanisms(
    host: str, port: int, connection: dict[str, Any], timeout_s: float
) -> list[str]:
    """What the listener offers, asked before any credentials are sent; empty if it does not say."""
    plain = {name: value for name, value in connection.items() if not name.startswith("sasl_")}
    plain["security_protocol"] = plain["security_protocol"].removeprefix("SASL_")
    try:
        async with asyncio.timeout(timeout_s):
            reached = await create_conn(
                host, port, request_timeout_ms=round(timeout_s * 1000), **plain
            )
            try:
                answer = await reached.send(SaslHandShakeRequest(connection["sasl_mechanism"]))
            finally:
                reached.close()
    except (OSError, KafkaError):
        return []
    return sorted(answer.enabled_mechanisms)


def _about_network(error: BaseException) -> bool:
    if isinstance(error, KafkaError):
        return bool(error.retriable)
    return not isinstance(error, ssl.SSLError)
