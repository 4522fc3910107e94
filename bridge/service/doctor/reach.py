"""Whether a broker can be reached: its name, its port, its certificate, our login."""

import asyncio
import socket
import ssl
import time
from typing import Any

from bridge.core import Denied
from bridge.kafka import ClusterFacts, connection_kwargs, map_kafka_error, why_unreachable
from bridge.options import parse_endpoint
from bridge.service.doctor.demands import Cluster
from bridge.service.doctor.findings import Finding, error, ok, warning

KAFKA_PORT = 9092
DAY_S = 86_400.0

CERTIFICATE_DAYS_MIN = 14
"""Days before its end at which a certificate should have been renewed."""


async def judge_brokers(cluster: Cluster, timeout_s: float) -> list[Finding]:
    """
    Try each bootstrap broker: resolve, connect, shake hands, log in.

    Args:
        timeout_s: Seconds for each step of each broker; brokers are tried at the same time.

    Raises:
        ConfigError: If TLS files cannot be used, or a library for the mechanism is missing.
    """
    connection = connection_kwargs(cluster.client)
    tried = [
        _judge_broker(cluster, broker, connection, timeout_s) for broker in cluster.client.brokers
    ]
    found = [finding for findings in await asyncio.gather(*tried) for finding in findings]
    return found + _judge_openness(cluster, connection)


async def judge_advertised(
    cluster: Cluster, facts: ClusterFacts, timeout_s: float
) -> list[Finding]:
    """Whether the addresses that the cluster tells its clients can be reached from here."""
    known = {_address(broker) for broker in cluster.client.brokers}
    others = [(host, port) for _, host, port in facts.brokers if (host, port) not in known]
    problems = await asyncio.gather(*(_connect(host, port, timeout_s) for host, port in others))
    return [
        error(
            "BR-3108",
            f"broker {host}:{port}",
            f"the cluster sends its clients there, and it cannot be reached: {problem}",
            "set advertised.listeners of that broker to an address that this machine can reach",
        )
        for (host, port), problem in zip(others, problems, strict=True)
        if problem
    ]


async def _judge_broker(
    cluster: Cluster, broker: str, connection: dict[str, Any], timeout_s: float
) -> list[Finding]:
    host, port = _address(broker)
    subject = f"broker {host}:{port}"
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        reason = "no answer in time" if isinstance(problem, TimeoutError) else str(problem)
        mend = (
            f"correct brokers of {', '.join(cluster.components)}, or the DNS: getent hosts {host}"
        )
        return [error("BR-3101", subject, f"the name {host} does not resolve: {reason}", mend)]
    problem_text = await _connect(host, port, timeout_s)
    if problem_text:
        return [
            error(
                "BR-3102",
                subject,
                f"it cannot be reached: {problem_text}",
                f"start it, correct brokers, or open the firewall: nc -vz {host} {port}",
            )
        ]
    found: list[Finding] = []
    context = connection["ssl_context"]
    if context is not None:
        found = await judge_certificate(subject, host, port, context, timeout_s)
        if any(one.severity.rank >= 3 for one in found):
            return found
    return found + await _judge_login(cluster, subject, broker, connection, timeout_s)


