"""
CPU of the tail sampling engine alone: no Kafka, no event loop, nothing sent.

Usage: python perf/bench_tail.py [--spans 400000] [--layout packed|keyed] [--order sdk|collector]

Traces of 10 spans from 5 services, two spans each, that arrive within 2 s of record time among
others; policies latency + status_code + probabilistic 10 %; sampled traces are written as requests.
Prints microseconds of CPU a span and the largest resident size beyond what the input takes.
"""

import argparse
import gc
import os
import random
import resource
import time
from collections.abc import Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Batch, Signal
from bridge.processors._gathering import Moment, Telemetry, request_grouped
from bridge.processors.tail_sampling import TailSamplingOptions, build_engine
from bridge.processors.tail_sampling.telemetry import shared_figures
from bridge.testing import FakeCustody, Order, kafka_batch, make_settings

SPANS_PER_TRACE, SPANS_PER_SERVICE, SERVICES = 10, 2, 20
RATE_PER_S = 20_000
NOW_MS = 1_800_000_000_000
BATCH_BYTES = 512 * 1024

POLICIES = [
    {"name": "slow", "type": "latency", "latency": {"threshold_ms": 300}},
    {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
    {"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}},
]


def groups(spans: int) -> Iterator[list[tuple[int, bytes, int]]]:
    """Pairs of spans (service, trace id, start) in the order of arrival."""
    dice = random.Random(7)
    traces = spans // SPANS_PER_TRACE
    arrivals = []
    for number in range(traces):
        trace_id = dice.randbytes(16)
        begun = number * SPANS_PER_TRACE / RATE_PER_S
        arrivals += [
            (begun + dice.random() * 2, dice.randrange(SERVICES), trace_id)
            for _ in range(SPANS_PER_TRACE // SPANS_PER_SERVICE)
        ]
    arrivals.sort()
    for _, service, trace_id in arrivals:
        yield [(service, trace_id, dice.randrange(100_000_000)) for _ in range(2)]


def request(parts: list[tuple[int, bytes, int]], order: Order, dice: random.Random) -> bytes:
    """One record's value."""
    message = ExportTraceServiceRequest()
    by_service: dict[int, list[tuple[bytes, int]]] = {}
    for service, trace_id, start in parts:
        by_service.setdefault(service, []).append((trace_id, start))
    for service, spans in by_service.items():
        group = message.resource_spans.add()
        for key in ("service.name", "host.name", "service.version"):
            group.resource.attributes.add(key=key).value.string_value = f"{key}-{service}"
        scope = group.scope_spans.add()
        scope.scope.name = "http"
        for trace_id, start in spans:
            span = scope.spans.add(
                trace_id=trace_id,
                span_id=dice.randbytes(8),
                parent_span_id=dice.randbytes(8),
                name="GET /api/items",
                kind=2,
                start_time_unix_nano=1_800_000_000_000_000_000 + start,
                end_time_unix_nano=1_800_000_000_000_000_000 + start + 5_000_000,
            )
            for key in ("http.request.method", "url.path", "server.address"):
                span.attributes.add(key=key).value.string_value = "some-value-of-text"
            span.attributes.add(key="http.response.status_code").value.int_value = 200
            span.status.code = 2 if dice.random() < 0.003 else 0
    return order.encode(message)


def batches(spans: int, layout: str, order: Order) -> list[Batch]:
    """What the receiver would hand over: records joined up to `BATCH_BYTES`."""
    dice = random.Random(11)
    per_record = 62 if layout == "packed" else 1
    records: list[tuple[bytes, int, int]] = []
    pending: list[tuple[int, bytes, int]] = []
    count = 0
    for pair in groups(spans):
        pending += pair
        count += len(pair)
        if len(pending) >= per_record * 2:
            stamp = NOW_MS - 3_600_000 + count * 1000 // RATE_PER_S
            records.append((request(pending, order, dice), stamp, len(pending)))
            pending = []
    return join(records)


def join(records: list[tuple[bytes, int, int]]) -> list[Batch]:
    made: list[Batch] = []
    custody = FakeCustody()
    offset = start = size = 0
    for index, (value, _, _) in enumerate(records):
        size += len(value)
        if size >= BATCH_BYTES or index == len(records) - 1:
            own = records[start : index + 1]
            made.append(
                kafka_batch(
                    Signal.TRACES,
                    *(one[0] for one in own),
                    items=sum(one[2] for one in own),
                    custody=custody,
                    first_offset=offset,
                    timestamps_ms=[one[1] for one in own],
                )
            )
            offset += len(own)
            start, size = index + 1, 0
    return made


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(spans: int, layout: str, order: Order) -> None:
    options = TailSamplingOptions.model_validate({"decision_wait": "5s", "policies": POLICIES})
    settings = make_settings("tail_sampling")
    telemetry = Telemetry(settings, "tail_sampling", shared_figures(settings.metrics))
    engine = build_engine(options, settings, telemetry)
    made = batches(spans, layout, order)
    records = sum(len(batch.origin.records) for batch in made)
    made.reverse()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    before = resident_mb()
    kept = peak = out = 0
    began = time.process_time()
    while made:
        engine.take(made.pop(), Moment(0.0, NOW_MS))
        peak = max(peak, engine.ledger.undecided_bytes + engine.ledger.undelivered_bytes)
        while taken := engine.take_kept(4 << 20):
            out += len(request_grouped(trace.parts for _, trace in taken))
            kept += sum(trace.spans for _, trace in taken)
            engine.delivered(taken)
        for held in engine.ledger.take_finished():
            held.finished = []
        for held in engine.ledger.take_completed():
            engine.closed(held)
    cpu = time.process_time() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 - before
    print(
        f"{layout:6} {order.value:9} {spans} spans {records} records: "
        f"{cpu / spans * 1e6:.2f} us/span, kept {kept} ({out / 1e6:.1f} MB), "
        f"accounted peak {peak / 1e6:.1f} MB, rss beyond input {grown:.1f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=400_000)
    parser.add_argument("--layout", choices=["packed", "keyed"], default="packed")
    parser.add_argument("--order", choices=["sdk", "collector"], default="sdk")
    given = parser.parse_args()
    run(given.spans, given.layout, Order(given.order))


if __name__ == "__main__":
    main()
