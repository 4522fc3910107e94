"""What the doctor makes of the machine it runs on."""

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.config import LoadedConfig, load
from bridge.options import Endpoint
from bridge.service import Registry
from bridge.service.doctor.machine import (
    MIB,
    Listener,
    holder_of,
    judge_files,
    judge_memory,
    judge_ports,
    listeners_of,
    memory_bounds,
)

CONFIG = """
receivers:
  otlp:
    protocols: {grpc: {endpoint: "127.0.0.1:0"}, http: {max_connections: 100}}
    max_in_flight_mib: 300
  kafka: {brokers: ["localhost:1"], max_in_flight_total_mib: 64}
processors:
  tail_sampling: {memory_limit_mib: 200, policies: [{name: all, type: always_sample}]}
exporters:
  kafka: {producer: {max_buffered_bytes: 16777216}}
  nop: {}
extensions:
  health_check: {}
service:
  extensions: [health_check]
  pipelines:
    traces/in: {receivers: [otlp], exporters: [kafka]}
    traces/out: {receivers: [kafka], processors: [tail_sampling], exporters: [nop]}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedConfig:
    """A configuration with every kind of bound."""
    file = tmp_path / "bridge.yaml"
    file.write_text(CONFIG)
    return load([str(file)], [], Registry(), os.environ)


def test_every_bound_of_bytes_is_added_up(loaded: LoadedConfig) -> None:
    """Of the components in use, nested sections too."""
    assert memory_bounds(loaded) == {
        "receivers.otlp.max_in_flight_mib": 300 * MIB,
        "receivers.kafka.max_in_flight_total_mib": 64 * MIB,
        "processors.tail_sampling.memory_limit_mib": 200 * MIB,
        "exporters.kafka.producer.max_buffered_bytes": 16 * MIB,
    }


def test_bounds_above_the_memory_are_a_warning() -> None:
    """The largest is named; the process itself takes 64 MiB."""
    bounds = {"a.b": 100 * MIB, "c.d": 36 * MIB}
    (fits,) = judge_memory(bounds, 200 * MIB)
    (tight,) = judge_memory(bounds, 200 * MIB - 1)

    assert fits.severity.value == "ok"
    assert (tight.code, tight.severity.value) == ("BR-3703", "warning")
    assert "a.b 100 MiB" in tight.cause


def test_every_listener_is_known(loaded: LoadedConfig) -> None:
    """By its key, with the connections it may have."""
    found = {one.key: (one.endpoint.port, one.connections_max) for one in listeners_of(loaded)}

    assert found == {
        "receivers.otlp.protocols.grpc.endpoint": (0, 4096),
        "receivers.otlp.protocols.http.endpoint": (4318, 100),
        "extensions.health_check.endpoint": (13133, 0),
        "service.telemetry.metrics": (8888, 0),
    }


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ((1024, 4096), "BR-3702"),
        ((4224, 4224), "BR-3000"),
        ((4223, 1 << 20), "BR-3702"),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), "BR-3000"),
    ],
)
def test_open_files_must_hold_all_connections(limits: tuple[int, int], code: str) -> None:
    """4096 connections and 128 beside."""
    (found,) = judge_files([Listener("k", Endpoint("", 1), False, 4096)], limits)

    assert found.code == code


def test_port_in_use_names_who_holds_it() -> None:
    """This very process, by its id."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = judge_ports([Listener("receivers.otlp", Endpoint("127.0.0.1", port))])

        assert (found.code, found.severity.value) == ("BR-3701", "error")
        assert f"process {os.getpid()}" in found.cause
        assert "receivers.otlp" in found.mend
    assert holder_of(port) == ""


def test_port_of_a_worker_is_that_of_a_bridge() -> None:
    """Its command line is a program text: it is known by the module that it runs."""
    program = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); sys.stdin.read(); 'bridge.service.worker'"
    )
    command = (sys.executable, "-c", program)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        port = int(worker.stdout.readline())
        (found,) = judge_ports([Listener("receivers.otlp", Endpoint("127.0.0.1", port))])
        assert worker.stdin is not None
        worker.stdin.close()

    assert found.code == "BR-3704"
    assert f"otlp-bridge (process {worker.pid})" in found.cause


def test_free_ports_are_ok_and_equal_ones_are_not() -> None:
    """Two listeners at one address cannot both be."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    one = Listener("a", Endpoint("127.0.0.1", port))
    two = Listener("b", Endpoint("127.0.0.1", port))

    assert [each.code for each in judge_ports([one])] == ["BR-3000"]
    assert [each.code for each in judge_ports([one, two])] == ["BR-3706"]


def test_address_of_another_machine_is_told() -> None:
    """192.0.2.1 is kept for documentation: no machine has it."""
    (found,) = judge_ports([Listener("a", Endpoint("192.0.2.1", 4317))])

    assert found.code == "BR-3705"
