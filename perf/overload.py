"""
Ten times what can be sustained, for five minutes, under 512 MiB: refused with a hint, never killed.

    python perf/overload.py --seconds 300 --save overload      # what `make overload` does
    python perf/overload.py --seconds 60                       # to try it

Both sides of the bridge run, the ingest side in a memory cgroup of 512 MiB (where none can be made,
a reading above it fails the run). What bounds the load is narrowed so far that this machine can
send ten times as much: with ``--bottleneck broker`` a proxy lets so many bytes a second through to
Kafka, with ``--bottleneck cpu`` a cgroup gives the ingest side a share of a core. What can be
sustained is then measured: the most that is taken without a refusal, with more and more requests in
flight; its p99 is the nominal one. Senders then keep ten times that rate whatever the answers do;
HTTP senders beside them look for Retry-After.

Passed means: nothing was killed, each refusal had a hint, the p99 of what was accepted is at most
twice the nominal, and every accepted span came out at the other end. Exit code 1 otherwise.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp
import lab
import uvloop
from whole import Load, Whole, offer, saturate, whole

from tests.cgroups import MemoryGroup, NoCgroup, cpu_group, memory_group
from tests.faults.cluster import ProxiedKafka

SPANS_A_REQUEST = 100
TIMES = 10
LIMIT_MIB = 512
P99_RATIO_MAX = 2.0
SATURATING_S = 10.0
IN_FLIGHT_FIRST, IN_FLIGHT_MAX = 32, 400
HTTP_CLIENTS = 4
BYTES_PER_S = 200_000
CPU_PERCENT = 10.0


@dataclass
class HttpLoad:
    """What senders over HTTP were told; each waits for its answer."""

    answers: Counter[int] = field(default_factory=Counter)
    acknowledged: list[int] = field(default_factory=list)
    without_hint: int = 0

    async def send(self, rig: Whole, until: float) -> None:
        """One sender, one request after the other, until then."""
        headers = {"Content-Type": "application/x-protobuf"}
        url = f"http://127.0.0.1:{rig.http}/v1/traces"
        async with aiohttp.ClientSession(headers=headers) as session:
            while time.monotonic() < until:
                body = rig.requests()
                first = rig.requests.made - rig.requests.spans
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.post(url, data=body) as answer:
                        self.answers[answer.status] += 1
                        if answer.status == 200:
                            self.acknowledged.append(first)
                        elif "Retry-After" not in answer.headers:
                            self.without_hint += 1
                await asyncio.sleep(0.05)


@dataclass
class Outcome:
    """What an overload came to."""

    in_flight: int
    sustained: float
    nominal: Load
    load: Load
    http: HttpLoad
    account: dict[str, int]
    peak_mib: float
    limited: bool
    kills: int
    alive: bool
    log_lines: int

    @property
    def ratio(self) -> float:
        """Of the 99th percentiles of accepted requests: overloaded to nominal."""
        return self.load.quantile(0.99) / self.nominal.quantile(0.99)

    def wrong(self) -> list[str]:
        """What was not as promised."""
        without_hint = self.load.without_hint + self.http.without_hint
        refused = self.load.answers["14"]
        faults = {
            "a process ended": not self.alive,
            f"the kernel killed {self.kills} times": self.kills,
            f"{self.peak_mib:.0f} MiB": self.peak_mib > LIMIT_MIB,
            "nothing was refused": not refused,
            f"{without_hint} refusals without a hint": without_hint,
            f"p99 of accepted requests is {self.ratio:.1f} times nominal": (
                self.ratio > P99_RATIO_MAX
            ),
            f"{self.account['missing']} accepted spans missing": self.account["missing"],
            f"{self.account['spurious']} spans never sent": self.account["spurious"],
        }
        strange = {k: n for k, n in self.load.answers.items() if k not in ("0", "14")}
        faults[f"answers {strange}"] = bool(strange)
        return [what for what, is_so in faults.items() if is_so]


@contextlib.asynccontextmanager
async def narrowed(
    kafka: ProxiedKafka, options: argparse.Namespace
) -> AsyncIterator[tuple[Whole, MemoryGroup | None]]:
    """The bridge behind its bottleneck."""
    rate = options.bytes_per_s if options.bottleneck == "broker" else 0
    (node,) = kafka.members
    port = kafka.proxy_ports[node.number]
    script = [sys.executable, str(lab.ROOT / "perf/narrow.py"), "--port", str(port)]
    script += ["--target", f"127.0.0.1:{node.ports['PROXIED']}", "--bytes-per-s", str(rate)]
    async with contextlib.AsyncExitStack() as stack:
        # A process of its own: senders that are busy must not narrow the way any further.
        stack.enter_context(lab.running("narrow", script, port, {"PYTHONPATH": str(lab.ROOT)}))
        rig = await stack.enter_async_context(
            whole(
                *(kafka.bootstrap, kafka.proxied_bootstrap, SPANS_A_REQUEST),
                *("  batch: {}", ["batch"], f", max_wait: {options.max_wait}"),
            )
        )
        pid = rig.ingest.process.popen.pid
        group: MemoryGroup | None = None
        try:
            group = stack.enter_context(memory_group(pid, LIMIT_MIB))
        except NoCgroup as error:
            print(f"{error}; memory is read instead", file=sys.stderr)
        await saturate(rig, 1.0)
        if options.bottleneck == "cpu":
            stack.enter_context(cpu_group(pid, options.cpu_percent))
        yield rig, group


async def overload(options: argparse.Namespace, kafka: ProxiedKafka) -> Outcome:
    """The run."""
    async with narrowed(kafka, options) as (rig, group):
        in_flight, sustained, nominal, accepted = await sustainable(rig)
        http, peak = HttpLoad(), [0.0]
        watching = asyncio.create_task(_watch(rig, peak))
        until = time.monotonic() + options.seconds
        async with asyncio.TaskGroup() as tasks:
            for _ in range(HTTP_CLIENTS):
                tasks.create_task(http.send(rig, until))
            load = await offer(rig, sustained * TIMES, options.seconds, connections=16)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        alive = all(side.runs for side in rig.sides.values())
        accepted += [*load.acknowledged, *http.acknowledged]
        account = await rig.account(accepted)
        log_lines = rig.ingest.process.log.read_text().count("\n")
        # The group counts what came after it was made; the larger of both is what there was.
        peak_mib = max(group.peak_mib() if group else 0, peak[0])
        kills = group.kills() if group else 0
    return Outcome(
        in_flight,
        sustained,
        nominal,
        load,
        http,
        account,
        peak_mib,
        bool(group),
        kills,
        alive,
        log_lines,
    )


async def sustainable(rig: Whole) -> tuple[int, float, Load, list[int]]:
    """
    The most that is taken without a refusal.

    Returns:
        Requests in flight, requests a second, what was told, and all that was accepted on the way.
    """
    best, accepted, in_flight = (0, 0.0, Load()), list[int](), IN_FLIGHT_FIRST
    while in_flight <= IN_FLIGHT_MAX:
        rate, told = await saturate(rig, SATURATING_S, in_flight)
        accepted += told.acknowledged
        await _rest(rig)
        if set(told.answers) != {"0"} or rate < best[1]:
            break
        best = in_flight, rate, told
        in_flight *= 2
    return *best, accepted


async def _rest(rig: Whole) -> None:
    """Until nothing is in flight."""
    while await rig.ingest.figure("bridge_receiver_in_flight_bytes"):  # noqa: ASYNC110 - a process
        await asyncio.sleep(0.2)


async def _watch(rig: Whole, peak: list[float]) -> None:
    while True:
        peak[0] = max(peak[0], rig.ingest.rss_mib)
        await asyncio.sleep(0.2)


def lines_of(options: argparse.Namespace, found: Outcome) -> list[str]:
    """The result as a page."""
    load, spans = found.load, SPANS_A_REQUEST
    narrow = (
        f"{options.bytes_per_s:,} bytes/s to Kafka"
        if options.bottleneck == "broker"
        else f"{options.cpu_percent:g} % of a core for the ingest side"
    )
    limit = "by a cgroup" if found.limited else "by reading the resident size"
    nominal, sustained, seconds = found.nominal, found.sustained * spans, options.seconds
    hinted = load.answers["14"] - load.without_hint
    rows: list[tuple[str, str, str]] = [
        ("offered, spans/s", f"{sustained:,.0f}", f"{load.offered * spans / seconds:,.0f}"),
        (
            "accepted, spans/s",
            f"{sustained:,.0f}",
            f"{len(load.acknowledged) * spans / seconds:,.0f}",
        ),
        ("requests in flight", f"{found.in_flight}", ""),
        ("refused with a hint, requests", f"{nominal.answers['14']:,}", f"{hinted:,}"),
        ("refused without a hint", f"{nominal.without_hint:,}", f"{load.without_hint:,}"),
        ("not sent, all calls being open", "", f"{load.unsent:,}"),
        *(
            (
                f"{name} of accepted, ms",
                *(f"{one.quantile(q) * 1e3:.0f}" for one in (nominal, load)),
            )
            for name, q in (("p50", 0.5), ("p99", 0.99))
        ),
        (f"ratio of p99, at most {P99_RATIO_MAX:g}", "", f"{found.ratio:.2f}"),
        ("answers over HTTP", "", str(dict(found.http.answers))),
        ("refusals over HTTP without Retry-After", "", f"{found.http.without_hint}"),
        ("peak memory, MiB", "", f"{found.peak_mib:.0f}"),
        ("ended by the kernel", "", f"{found.kills}"),
        ("accepted spans", "", f"{found.account['acknowledged']:,}"),
        ("of these missing at the end", "", f"{found.account['missing']:,}"),
        ("delivered more than once", "", f"{found.account['twice']:,}"),
        ("lines of log", "", f"{found.log_lines}"),
    ]
    return [
        f"# Overload: {TIMES} times what can be sustained ({options.bottleneck})",
        "",
        *(f"- {key}: {value}" for key, value in lab.machine().items()),
        f"- command: `make overload ARGS='{' '.join(sys.argv[1:])}'`",
        f"- bottleneck: {narrow}; {seconds:g} s; requests of {spans} spans",
        f"- producer.max_wait of the ingest side: {options.max_wait}",
        f"- memory limit of the ingest side: {LIMIT_MIB} MiB, {limit}",
        f"- result: {'; '.join(found.wrong()) or 'passed'}",
        "",
        "| figure | sustained | overloaded |",
        "|---|--:|--:|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; writes ``perf/results/`` with --save."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--bottleneck", choices=["broker", "cpu"], default="broker")
    parser.add_argument("--bytes-per-s", type=int, default=BYTES_PER_S)
    parser.add_argument("--cpu-percent", type=float, default=CPU_PERCENT)
    parser.add_argument("--max-wait", default="500ms", help="producer.max_wait of the ingest side")
    parser.add_argument("--save", default="", help="name of the result file; empty only prints")
    options = parser.parse_args(arguments)
    with ProxiedKafka(nodes=1) as kafka:
        found = uvloop.run(overload(options, kafka))
    lab.report(options.save, lines_of(options, found))
    return 1 if found.wrong() else 0


if __name__ == "__main__":
    sys.exit(main())
