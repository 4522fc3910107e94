"""Real senders: the OpenTelemetry SDK, grpcio, grpclib and curl, in plain text and over TLS."""

import asyncio
import datetime
import ipaddress
import logging
import shutil
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpclib.client import Channel, UnaryUnaryMethod
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcMetrics,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpMetrics,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from bridge.core import Overloaded, Signal
from bridge.testing import FakeStage, trace_request
from tests.unit.receivers.otlp.clients import EXPORT_PATHS, Running, running

pytestmark = pytest.mark.slow


def send_span(exporter: Any) -> None:
    """One span by the SDK."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("s"):
        pass
    provider.shutdown()


def send_metric(exporter: Any) -> None:
    """One data point by the SDK."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("test").create_counter("c").add(1)
    provider.shutdown()


def send_log(exporter: Any) -> None:
    """One log record by the SDK."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("test").emit(
        body="hello", severity_number=SeverityNumber.INFO, severity_text="INFO"
    )
    provider.shutdown()


SENDERS: list[tuple[Signal, Callable[[Any], None], Any, Any]] = [
    (Signal.TRACES, send_span, GrpcSpans, HttpSpans),
    (Signal.METRICS, send_metric, GrpcMetrics, HttpMetrics),
    (Signal.LOGS, send_log, GrpcLogs, HttpLogs),
]


def url(run: Running, signal: Signal, scheme: str = "http") -> str:
    """Where a signal goes over HTTP."""
    host, port = run.http
    return f"{scheme}://{host}:{port}/v1/{signal.value}"


@pytest.mark.parametrize(("signal", "send", "grpc_exporter", "http_exporter"), SENDERS)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
async def test_sdk_exporters_are_understood(
    signal: Signal,
    send: Callable[[Any], None],
    grpc_exporter: Any,
    http_exporter: Any,
    compressed: bool,
) -> None:
    """Every signal, both transports, with and without gzip."""
    async with running() as run:
        over_grpc = grpc_exporter(
            endpoint=run.grpc,
            insecure=True,
            compression=grpc.Compression.Gzip if compressed else None,
        )
        over_http = http_exporter(
            endpoint=url(run, signal),
            compression=Compression.Gzip if compressed else Compression.NoCompression,
        )
        await asyncio.to_thread(send, over_grpc)
        await asyncio.to_thread(send, over_http)

        assert [batch.signal for batch in run.stage.taken] == [signal, signal]
        assert run.stage.items == 2
        assert run.value("bridge_receiver_requests", outcome="ok") == 2


async def test_sdk_exporters_come_back_after_overload(caplog: pytest.LogCaptureFixture) -> None:
    """They read the retry hints of both transports and deliver at last."""
    caplog.set_level(logging.CRITICAL)
    refusal = Overloaded("full", retry_after_s=0.01)
    async with running(FakeStage(refusal)) as run:
        await asyncio.to_thread(send_span, GrpcSpans(endpoint=run.grpc, insecure=True))
        run.stage.answer(refusal)
        await asyncio.to_thread(send_span, HttpSpans(endpoint=url(run, Signal.TRACES)))

        assert run.stage.items == 2
        assert run.value("bridge_receiver_requests", outcome="overloaded") == 2


async def test_grpcio_sends_many_at_once() -> None:
    """A thousand calls over one channel, in bodies up to several frames and windows."""
    bodies = [trace_request(1, 1, seed=n, padding_bytes=n * 40).body for n in range(1_000)]
    async with running() as run:
        async with grpc.aio.insecure_channel(run.grpc) as channel:
            export = channel.unary_unary(EXPORT_PATHS[Signal.TRACES])
            answers = await asyncio.gather(*(export(body, timeout=30) for body in bodies))

        assert set(answers) == {b""}
        assert sorted(batch.body for batch in run.stage.taken) == sorted(bodies)
        assert run.value("bridge_receiver_in_flight_bytes") == 0


async def test_grpcio_sends_large_messages() -> None:
    """Tens of MiB pass the flow control of both sides."""
    body = trace_request(1, 1, padding_bytes=30 << 20).body
    async with running() as run:
        async with grpc.aio.insecure_channel(run.grpc) as channel:
            export = channel.unary_unary(EXPORT_PATHS[Signal.TRACES])
            await asyncio.gather(*(export(body, timeout=30) for _ in range(3)))

        assert [len(batch.body) for batch in run.stage.taken] == [len(body)] * 3


async def test_grpcio_survives_connections_that_end() -> None:
    """A maximum age in the middle of traffic is not noticed by calls."""
    keepalive = {"server_parameters": {"max_connection_age": "300ms"}}
    body = trace_request().body
    async with running(grpc_options={"keepalive": keepalive}) as run:
        async with grpc.aio.insecure_channel(run.grpc) as channel:
            export = channel.unary_unary(EXPORT_PATHS[Signal.TRACES])
            while run.value("bridge_receiver_connections_closed", reason="age") < 3:
                await asyncio.gather(*(export(body, timeout=5) for _ in range(20)))

        assert run.value("otelcol_receiver_refused_spans") == 0


async def test_grpclib_is_understood() -> None:
    """Another HTTP/2 implementation."""
    request = ExportTraceServiceRequest.FromString(trace_request(5).body)
    async with running() as run:
        host, port = run.receiver.endpoints()["grpc"]
        async with Channel(host, port) as channel:
            export = UnaryUnaryMethod(
                channel,
                EXPORT_PATHS[Signal.TRACES],
                ExportTraceServiceRequest,
                ExportTraceServiceResponse,
            )
            for _ in range(3):
                answer = await export(request, timeout=5)

        assert answer == ExportTraceServiceResponse()
        assert run.stage.items == 15


async def curl(*args: str) -> str:
    """What curl prints: the body, then the status."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-w", "\n%{http_code}", *args, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return output.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_sends_json(tmp_path: Path) -> None:
    """A file of two MiB, for which curl asks first whether it may."""
    span = '{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"%s"}'
    document = '{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}' % (span % ("x" * (2 << 20)))
    path = tmp_path / "spans.json"
    path.write_text(document)
    async with running() as run:
        taken = await curl(
            "-H", "Content-Type: application/json", "-d", f"@{path}", url(run, Signal.TRACES)
        )
        refused = await curl("-d", f"@{path}", url(run, Signal.TRACES))

        assert taken == "{}\n200"
        assert refused.endswith("\n415")
        assert run.stage.items == 1


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_at_the_wrong_port_reads_why() -> None:
    """HTTP/1.1 at the gRPC port is answered in its own language."""
    async with running() as run:
        answer = await curl("-d", "x", f"http://{run.grpc}/v1/traces")

    assert "This port speaks gRPC" in answer
    assert answer.endswith("\n400")


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path


