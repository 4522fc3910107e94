"""
The ingest leg: CPU microseconds a span from OTLP to Kafka, ours beside a Collector and rotel.

    python perf/ingest.py --subjects bridge collector --spans 1 10 100 512 --repeats 3

Every subject gets the same requests over the same connections into a topic of its own of 12
partitions, acks all, zstd; subjects take turns within a repeat. A run counts only if each span that
was acknowledged is in the topic, and (except for rotel, which does not key by trace) each trace in
one partition.
"""

import argparse
import asyncio
import itertools
import os
import time
from dataclasses import dataclass

import lab
from bodies import Requests
from load import Result
from load import run as send

from tests.kafka_server import KafkaServer

SPANS_A_RUN = {1: 20_000, 10: 100_000, 100: 400_000, 512: 500_000}
"""Long enough for a CPU clock of 10 ms, short enough for three repeats of everything."""

MANY_PARTITIONS = 100
"""From so many on a fresh topic is written to beforehand, and the bridge waits out its stops."""

STOP_S = 30
"""More than a broker stops all writes to a fresh topic of so many partitions: 8 to 9 s."""

SPANS_OF_TRACES = 1_000_000
"""Sent where the number of trace ids is what changes."""

_PATIENCE, _PATIENCE_S = 3, 6.0
"""How often, and after how many seconds, a topic is read again: a Collector repeats after 5 s."""

SUBJECTS = ("bridge", "collector", "rotel")


@dataclass(frozen=True)
class Case:
    """
    One row of the table.

    Args:
        connections: 0 for 4 of gRPC or 64 of HTTP.
        traces: How many trace ids come over and over; 0 for new ones all the time.
        acks, replicas: The producer's `required_acks` (ours only) and the topic's copies.
        calls: How many are in flight on all connections together.
    """

    spans: int
    gzipped: bool = False
    http: bool = False
    order: str = "sdk"
    connections: int = 0
    partitions: int = 12
    workers: int = 1
    traces: int = 0
    acks: str = "all"
    replicas: int = 1
    calls: int = 64

    def __str__(self) -> str:
        marks = ["gzip"] * self.gzipped + ["http"] * self.http
        marks += [f"{self.order} order"] * (self.order != "sdk")
        marks += [f"{self.connections} connections"] * bool(self.connections)
        marks += [f"{self.partitions} partitions"] * (self.partitions != 12)
        marks += [f"{self.workers} workers"] * (self.workers != 1)
        marks += [f"{self.traces:,} trace ids"] * bool(self.traces)
        marks += [f"acks {self.acks}"] * (self.acks != "all")
        marks += [f"{self.replicas} replicas, {self.calls} in flight"] * (self.replicas != 1)
        return " ".join([str(self.spans), *marks])


@dataclass(frozen=True)
class Outcome:
    """What one run of one subject cost."""

    cpu_us_a_span: float
    peak_rss_mib: float
    p99_ms: float
    requests_a_s: float = 0.0
    records: int = 0
    busier_share: float = 1.0


def bridge_config(
    bootstrap: str, topic: str, grpc: int, http: int, acks: str = "all", *, patient: bool = False
) -> str:
    """
    The shipped defaults, with the compression that all subjects use.

    Args:
        patient:
            Answer after `STOP_S` at the latest instead of refusing what Kafka does not take within
            seconds. A peer that answers before it asks Kafka has no such limit.
    """
    answer, wait = (f"answer_timeout: {STOP_S}s", f", max_wait: {STOP_S}s") if patient else ("", "")
    brokers = ", ".join(f'"{one}"' for one in bootstrap.split(","))
    return f"""
receivers:
  otlp:
    protocols: {{grpc: {{endpoint: 127.0.0.1:{grpc}}}, http: {{endpoint: 127.0.0.1:{http}}}}}
    {answer}
exporters:
  kafka:
    brokers: [{brokers}]
    producer: {{compression: zstd, required_acks: {acks}{wait}}}
    traces: {{topic: {topic}}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:{lab.free_port()}"}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [kafka]}}
"""


