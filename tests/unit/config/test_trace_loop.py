"""`bridge.config.trace_loop`: the bridge must not be told to send its own traces to itself."""

import socket

import pytest

from bridge.config import ConfigErrors, Problem, load
from bridge.service import Registry


def _problems(receiver: str, otlp: str) -> list[Problem]:
    text = f"""
receivers: {{otlp: {{protocols: {{{receiver}}}}}}}
exporters: {{nop: {{}}}}
service:
  telemetry:
    traces: {{processors: [{{batch: {{exporter: {{otlp: {{{otlp}}}}}}}}}]}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}
"""
    try:
        load([f"yaml:{text}"], [], Registry(), {})
    except ConfigErrors as error:
        return [problem for problem in error.problems if problem.is_error]
    return []


@pytest.mark.parametrize(
    ("receiver", "otlp"),
    [
        ("grpc: {endpoint: 'localhost:4317'}", "protocol: grpc, endpoint: 'localhost:4317'"),
        ("grpc: {endpoint: '0.0.0.0:4317'}", "protocol: grpc, endpoint: '127.0.0.1:4317'"),
        ("grpc: {endpoint: ':4317'}", "protocol: grpc, endpoint: 'http://[::1]:4317'"),
        ("http: {endpoint: '127.0.0.1:4318'}", "endpoint: 'http://localhost:4318'"),
        ("http: {endpoint: '10.1.2.3:80'}", "endpoint: 'http://10.1.2.3/v1/traces'"),
        ("http: {endpoint: '0.0.0.0:4318'}", f"endpoint: 'http://{socket.gethostname()}:4318'"),
    ],
)
def test_own_receiver_as_backend_is_refused(receiver: str, otlp: str) -> None:
    """Under whichever name of this machine; the error stands at the endpoint."""
    (problem,) = _problems(receiver, otlp)

    assert problem.code == "BR-1410"
    assert problem.path.endswith("processors.0.batch.exporter.otlp.endpoint")


@pytest.mark.parametrize(
    ("receiver", "otlp"),
    [
        ("grpc: {endpoint: 'localhost:4317'}", "protocol: grpc, endpoint: 'localhost:4316'"),
        ("grpc: {endpoint: '0.0.0.0:4317'}", "protocol: grpc, endpoint: 'jaeger:4317'"),
        ("grpc: {endpoint: '127.0.0.1:4317'}", "protocol: grpc, endpoint: '10.1.2.3:4317'"),
    ],
)
def test_another_backend_is_fine(receiver: str, otlp: str) -> None:
    """Only what leads to this very process is refused."""
    assert _problems(receiver, otlp) == []