async def test_tls_on_both_transports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a certificate of its own; HTTP/2 is agreed on by ALPN."""
    # The SDK's HTTP library lets these override the file that it was given.
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    cert_path, key_path = make_certificate(tmp_path)
    tls = {"tls": {"cert_file": str(cert_path), "key_file": str(key_path)}}
    async with running(grpc_options=tls, http_options=tls) as run:
        credentials = grpc.ssl_channel_credentials(cert_path.read_bytes())
        over_grpc = GrpcSpans(endpoint=run.grpc, credentials=credentials)
        over_http = HttpSpans(
            endpoint=url(run, Signal.TRACES, "https"), certificate_file=str(cert_path)
        )
        await asyncio.to_thread(send_span, over_grpc)
        await asyncio.to_thread(send_span, over_http)

        assert run.stage.items == 2


async def test_tls_client_without_a_certificate_is_refused(tmp_path: Path) -> None:
    """With `client_ca_file`, only who shows one may send; others do not disturb."""
    cert_path, key_path = make_certificate(tmp_path)
    tls = {
        "tls": {
            "cert_file": str(cert_path),
            "key_file": str(key_path),
            "client_ca_file": str(cert_path),
        }
    }
    async with running(grpc_options=tls) as run:
        make = partial(grpc.ssl_channel_credentials, cert_path.read_bytes())
        known = make(key_path.read_bytes(), cert_path.read_bytes())
        async with grpc.aio.secure_channel(run.grpc, make()) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await channel.unary_unary(EXPORT_PATHS[Signal.TRACES])(b"", timeout=5)
        async with grpc.aio.secure_channel(run.grpc, known) as channel:
            answer = await channel.unary_unary(EXPORT_PATHS[Signal.TRACES])(b"", timeout=5)

    assert answer == b""


async def test_plain_text_client_at_a_tls_port_does_not_disturb(tmp_path: Path) -> None:
    """Its handshake fails; the next client is served."""
    cert_path, key_path = make_certificate(tmp_path)
    tls = {"tls": {"cert_file": str(cert_path), "key_file": str(key_path)}}
    async with running(grpc_options=tls) as run:
        host, port = run.receiver.endpoints()["grpc"]
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        await reader.read()
        writer.close()
        context = ssl.create_default_context(cafile=str(cert_path))
        context.set_alpn_protocols(["h2"])
        _, secure = await asyncio.open_connection(host, port, ssl=context)
        agreed = secure.get_extra_info("ssl_object").selected_alpn_protocol()
        secure.close()

    assert agreed == "h2"
