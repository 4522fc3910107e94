"""
CPU of the filter and transform processors, ours alone and a Collector's on the same requests.

    python perf/bench_ottl.py [--seconds 3] [--requests 3000] [--order sdk|collector]
                              [--no-collector]

Ours runs in this process: a batch's bytes in, the changed batch's bytes out, nothing sent. The
Collector is the one that ``perf/peers/build-collector`` builds; it receives the same requests by
HTTP and drops them behind the processor. Its figure for the processor alone is the difference to a
run without one, so it does not hold the decoding, which ours does.
"""

import argparse
import asyncio
import http.client
import json
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import PEERS, Figures, Process
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Batch, Signal
from bridge.processors import filter as filter_processor
from bridge.processors import transform as transform_processor
from bridge.testing import FakeStage, ManualClock, Order, make_settings, otlp_origin

SPANS_A_REQUEST = 100
DISTINCT_REQUESTS = 50

TEN_STATEMENTS = [
    (
        'set(span.attributes["env"], "prod") '
        'where resource.attributes["deployment.environment"] == nil'
    ),
    'set(span.attributes["tier"], "web") where span.kind == SPAN_KIND_SERVER',
    'delete_key(span.attributes, "net.peer.port")',
    'replace_pattern(span.attributes["url.path"], "/[0-9]+", "/{id}")',
    (
        'set(span.name, Concat([span.attributes["http.request.method"], '
        'span.attributes["url.path"]], " "))'
    ),
    (
        "set(span.status.code, STATUS_CODE_ERROR) "
        'where span.attributes["http.response.status_code"] >= 500'
    ),
    'delete_matching_keys(span.attributes, "^internal\\\\.")',
    (
        'set(span.attributes["user.hash"], SHA256(span.attributes["user.id"])) '
        'where span.attributes["user.id"] != nil'
    ),
    "truncate_all(span.attributes, 128)",
    'set(span.attributes["long"], true) where span.end_time - span.start_time > Duration("200ms")',
]


@dataclass(frozen=True)
class Workload:
    """A processor and its config."""

    name: str
    kind: str
    config: dict[str, Any]


WORKLOADS = [
    Workload(
        "filter by one attribute",
        "filter",
        {"trace_conditions": ['span.attributes["http.response.status_code"] == 404']},
    ),
    Workload(
        "filter by name with IsMatch",
        "filter",
        {"trace_conditions": ['IsMatch(span.name, "^(GET|POST) /health")']},
    ),
    Workload(
        "transform with where",
        "transform",
        {
            "trace_statements": [
                'set(span.attributes["tier"], "web") where span.kind == SPAN_KIND_SERVER',
                'delete_key(span.attributes, "net.peer.port") where span.kind == SPAN_KIND_SERVER',
                (
                    'replace_pattern(span.attributes["url.path"], "/[0-9]+", "/{id}") '
                    "where span.kind == SPAN_KIND_SERVER"
                ),
            ]
        },
    ),
    Workload("transform with 10 statements", "transform", {"trace_statements": TEN_STATEMENTS}),
]


def requests(order: Order = Order.SDK) -> list[bytes]:
    """Requests of several services, with the attributes of web servers and database clients."""
    dice = random.Random(3)
    return [_request(dice, order) for _ in range(DISTINCT_REQUESTS)]


def _request(dice: random.Random, order: Order) -> bytes:
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    service = f"service-{dice.randrange(9)}"
    for key in ("service.name", "host.name", "service.version", "k8s.pod.name"):
        group.resource.attributes.add(key=key).value.string_value = f"{key}-{service}"
    scope = group.scope_spans.add()
    scope.scope.name = "io.example.http"
    for _ in range(SPANS_A_REQUEST):
        _add_span(scope, dice)
    return order.encode(message)