async def judge_certificate(
    subject: str, host: str, port: int, context: ssl.SSLContext, timeout_s: float
) -> list[Finding]:
    """Shake hands, and look at when the certificates of the chain end."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError as problem:
        return [
            error(
                "BR-3103",
                subject,
                f"its certificate is not accepted: {problem.verify_message}",
                _certificate_mend(problem, host, port),
                permission=True,
            )
        ]
    except (OSError, ssl.SSLError) as problem:
        return [
            error(
                "BR-3104",
                subject,
                f"it does not speak TLS as configured: {_short(problem)}",
                "use the port of its SSL or SASL_SSL listener, or remove the tls section",
            )
        ]
    certificate = writer.get_extra_info("peercert") or {}
    issuers = issuers_of(writer.get_extra_info("ssl_object"))
    writer.close()
    if "notAfter" not in certificate:
        return []  # Not verified: `_judge_openness` says so.
    left_days = _days_until(certificate["notAfter"])
    found = [
        warning(
            "BR-3105",
            subject,
            f"its certificate comes from {name}, whose own ends in {days:.1f} days, {ends}",
            "have that authority renewed, then the broker's keystore and every tls.ca_file that "
            "holds it",
        )
        for name, ends in issuers
        # One that ends with the broker's own is renewed with it.
        if (days := _days_until(ends)) < min(left_days, CERTIFICATE_DAYS_MIN)
    ]
    if left_days < CERTIFICATE_DAYS_MIN:
        found.append(
            warning(
                "BR-3105",
                subject,
                f"its certificate ends in {left_days:.1f} days, {certificate['notAfter']}",
                "renew the broker's certificate and have it loaded: kafka-configs --alter "
                "--entity-type brokers with its ssl.keystore.location",
            )
        )
    return found or [ok(subject, f"its certificate is accepted and good for {left_days:.0f} days")]


def issuers_of(connection: Any) -> list[tuple[str, str]]:
    """
    Name and end of each authority in the chain by which a certificate was accepted, root included.

    Empty where this Python cannot tell, as without verification.
    """
    # Public since Python 3.13, and then without the names.
    chain = getattr(getattr(connection, "_sslobj", None), "get_verified_chain", None)
    told = [one.get_info() for one in (chain() or ())[1:]] if chain is not None else []
    return [(_common_name(one["subject"]), one["notAfter"]) for one in told]


def _common_name(subject: Any) -> str:
    names = {key: value for part in subject for key, value in part}
    return str(names.get("commonName") or names.get("organizationName") or "an authority")


def _days_until(text: str) -> float:
    return (ssl.cert_time_to_seconds(text) - time.time()) / DAY_S


def _certificate_mend(problem: ssl.SSLCertVerificationError, host: str, port: int) -> str:
    text = problem.verify_message
    if "expired" in text or "not yet valid" in text:
        return "renew the broker's certificate, or set the clock: date -u"
    if "mismatch" in text or "doesn't match" in text:
        return (
            f"set tls.server_name_override to a name in the certificate, or have {host} put into "
            "it as subject alternative name"
        )
    return (
        "set tls.ca_file to the authority that signed it: openssl s_client -showcerts -connect "
        f"{host}:{port}"
    )


async def _judge_login(
    cluster: Cluster, subject: str, broker: str, connection: dict[str, Any], timeout_s: float
) -> list[Finding]:
    problem = await why_unreachable(
        {**connection, "bootstrap_servers": [broker]}, timeout_s=timeout_s
    )
    if problem is None:
        return [ok(subject, "it answers and lets us in")]
    mapped = map_kafka_error(
        problem, what="log in", principal=cluster.client.principal, broker=broker
    )
    if isinstance(mapped, Denied):
        code = "BR-3107" if "mechanism" in str(mapped) else "BR-3106"
        return [error(code, subject, str(mapped), mapped.hint, permission=True)]
    if connection["ssl_context"] is None and await _speaks_tls(*_address(broker), timeout_s):
        return [
            error(
                "BR-3104",
                subject,
                "it speaks TLS and the configuration has no tls section",
                "add tls: {ca_file: ...} to " + ", ".join(cluster.components),
            )
        ]
    return [
        error(
            "BR-3109",
            subject,
            f"it is there and does not answer as a broker that lets us in: {mapped}",
            "use the port of the listener that fits auth and tls: without auth PLAINTEXT or SSL, "
            "with it SASL_PLAINTEXT or SASL_SSL",
        )
    ]


def _judge_openness(cluster: Cluster, connection: dict[str, Any]) -> list[Finding]:
    subject = f"broker {cluster.broker}"
    found = []
    tls = cluster.client.tls
    if tls is not None and not tls.plaintext and tls.insecure_skip_verify:
        found.append(
            warning(
                "BR-3110",
                subject,
                "insecure_skip_verify is set: whoever answers is believed to be the broker",
                "remove insecure_skip_verify and set tls.ca_file",
            )
        )
    if connection["security_protocol"] == "SASL_PLAINTEXT" and (
        connection["sasl_mechanism"] in ("PLAIN", "OAUTHBEARER")
    ):
        found.append(
            warning(
                "BR-3111",
                subject,
                f"{connection['sasl_mechanism']} without TLS sends the secret in the clear",
                "add a tls section and use the SASL_SSL listener, or mechanism SCRAM-SHA-512",
            )
        )
    return found


async def _connect(host: str, port: int, timeout_s: float) -> str:
    """Why no connection can be made; empty if one can."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except (OSError, UnicodeError) as problem:
        return _short(problem)
    writer.close()
    return ""


async def _speaks_tls(host: str, port: int, timeout_s: float) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # Only whether it is TLS is asked; nothing is sent.
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except OSError:
        return False
    writer.close()
    return True


def _address(broker: str) -> tuple[str, int]:
    endpoint = parse_endpoint(broker, KAFKA_PORT)
    return endpoint.host, endpoint.port


def _short(problem: BaseException) -> str:
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return " ".join(str(problem).split()) or type(problem).__name__
