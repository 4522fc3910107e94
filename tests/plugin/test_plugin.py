"""A distribution of its own adds components, runs from YAML and keeps the contract."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.testing import trace_request

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a process that has the plugin installed, in a folder beside the environment."""
    target = tmp_path_factory.mktemp("plugin")
    # The build leaves its own folders beside the source: it gets a copy.
    source = target / "source"
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("*.egg-info", "build", "*.pyc"))
    installed = target / "installed"
    command = [_find_uv(), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    subprocess.run([*command, "--target", installed, source], check=True, timeout=50)
    return {**os.environ, "PYTHONPATH": str(installed)}


def _find_uv() -> str:
    """The uv that set the environment up."""
    uv = shutil.which("uv") or shutil.which("uv", path=ROOT / ".tools" / "bin")
    assert uv, "uv is missing: run tools/set-up python"
    return uv


def test_plugin_keeps_the_contract(environment: dict[str, str]) -> None:
    """The three components pass every check of the shipped kits."""
    done = subprocess.run(
        [sys.executable, HERE / "conformance_cases.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") >= 20


def test_plugin_is_listed_with_its_sections(environment: dict[str, str]) -> None:
    """The registry finds its types by entry point, beside our own."""
    script = (
        "from bridge.service import Registry; registry = Registry();"
        "print(*('lines' in registry.types(kind) for kind in ('receivers', 'exporters')),"
        "registry.factory('processors', 'stamp').config.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )

    assert done.stdout.split() == ["True", "True", "StampOptions"], done.stderr


@pytest.fixture
def archive() -> Iterator[socket.socket]:
    """A listener that stands for whoever takes the lines."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


def test_plugin_runs_from_yaml(
    environment: dict[str, str], archive: socket.socket, tmp_path: Path
) -> None:
    """A line sent to the receiver comes out of the exporter, stamped, before it is answered."""
    config = tmp_path / "lines.yaml"
    config.write_text(
        f"""
receivers: {{lines: {{endpoint: "127.0.0.1:0"}}}}
processors: {{stamp: {{value: edge-1}}}}
exporters: {{lines: {{endpoint: "127.0.0.1:{archive.getsockname()[1]}"}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [lines], processors: [stamp], exporters: [lines]}}
"""
    )
    ready = tmp_path / "ready.json"
    command = [Path(sys.executable).parent / "otlp-bridge", "run", "--config", config]
    process = subprocess.Popen([*command, "--ready-file", ready], env=environment)
    try:
        host, port = _wait_ready(process, ready)["receivers/lines/lines"].rsplit(":", 1)
        made = trace_request(2, 2)
        with socket.create_connection((host, int(port)), timeout=20) as sender:
            answers = sender.makefile("rb")
            line = _exchange(sender, archive, b"traces", made.items, made.body)
            answer = answers.readline()
    finally:
        process.terminate()
        code = process.wait(20)

    request = ExportTraceServiceRequest.FromString(line)
    stamps = {a.key: a.value.string_value for a in request.resource_spans[0].resource.attributes}
    assert answer == b"ok\n"
    assert stamps["stamped.by"] == "edge-1"
    assert code == 0


def _wait_ready(process: subprocess.Popen[bytes], ready: Path) -> dict[str, str]:
    deadline = time.monotonic() + 30
    while not ready.exists():
        assert process.poll() is None, f"otlp-bridge ended with {process.returncode}"
        assert time.monotonic() < deadline, "otlp-bridge is not ready"
        time.sleep(0.05)
    endpoints: dict[str, str] = json.loads(ready.read_text())["endpoints"]
    return endpoints


def _exchange(
    sender: socket.socket, archive: socket.socket, signal: bytes, items: int, body: bytes
) -> bytes:
    """Send one line, take it at the other end, answer ok, and give the body that came out."""
    import base64

    sender.sendall(b"%s %d %s\n" % (signal, items, base64.b64encode(body)))
    connection, _ = archive.accept()
    with connection, connection.makefile("rb") as stream:
        got_signal, got_items, got_body = stream.readline().split(b" ")
        assert (got_signal, int(got_items)) == (signal, items)
        connection.sendall(b"ok\n")
    return base64.b64decode(got_body)