def _add_span(scope: Any, dice: random.Random) -> None:
    server = dice.random() < 0.4
    method = dice.choice(["GET", "POST", "PUT"])
    path = f"/api/items/{dice.randrange(10_000)}" if dice.random() < 0.97 else "/health"
    began = 1_800_000_000_000_000_000 + dice.randrange(10**9)
    span = scope.spans.add(
        trace_id=dice.randbytes(16),
        span_id=dice.randbytes(8),
        parent_span_id=dice.randbytes(8),
        name=f"{method} {'/health' if path == '/health' else '/api/items/:id'}",
        kind=2 if server else 3,
        start_time_unix_nano=began,
        end_time_unix_nano=began + dice.randrange(300_000_000),
    )
    for key, value in (
        ("http.request.method", method),
        ("url.path", path),
        ("url.scheme", "https"),
        ("server.address", "shop.example.com"),
        ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
        ("network.protocol.version", "1.1"),
        ("user.id", f"user-{dice.randrange(100_000)}"),
        ("internal.shard", f"shard-{dice.randrange(64)}"),
    ):
        span.attributes.add(key=key).value.string_value = value
    status = dice.choices([200, 404, 500], [0.93, 0.05, 0.02])[0]
    span.attributes.add(key="http.response.status_code").value.int_value = status
    span.attributes.add(key="net.peer.port").value.int_value = dice.randrange(1024, 65536)
    event = span.events.add(name="message", time_unix_nano=began + 5)
    event.attributes.add(key="message.id").value.int_value = 1


async def ours(workload: Workload, bodies: list[bytes], seconds: float) -> Figures:
    """Microseconds of CPU a span, one figure a round over all bodies."""
    module = filter_processor if workload.kind == "filter" else transform_processor
    clock = ManualClock()
    stage = FakeStage()
    factory: Any = module.FACTORY
    processor = factory.create(
        factory.config.model_validate(workload.config),
        make_settings(workload.kind, clock=clock),
        Signal.TRACES,
        stage,
    )
    batches = [Batch(Signal.TRACES, body, SPANS_A_REQUEST, otlp_origin(clock)) for body in bodies]
    for batch in batches:
        await processor.deliver(batch)
    figures = Figures()
    began = time.process_time()
    while time.process_time() - began < seconds:
        start = time.process_time()
        for batch in batches:
            await processor.deliver(batch)
        stage.taken.clear()
        spans = len(batches) * SPANS_A_REQUEST
        figures.values.append((time.process_time() - start) / spans * 1e6)
    return figures


@contextmanager
def collector(workload: Workload | None) -> Iterator[tuple[Process, int]]:
    """A Collector that receives, processes and drops."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    processors = {} if workload is None else {workload.kind: workload.config}
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": processors,
        "exporters": {"nop": {}},
        "service": {
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": list(processors),
                    "exporters": ["nop"],
                }
            },
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        # The Collector expands $; JSON is YAML.
        file.write_text(json.dumps(config).replace("$", "$$"))
        log = Path(folder) / "log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [PEERS / "bin/otelcol-peer", "--config", file], stdout=output, stderr=output
            )
        process = Process("collector", popen, log)
        try:
            _wait_for(port)
            yield process, port
        finally:
            process.stop()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the Collector does not listen")


def theirs(workload: Workload | None, bodies: list[bytes], count: int) -> float:
    """Microseconds of CPU a span, with receiving and decoding."""
    with collector(workload) as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number in range(count // 5):
            _post(connection, bodies[number % len(bodies)])
        began = process.cpu_s()
        for number in range(count):
            _post(connection, bodies[number % len(bodies)])
        used = process.cpu_s() - began
        connection.close()
    return used / (count * SPANS_A_REQUEST) * 1e6


def _post(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise RuntimeError(f"the Collector answered {response.status}")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--order", choices=["sdk", "collector"], default="sdk")
    parser.add_argument("--no-collector", action="store_true")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bodies = requests(Order(given.order))
    print(f"order of fields: {given.order}")
    print(f"{len(bodies[0]) / SPANS_A_REQUEST:.0f} bytes a span, {SPANS_A_REQUEST} spans a request")
    alone = 0.0 if given.no_collector else theirs(None, bodies, given.requests)
    if alone:
        print(f"Collector without a processor: {alone:.2f} us a span")
    print(
        "| workload | ours us: min / median / max | ours spans/CPU s | Collector us alone "
        "| with receiving |"
    )
    print("| --- | --- | --- | --- | --- |")
    for workload in WORKLOADS:
        mine = asyncio.run(ours(workload, bodies, given.seconds))
        whole = theirs(workload, bodies, given.requests) if alone else 0.0
        print(
            f"| {workload.name} | {mine} | {1e6 / mine.median:,.0f} "
            f"| {whole - alone:.2f} | {whole:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
