"""A sidecar's ``run``: what it imports, and what it exits with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli.plain_run import RunArguments
from bridge.cli.starting import start_guarded

SIDECAR = """
receivers:
  otlp: {protocols: {grpc: {endpoint: 127.0.0.1:0}, http: {endpoint: 127.0.0.1:0}}}
exporters:
  kafka: {brokers: ["127.0.0.1:9"], traces: {topic: otlp_spans}}
service:
  telemetry: {metrics: {address: "127.0.0.1:0"}}
  pipelines:
    traces: {receivers: [otlp], exporters: [kafka]}
"""

HEAVY = frozenset(
    (
        # Command lines, colours, languages, schemas: for verbs at a terminal.
        *("cyclopts", "rich", "pygments", "lark", "jsonschema", "aiohttp"),
        # The demo's broker and clients.
        *("confluent_kafka", "grpc", "grpclib", "opentelemetry.sdk", "bridge.testing"),
        # Components that this configuration does not have, and what only they need.
        *("h2", "bridge.ottl", "bridge.processors", "bridge.extensions", "bridge.receivers.kafka"),
        *("bridge.exporters.otlp", "bridge.exporters.otlp_http", "bridge.service.parent"),
    )
)

PROGRAM = """
import json, os, sys
from bridge.core import start_lean
start_lean()
import bridge.service.runner as runner
def tell(path, endpoints):
    print(json.dumps(sorted(sys.modules)), flush=True)
    os._exit(0)
runner.write_ready = tell
from bridge.cli import main
main(sys.argv[1:])
"""


def test_sidecar_imports_only_what_it_runs(tmp_path: Path) -> None:
    """Design section 9, rule 21: the start of a sidecar and its memory depend on it."""
    file = tmp_path / "sidecar.yaml"
    file.write_text(SIDECAR)
    arguments = ["run", "--config", str(file), "--ready-file", str(tmp_path / "ready")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True
    )

    loaded = set(json.loads(done.stdout))
    assert {"bridge.receivers.otlp", "bridge.exporters.kafka", "aiokafka"} <= loaded
    assert loaded & HEAVY == set()


def test_plain_run_of_a_broken_config_tells_all_and_exits_with_78(
    broken: str, tmp_path: Path
) -> None:
    """The short way prints what the long way prints."""
    told = [
        subprocess.run(
            [sys.executable, "-m", "bridge", "run", *way, broken],
            capture_output=True,
            text=True,
            check=False,
        )
        for way in (["--config"], [])
    ]

    assert [each.returncode for each in told] == [78, 78]
    assert "BR-1301" in told[0].stderr
    assert told[0].stderr == told[1].stderr


def test_error_of_the_bridge_becomes_the_exit_code(
    good: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for every other verb."""
    import bridge.service
    from bridge.core import Denied

    def refuse(*_: object, **__: object) -> int:
        raise Denied("no way")

    monkeypatch.setattr(bridge.service, "run", refuse)

    assert start_guarded(RunArguments(config=[good])) == 77
    assert "no way" in capsys.readouterr().err