def collector_config(bootstrap: str, topic: str, grpc: int, http: int) -> str:
    """Keyed by trace with a batch processor, as its users run it; acks all like ours."""
    return f"""
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: 127.0.0.1:{grpc}, max_recv_msg_size_mib: 64}}
      http: {{endpoint: 127.0.0.1:{http}}}
processors:
  batch: {{}}
exporters:
  kafka:
    brokers: ["{bootstrap}"]
    traces: {{topic: {topic}}}
    partition_traces_by_id: true
    producer: {{compression: zstd, required_acks: -1}}
    sending_queue: {{queue_size: 100000}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [kafka]}}
"""


def command(
    subject: str,
    bootstrap: str,
    topic: str,
    grpc: int,
    http: int,
    acks: str = "all",
    *,
    patient: bool = False,
) -> list[str]:
    """How *subject* is started."""
    if subject == "bridge":
        config = bridge_config(bootstrap, topic, grpc, http, acks, patient=patient)
        return lab.bridge_command(lab.write_config(config))
    if subject == "collector":
        config = lab.write_config(collector_config(bootstrap, topic, grpc, http))
        return [str(lab.PEERS / "bin/otelcol-peer"), "--config", str(config)]
    return [
        *(str(lab.PEERS / "bin/rotel-agent"), "start"),
        *("--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--otlp-http-endpoint", f"127.0.0.1:{http}"),
        *("--exporter", "kafka", "--kafka-exporter-brokers", bootstrap),
        *("--kafka-exporter-traces-topic", topic, "--kafka-exporter-compression", "zstd"),
        *("--kafka-exporter-acks", "all", "--kafka-exporter-max-message-bytes", str(16 << 20)),
    ]


