"""A sidecar's ``run``: what it imports, and what it exits with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli.plain_run import RunArguments
from bridge.cli.starting import start_guarded
from bridge.core.lean import PUT_OFF

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

PROCESSING = """
receivers:
  kafka: {brokers: ["127.0.0.1:9"], group_id: g, traces: {topics: [otlp_spans]}}
exporters:
  otlp: {endpoint: "127.0.0.1:9", tls: {insecure: true}}
service:
  telemetry: {metrics: {address: "127.0.0.1:0"}}
  pipelines:
    traces: {receivers: [kafka], exporters: [otlp]}
"""

EVERYWHERE = frozenset(
    (
        *("aiokafka", "async_timeout", "packaging"),
        *("annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"),
        *("google", "hpack", "httptools", "ruamel", "structlog", "uvloop", "xxhash"),
    )
)
"""
Packages that any run imports. What it costs: perf/results/2026-11-28-idle-memory.md; one more has
to be worth its memory in every sidecar.
"""

HEAVY = frozenset(
    (
        # Command lines, colours, languages, schemas: for verbs at a terminal.
        *("cyclopts", "rich", "pygments", "lark", "jsonschema", "aiohttp"),
        # The demo's broker and clients.
        *("confluent_kafka", "grpc", "grpclib", "opentelemetry.sdk", "bridge.testing"),
        # Components that none of these configurations has, and what only they need.
        *("h2", "bridge.ottl", "bridge.processors", "bridge.extensions", "bridge.service.parent"),
        *("bridge.exporters.otlp_http", "bridge.wire.otlp_json"),
        # Servers and clients of the standard library, which drag e-mail and HTML along.
        *("http.server", "http.client", "urllib.request", "html", "wsgiref", "email.message"),
        # Archives and tables, for what `bridge.core.installed` reads of a few lines.
        *("importlib.metadata", "importlib.resources", "zipfile", "csv"),
        # What runs once it is used: `bridge.core.lean.PUT_OFF`.
        *PUT_OFF,
        *("google.protobuf.text_format", "hpack.huffman_table"),
    )
)

PROGRAM = """
import json, os, sys, types
from bridge.core import start_lean
start_lean()
import bridge.service.runner as runner
def tell(path, endpoints):
    ran = [name for name, module in sys.modules.items() if type(module) is types.ModuleType]
    print(json.dumps(sorted(ran)), flush=True)
    os._exit(0)
runner.write_ready = tell
from bridge.cli import main
main(sys.argv[1:])
"""


def _ran(config: str, folder: Path) -> set[str]:
    """Modules whose code has run in a process that runs *config*, once it listens."""
    file = folder / "config.yaml"
    file.write_text(config)
    arguments = ["run", "--config", str(file), "--ready-file", str(folder / "ready")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def _packages(ran: set[str]) -> set[str]:
    """What is neither ours nor of Python; set-up of editable installs and of coverage left out."""
    roots = {name.partition(".")[0].lstrip("_") for name in ran} - {"bridge", "main__"}
    of_python = {name.lstrip("_") for name in sys.stdlib_module_names}
    marks = ("editable", "distutils", "sysconfigdata", "cython", "coverage", "a1_coverage")
    return {root for root in roots - of_python if not root.startswith(marks)}


@pytest.mark.parametrize(
    ("config", "needed", "needless"),
    [
        (
            SIDECAR,
            {"bridge.receivers.otlp", "bridge.exporters.kafka"},
            {
                *("bridge.receivers.kafka", "bridge.exporters.otlp"),
                *("bridge.kafka.session", "bridge.kafka.inspection", "aiokafka.admin"),
            },
        ),
        (
            PROCESSING,
            {"bridge.receivers.kafka", "bridge.exporters.otlp"},
            {
                *("bridge.receivers.otlp", "bridge.exporters.kafka"),
                *("bridge.kafka.flusher", "bridge.kafka.raw_producer", "bridge.kafka.inspection"),
            },
        ),
    ],
    ids=["sidecar", "processing"],
)
def test_run_imports_only_what_it_runs(
    config: str, needed: set[str], needless: set[str], tmp_path: Path
) -> None:
    """Design section 9, rule 21: the start of a sidecar and its memory depend on it."""
    ran = _ran(config, tmp_path)

    assert needed <= ran
    assert ran & (HEAVY | needless) == set()
    assert _packages(ran) == EVERYWHERE


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
