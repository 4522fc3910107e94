"""
The whole bridge under a load that asks no leave: an ingest and a process side as processes of their
own, a real Kafka between them, senders that keep their rate whatever the answers do, and a black
hole that counts each span. What `soak.py` and `overload.py` share.
"""

import asyncio
import contextlib
import json
import sys
import time
from array import array
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import aiohttp
import lab
import psutil
from bodies import Requests
from paced import PacedConnection

DRAIN_S = 120.0
STREAMS_MAX = 100
"""Calls open on a connection, as the bridge allows by default; others wait at the sender."""


@dataclass
class Side:
    """One process of the bridge."""

    process: lab.Process
    metrics: int

    async def figure(self, name: str) -> float:
        """The sum of all series of one metric."""
        url = f"http://127.0.0.1:{self.metrics}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            lines = (await answer.text()).splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return sum(float(value) for key, _, value in pairs if key.partition("{")[0] == name)

    @property
    def rss_mib(self) -> float:
        """Resident now."""
        return float(psutil.Process(self.process.popen.pid).memory_info().rss) / 2**20

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.popen.poll() is None


@dataclass
class Whole:
    """Both sides, what feeds them and what counts behind them."""

    ingest: Side
    side: Side
    grpc: int
    http: int
    requests: Requests
    control: int

    @property
    def sides(self) -> dict[str, Side]:
        """Both, by name."""
        return {"ingest": self.ingest, "process": self.side}

    async def delivered(self) -> int:
        """Spans that came out so far, duplicates with them."""
        answer, _ = await self._ask("spans")
        return answer["spans"]

    async def account(self, acknowledged: Sequence[int]) -> dict[str, int]:
        """
        Wait until the acknowledged requests are delivered, and compare.

        Args:
            acknowledged: The number of the first span of each, counted from the run's first.

        Returns:
            Spans acknowledged, missing, delivered more than once, and delivered though not sent.
        """
        until = time.monotonic() + DRAIN_S
        spans = self.requests.spans
        while True:
            answer, counts = await self._ask("counts")
            missing = sum(counts.count(0, at, at + spans) + max(0, at + spans - len(counts))
                          for at in acknowledged)  # fmt: skip
            if not missing or time.monotonic() > until:
                break
            await asyncio.sleep(1.0)
        return {
            "acknowledged": len(acknowledged) * spans,
            "missing": missing,
            "twice": len(counts) - counts.count(0) - counts.count(1),
            "spurious": answer["spurious"] + len(counts[self.requests.made :].strip(b"\0")),
        }

    async def _ask(self, word: str) -> tuple[dict[str, int], bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.control, limit=1 << 20)
        writer.write(word.encode() + b"\n")
        answer: dict[str, int] = json.loads(await reader.readline())
        counts = await reader.readexactly(answer.get("bytes", 0))
        writer.close()
        return answer, counts


@dataclass
class Load:
    """What open-loop senders were told."""

    offered: int = 0
    unsent: int = 0
    acknowledged: "array[int]" = field(default_factory=lambda: array("Q"))
    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    answers: Counter[str] = field(default_factory=Counter)
    without_hint: int = 0

    def quantile(self, q: float) -> float:
        """Of the acknowledged requests, in seconds."""
        ranked = sorted(self.latencies_s)
        return ranked[min(len(ranked) - 1, int(q * len(ranked)))] if ranked else float("nan")


class Sender(PacedConnection):
    """A connection that notes which requests were acknowledged, and whether refusals give hints."""

    def __init__(self, load: Load) -> None:
        super().__init__(_Sink())  # type: ignore[arg-type]  # only `add` is used
        self._load = load
        self._first: dict[int, int] = {}
        self._hinted = False
        self.leaving = False

    @property
    def has_room(self) -> bool:
        """Whether another call may be opened."""
        return len(self._sent) < STREAMS_MAX and not self.leaving

    def connection_lost(self, error: Exception | None) -> None:
        """What was open got no answer."""
        self.leaving = True
        if self._sent:
            self._load.answers["lost"] += len(self._sent)
        super().connection_lost(error)

    def offer(self, message: bytes, due_at: float, first: int) -> None:
        """Send a request whose spans begin at *first*."""
        self._first[self._stream] = first
        self.call(message, due_at)

    def _frame_received(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == 7:  # It finishes what is open and takes nothing new.
            self.leaving = True
            self.finish()
            return
        self._hinted = kind == 1 and b"grpc-status-details-bin" in payload
        super()._frame_received(kind, flags, stream, payload)

    def _ended(self, stream: int, status: str) -> None:
        due_at, first = self._sent.get(stream), self._first.pop(stream, None)
        if due_at is not None and first is not None:
            self._load.answers[status] += 1
            if status == "0":
                self._load.acknowledged.append(first)
                self._load.latencies_s.append(time.perf_counter() - due_at)
            elif not self._hinted:
                self._load.without_hint += 1
        super()._ended(stream, status)


class _Sink:
    """Takes what `GrpcConnection` tells a `Result`: a run of hours keeps no list of it."""

    def add(self, status: str, latency_s: float) -> None:
        """Forget it."""


async def offer(
    whole: Whole, rate: float, seconds: float, *, connections: int = 8, load: Load | None = None
) -> Load:
    """
    Offer *rate* requests a second for *seconds*, whatever becomes of them.

    A connection that was closed (each has a maximum age) is opened again. When all calls of all
    connections are open, a request is not sent, and counted: such senders would be queueing.
    """
    load = load or Load()
    loop = asyncio.get_running_loop()

    async def connect() -> Sender:
        made = await loop.create_connection(lambda: Sender(load), "127.0.0.1", whole.grpc)
        await made[1].ready.wait()
        return made[1]

    senders = [await connect() for _ in range(connections)]
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        due_at = began + number / rate
        if (wait_s := due_at - time.perf_counter()) > 0:
            await asyncio.sleep(wait_s)
        at = number % connections
        if senders[at].leaving:
            senders[at] = await connect()
        sender = senders[at] if senders[at].has_room else max(senders, key=lambda s: s.has_room)
        load.offered += 1
        if not sender.has_room:
            load.unsent += 1
            continue
        sender.offer(whole.requests(), due_at, whole.requests.made - whole.requests.spans)
        if number % 32 == 0:
            await asyncio.sleep(0)
    for sender in senders:
        sender.finish()
    async with asyncio.timeout(30):
        await asyncio.gather(*(sender.done for sender in senders))
    for sender in senders:
        sender._transport.close()
    return load


async def saturate(whole: Whole, seconds: float, in_flight: int = 64) -> tuple[float, Load]:
    """
    Keep *in_flight* requests open for *seconds*.

    Returns:
        Requests a second that were acknowledged, and what was told.
    """
    load, loop = Load(), asyncio.get_running_loop()
    until = time.perf_counter() + seconds

    class Closed(Sender):
        def _refill(self) -> None:
            while len(self._sent) < in_flight // 4 and time.perf_counter() < until:
                message = whole.requests()
                first = whole.requests.made - whole.requests.spans
                load.offered += 1
                self.offer(message, time.perf_counter(), first)
            if not self._sent and not self.done.done():
                self.done.set_result(None)

    made = [
        (await loop.create_connection(lambda: Closed(load), "127.0.0.1", whole.grpc))[1]
        for _ in range(4)
    ]
    began = time.perf_counter()
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(sender.done for sender in made))
    for sender in made:
        sender._transport.close()
    return len(load.acknowledged) / (time.perf_counter() - began), load


@contextlib.asynccontextmanager
async def whole(
    direct: str,
    brokers: str,
    spans: int,
    processors: str,
    names: Sequence[str],
    producer: str = "",
) -> AsyncIterator[Whole]:
    """
    Start everything.

    Args:
        direct: Bootstrap servers of the process side and of this process.
        brokers: Those of the ingest side.
        processors: YAML of the process side's section.
        names: Its processors in order.
        producer: More YAML of the ingest side's `producer` section, in flow style.
    """
    ports = [lab.free_port() for _ in range(7)]
    grpc, http, out, control, health, *metrics = ports
    requests = Requests(spans)
    sink = [sys.executable, str(lab.ROOT / "perf/counting_sink.py"), "--port", str(out)]
    sink += ["--control", str(control), "--first", str(requests.first_id)]
    async with lab.topic(direct, f"perf-whole-{time.time_ns()}") as topic:
        ingest = _INGEST.format(
            grpc=grpc, http=http, brokers=brokers, topic=topic, m=metrics[0], producer=producer
        )
        process = _PROCESS.format(
            brokers=direct, topic=topic, out=out, health=health, m=metrics[1],
            processors=processors, names=", ".join(names),
        )  # fmt: skip
        commands = [lab.bridge_command(lab.write_config(text)) for text in (ingest, process)]
        with (
            lab.running("sink", sink, control, {"PYTHONPATH": str(lab.ROOT)}),
            lab.running("ingest", commands[0], grpc) as first,
            lab.running("process", commands[1], health) as second,
        ):
            sides = Side(first, metrics[0]), Side(second, metrics[1])
            yield Whole(*sides, grpc, http, requests, control)


_INGEST = """
receivers:
  otlp:
    protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}, http: {{endpoint: "127.0.0.1:{http}"}}}}
exporters:
  kafka:
    brokers: ["{brokers}"]
    producer: {{compression: zstd{producer}}}
    traces: {{topic: {topic}}}
service:
  telemetry: {{metrics: {{address: "127.0.0.1:{m}"}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [kafka]}}}}
"""

_PROCESS = """
receivers:
  kafka: {{brokers: ["{brokers}"], group_id: whole, traces: {{topics: [{topic}]}}}}
processors:
{processors}
exporters:
  otlp: {{endpoint: "127.0.0.1:{out}", tls: {{insecure: true}}, compression: none}}
extensions:
  health_check: {{endpoint: "127.0.0.1:{health}"}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{address: "127.0.0.1:{m}"}}}}
  pipelines: {{traces: {{receivers: [kafka], processors: [{names}], exporters: [otlp]}}}}
"""