async def measure(subject: str, case: Case, bootstrap: str, run_number: int) -> Outcome:
    """
    One run of one subject.

    Raises:
        lab.LostSpan: If an acknowledged span is not in the topic.
    """
    name = f"perf-{os.getpid()}-{run_number}"
    grpc, http = lab.free_port(), lab.free_port()
    requests = Requests(case.spans, order=case.order, gzipped=case.gzipped, traces=case.traces)
    # Enough for each trace id to come by, and as much for a few of them as for many.
    total = SPANS_A_RUN[case.spans] if not case.traces else SPANS_OF_TRACES
    count = max(1, total // case.spans)
    async with lab.topic(bootstrap, name, case.partitions, case.replicas) as topic:
        patient = case.partitions >= MANY_PARTITIONS
        if patient:
            await lab.warm_topic(bootstrap, topic, case.partitions)
        arguments = command(subject, bootstrap, topic, grpc, http, case.acks, patient=patient)
        arguments += ["--workers", str(case.workers)] if case.workers > 1 else []
        with lab.running(subject, arguments, grpc) as process:
            await asyncio.sleep(1.0)
            # A first tenth warms caches and connections and is checked like the rest.
            await _send(requests, case, grpc, http, max(1, count // 10))
            before_s, made, started = process.cpu_s(), requests.made, time.monotonic()
            shares = process.cpu_of_children_s()
            result = await _send(requests, case, grpc, http, count)
            took_s = time.monotonic() - started
            spans = requests.made - made
            ids = range(requests.first_id, requests.first_id + requests.made)
            # Whoever answers before the data is written may still be repeating some of it.
            for patience in range(0 if subject == "bridge" else _PATIENCE, -1, -1):
                await _settle(process)
                cost_s = process.cpu_s() - before_s
                rss_mib = process.peak_rss_mib()
                share = _busier_share(shares, process.cpu_of_children_s())
                try:
                    records, _ = await lab.verify_topic(
                        bootstrap, topic, ids, whole_traces=subject != "rotel"
                    )
                    break
                except lab.LostSpan:
                    if not patience:
                        raise
                await asyncio.sleep(_PATIENCE_S)
    p99_ms = result.quantile(0.99) * 1e3
    return Outcome(cost_s / spans * 1e6, rss_mib, p99_ms, count / took_s, records, share)


def _busier_share(before: dict[int, float], after: dict[int, float]) -> float:
    """How much of what the workers cost fell to the one that did most; 1 without workers."""
    costs = [after[pid] - before.get(pid, 0.0) for pid in after]
    return max(costs) / sum(costs) if len(costs) > 1 and sum(costs) else 1.0


async def _send(requests: Requests, case: Case, grpc: int, http: int, count: int) -> Result:
    port = http if case.http else grpc
    connections = case.connections or (64 if case.http else 4)
    in_flight = max(1, case.calls // connections)
    result = await send(
        "127.0.0.1",
        port,
        requests,
        count,
        connections=connections,
        in_flight=in_flight,
        http=case.http,
    )
    if result.acked != count:
        raise lab.LostSpan(f"{count - result.acked} of {count} requests were not acknowledged")
    return result


async def _settle(process: lab.Process) -> None:
    """Wait until a subject that answers early has written what it holds: its CPU rests."""
    for _ in range(100):
        before_s = process.cpu_s()
        await asyncio.sleep(0.3)
        if process.cpu_s() - before_s < 0.02:
            return


async def table(options: argparse.Namespace, bootstrap: str) -> tuple[list[str], dict[str, object]]:
    """All cases by all subjects, in turns; the lines of the result."""
    cases = [
        Case(spans, gzipped, http, order)
        for spans in options.spans
        for gzipped, http, order in itertools.product(options.gzip, options.http, options.order)
    ]
    outcomes: dict[tuple[str, str], list[Outcome]] = {}
    number = itertools.count()
    for repeat, case in itertools.product(range(options.repeats), cases):
        for subject in options.subjects:
            try:
                outcome = await measure(subject, case, bootstrap, next(number))
            except lab.LostSpan as error:
                print(f"repeat {repeat} {case} {subject}: no figure: {error}", flush=True)
                continue
            outcomes.setdefault((str(case), subject), []).append(outcome)
            print(f"repeat {repeat} {case} {subject}: {outcome}", flush=True)
    return _lines(options, cases, outcomes), {
        f"{case} {subject}": [vars(outcome) for outcome in found]
        for (case, subject), found in outcomes.items()
    }


def _lines(
    options: argparse.Namespace, cases: list[Case], outcomes: dict[tuple[str, str], list[Outcome]]
) -> list[str]:
    lines = ["# Ingest: OTLP to Kafka, CPU µs a span (min / median / max)", ""]
    lines += [f"- {key}: {value}" for key, value in lab.machine().items()]
    lines += [f"- repeats: {options.repeats}, subjects in turns, acks all, zstd, 12 partitions", ""]
    head = "".join(f" {subject} |" for subject in options.subjects)
    ratios = "".join(f" {peer} ÷ bridge |" for peer in options.subjects if peer != "bridge")
    lines += [f"| spans a request |{head}{ratios} peak RSS MiB | p99 ms |"]
    lines += ["|---" * (lines[-1].count("|") - 1) + "|"]
    for case in cases:
        found = {s: outcomes.get((str(case), s), []) for s in options.subjects}
        costs = {s: lab.Figures([o.cpu_us_a_span for o in found[s]]) for s in found}
        row = [str(case), *(str(costs[subject]) for subject in options.subjects)]
        row += [
            f"{costs[peer].median / costs['bridge'].median:.2f}"
            for peer in options.subjects
            if peer != "bridge" and "bridge" in costs
        ]
        rss = [f"{max((o.peak_rss_mib for o in found[s]), default=0):.0f}" for s in found]
        p99 = [f"{lab.Figures([o.p99_ms for o in found[s]]).median:.0f}" for s in found]
        lines.append("| " + " | ".join([*row, " / ".join(rss), " / ".join(p99)]) + " |")
    return lines


def main() -> None:
    """Run from the command line; writes ``perf/results/``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=["bridge", "collector"])
    parser.add_argument("--spans", nargs="+", type=int, default=list(SPANS_A_RUN))
    parser.add_argument("--gzip", nargs="+", type=int, default=[0])
    parser.add_argument("--http", nargs="+", type=int, default=[0])
    parser.add_argument("--order", nargs="+", choices=("sdk", "collector"), default=["sdk"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--save", default="", help="name of the result file; empty only prints")
    options = parser.parse_args()
    with KafkaServer(heap_mib=1024, java_options=()) as kafka:
        lines, data = asyncio.run(table(options, kafka.bootstrap))
    lab.report(options.save, lines, data)


if __name__ == "__main__":
    main()
