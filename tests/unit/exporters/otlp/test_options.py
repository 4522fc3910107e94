"""Section exporters.otlp: defaults, refusals, and when TLS is spoken."""

import pytest
from pydantic import ValidationError

from bridge.exporters.otlp import OtlpOptions


def options(**keys: object) -> OtlpOptions:
    return OtlpOptions.model_validate({"endpoint": "backend:4317", **keys})


def test_otlp_defaults_are_the_collectors() -> None:
    """gzip, five seconds, retries on, TLS on."""
    made = options()

    assert (made.compression, made.timeout) == ("gzip", 5.0)
    assert made.retry_on_failure.enabled
    assert made.sending_queue.num_consumers == 10
    assert not made.plaintext


@pytest.mark.parametrize(
    ("keys", "plaintext"),
    [
        ({"tls": {"insecure": True}}, True),
        ({"endpoint": "http://backend:4317"}, True),
        ({"endpoint": "https://backend:4317", "tls": {"insecure": True}}, False),
        ({"endpoint": "dns:///backend:4317"}, False),
    ],
)
def test_otlp_scheme_decides_about_tls(keys, plaintext) -> None:
    """A scheme decides; without one, tls.insecure does."""
    assert options(**keys).plaintext is plaintext


def test_otlp_https_has_its_port() -> None:
    """https without a port means 443, as in grpc."""
    assert options(endpoint="https://backend").target.port == 443


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"endpoint": "backend"}, "port is missing"),
        ({"endpoint": ":4317"}, "host and port"),
        ({"timeout": "0s"}, "above 0"),
        ({"compression": "snappy"}, "'gzip', 'zstd'"),
        ({"keepalive": {"time": "0s"}}, "above 0"),
        ({"connections": 0}, "greater than or equal"),
        ({"sending_queue": {"storage": "disk"}}, "Kafka is the durable queue"),
        ({"endpiont": "x"}, "Extra inputs"),
    ],
)
def test_otlp_refuses_nonsense(keys, words) -> None:
    """A wrong key is refused with what is allowed."""
    with pytest.raises(ValidationError, match=words):
        options(**keys)


def test_otlp_reads_a_collectors_section() -> None:
    """The keys of existing files are accepted, those without effect too."""
    made = options(
        tls={"insecure": False, "ca_file": "ca.pem"},
        headers={"authorization": "Bearer CANARY"},
        keepalive={"time": "30s", "timeout": "10s", "permit_without_stream": True},
        balancer_name="round_robin",
        wait_for_ready=True,
        read_buffer_size=1024,
        write_buffer_size=1024,
        auth={"authenticator": "bearertokenauth"},
    )

    assert made.keepalive is not None
    assert "CANARY" not in repr(made)
