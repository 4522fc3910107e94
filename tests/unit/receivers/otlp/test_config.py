"""The section as people write it."""

from typing import Any

import pytest
from pydantic import ValidationError

from bridge.receivers.otlp import OtlpReceiverOptions

MIB = 1 << 20


def load(grpc: Any = None, http: Any = None, **options: Any) -> OtlpReceiverOptions:
    """Options of these sections; `None` leaves one out."""
    protocols = {key: value for key, value in (("grpc", grpc), ("http", http)) if value is not None}
    return OtlpReceiverOptions.model_validate({"protocols": protocols, **options})


def test_empty_sections_take_the_defaults() -> None:
    """``grpc:`` and ``http:`` alone listen on localhost, with OTLP's limits."""
    options = OtlpReceiverOptions.model_validate({"protocols": {"grpc": None, "http": None}})

    grpc, http = options.protocols.grpc, options.protocols.http
    assert grpc is not None
    assert http is not None
    assert (grpc.endpoint, http.endpoint) == ("localhost:4317", "localhost:4318")
    assert grpc.max_recv_msg_size_mib * MIB == http.body_bytes_max == 64 * MIB
    assert options.answer_timeout == 4.0


def test_zero_is_the_default_of_limits() -> None:
    """As people write it who want the Collector's default."""
    options = load(
        grpc={"max_recv_msg_size_mib": 0, "max_concurrent_streams": 0},
        http={"max_request_body_size": 0, "read_timeout": "0s"},
    )

    grpc, http = options.protocols.grpc, options.protocols.http
    assert grpc is not None
    assert http is not None
    assert grpc.message_bytes_max == http.body_bytes_max == 64 * MIB
    assert grpc.concurrent_streams_max == 100


def test_protocol_that_is_not_named_is_off() -> None:
    """As in the Collector."""
    assert load(grpc={}).protocols.http is None


def test_collector_section_is_taken_whole() -> None:
    """Keys that people's files hold are known, also those without effect."""
    options = load(
        grpc={
            "endpoint": "0.0.0.0:4317",
            "transport": "tcp",
            "max_recv_msg_size_mib": 16,
            "max_concurrent_streams": 200,
            "read_buffer_size": 1024,
            "write_buffer_size": 1024,
            "include_metadata": True,
            "auth": {"authenticator": "bearertokenauth/x"},
            "keepalive": {
                "server_parameters": {
                    "max_connection_idle": "11s",
                    "max_connection_age": "12s",
                    "max_connection_age_grace": "13s",
                    "time": "30s",
                    "timeout": "5s",
                },
                "enforcement_policy": {"min_time": "10s", "permit_without_stream": True},
            },
        },
        http={
            "endpoint": ":4318",
            "max_request_body_size": 0,
            "cors": {"allowed_origins": ["https://*.example.com"], "max_age": 7200},
            "response_headers": {"X-A": "b"},
            "compression_algorithms": ["", "gzip"],
            "traces_url_path": "traces",
            "idle_timeout": "1m",
            "read_header_timeout": "1m",
            "write_timeout": "30s",
            "keep_alives_enabled": False,
        },
    )

    grpc, http = options.protocols.grpc, options.protocols.http
    assert grpc is not None
    assert http is not None
    assert grpc.keepalive.server_parameters.max_connection_age == 12.0
    assert http.traces_url_path == "/traces"
    assert http.body_bytes_max == 64 * MIB


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({}, "no protocol"),
        ({"grpc": {"endpoint": "http://localhost:4317"}}, "no scheme"),
        ({"grpc": {"endpoint": "localhost"}}, "port is missing"),
        ({"grpc": {"endpoint": "unix:///tmp/a"}}, "unix sockets"),
        ({"grpc": {"max_recv_msg_size": 4}}, "max_recv_msg_size"),
        ({"http": {"compression_algorithms": ["snappy"]}}, "compression_algorithms"),
        ({"http": {"traces_url_path": "/v1/logs"}}, "must differ"),
        ({"http": {"traces_url_path": ""}}, "path is empty"),
        ({"http": {"auth": {"authenticator": "!"}}}, "component id"),
        ({"grpc": {"max_recv_msg_size_mib": 200}}, "max_in_flight_mib"),
    ],
)
def test_mistake_is_explained(sections: dict[str, Any], words: str) -> None:
    """The message holds what is wrong."""
    with pytest.raises(ValidationError) as error:
        load(**sections)

    assert words in str(error.value)
