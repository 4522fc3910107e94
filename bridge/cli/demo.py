"""
``otlp-bridge demo``: the whole bridge in one process, traces through it, and what became of them.

The pieces are those of production: the SDK of applications, the OTLP receiver, Kafka's protocol
(the embedded broker), a consumer group, the OTLP exporter; the config is a file of a user's kind.
"""

import asyncio
import contextlib
import json
import signal
import sys
import time
from dataclasses import asdict
from typing import Literal

from bridge.cli.demo_bridge import PORTS, Running, Tally, free_ports, running, send
from bridge.core import ConfigError, Signal

EXIT_MISSING = 1
EXIT_CONFIG = 78
_NEWS_INTERVAL_S = 1.0

_SPAN = (
    '{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":'
    '"curl"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":'
    '"eee19b7ec3c1b174","name":"hello","kind":1,"startTimeUnixNano":"1750000000000000000",'
    '"endTimeUnixNano":"1750000000100000000"}]}]}]}'
)


def demo(*, keep: bool = False, traces: int = 300, output: Literal["text", "json"] = "text") -> int:
    """
    Run the whole bridge in this process and send traces through it.

    Exit codes: 0 every trace came through, 1 some are missing, 64 wrong usage, 78 the demo
    cannot start.

    Parameters
    ----------
    keep
        Stay afterwards, on ports 4317 and 4318 if they are free, and say how to send.
    traces
        How many traces of five spans to send.
    output
        A table, or JSON.
    """
    import uvloop

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_demo(keep, traces, output))
    except (ConfigError, RuntimeError) as error:
        print(f"demo: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"demo: {error}: pip install 'otlp-kafka-bridge[demo]'", file=sys.stderr)
    return EXIT_CONFIG


async def _demo(keep: bool, traces: int, output: Literal["text", "json"]) -> int:
    started_s = time.monotonic()
    ports = free_ports() if keep else dict.fromkeys(PORTS, 0)
    async with running(ports) as pieces:
        tally = await send(pieces, traces)
        _show(tally, time.monotonic() - started_s, output)
        if keep:
            _show_invitation(pieces)
            await _stay(pieces)
    return 0 if tally.ok else EXIT_MISSING


def _show(tally: Tally, seconds: float, output: Literal["text", "json"]) -> None:
    if output == "json":
        print(json.dumps({**asdict(tally), "ok": tally.ok}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title="OTLP in → Kafka by trace id → consumer group → OTLP out")
    table.add_column("what")
    table.add_column("count", justify="right")
    for what, value, wrong in _rows(tally):
        table.add_row(what, value, style="red" if wrong else None)
    console = Console()
    console.print(table)
    verdict = "nothing is missing" if tally.ok else "[red]something is missing[/red]"
    console.print(f"{verdict}, after {seconds:.1f} s")


def _rows(tally: Tally) -> list[tuple[str, str, bool]]:
    """What the table says: the words, the figure, and whether it is wrong."""
    requests = f"{tally.requests_grpc} gRPC + {tally.requests_http} HTTP"
    return [
        ("requests of three services' SDKs", requests, False),
        ("traces", f"{tally.traces:,}", False),
        ("spans sent", f"{tally.spans_sent:,}", False),
        (
            "spans acknowledged",
            f"{tally.spans_accepted:,}",
            tally.spans_accepted < tally.spans_sent,
        ),
        ("Kafka records", f"{tally.records:,}", False),
        ("partitions written", f"{tally.partitions}", False),
        ("traces split over partitions", f"{tally.traces_split}", tally.traces_split > 0),
        ("spans at the backend", f"{tally.spans_out:,}", False),
        ("spans missing", f"{tally.spans_missing}", tally.spans_missing > 0),
        ("spans delivered twice", f"{tally.spans_duplicate}", False),
        (
            "log records acknowledged / at the backend",
            f"{tally.log_records_accepted:,} / {tally.log_records_out:,}",
            tally.log_records_out < tally.log_records_accepted,
        ),
        (
            "metric points acknowledged / at the backend",
            f"{tally.metric_points_accepted:,} / {tally.metric_points_out:,}",
            tally.metric_points_out < tally.metric_points_accepted,
        ),
    ]


def _show_invitation(pieces: Running) -> None:
    grpc, http = pieces.endpoints["grpc"], pieces.endpoints["http"]
    print(
        f"""
The bridge stays: OTLP/gRPC at {grpc}, OTLP/HTTP at {http}. Ctrl-C ends it.

An application with an OpenTelemetry SDK:
  export OTEL_EXPORTER_OTLP_ENDPOINT=http://{http} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf

By hand:
  curl -i http://{http}/v1/traces -H 'Content-Type: application/json' -d '{_SPAN}'

It runs from this file:

{pieces.config}""",
        flush=True,
    )


async def _stay(pieces: Running) -> None:
    """Tell what arrives until a signal comes."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    book = pieces.backend.book
    seen = {kind: book.items[kind] for kind in Signal}
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_NEWS_INTERVAL_S):
                await stop.wait()
        for kind in Signal:
            if fresh := book.items[kind] - seen[kind]:
                noun = kind.items.replace("_", " ")
                print(f"at the backend: {fresh} more {noun}", flush=True)
                seen[kind] += fresh
