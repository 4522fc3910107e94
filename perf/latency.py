"""
Latency at half of a subject's own saturation: until the answer, and until the record is readable.

Saturation is what 64 calls in flight bring it to. A reader process of its own notes when each span
can be read from the topic, on the clock that all processes of a machine share.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence

import lab
from aiokafka import AIOKafkaConsumer, TopicPartition
from bodies import Requests
from ingest import Case, command
from load import run as send
from paced import run_paced

SATURATING_SECONDS = 4.0
SECONDS = 10.0
PREFIX_BYTES = 4


async def measure_latency(
    subject: str, case: Case, bootstrap: str, run_number: int
) -> dict[str, float]:
    """
    One run of one subject.

    Raises:
        lab.LostSpan: If a request was not acknowledged or its spans never became readable.
    """
    name = f"perf-latency-{os.getpid()}-{run_number}"
    grpc, http = lab.free_port(), lab.free_port()
    requests = Requests(case.spans, order=case.order)
    async with lab.topic(bootstrap, name) as topic:
        with lab.running(subject, command(subject, bootstrap, topic, grpc, http), grpc):
            await asyncio.sleep(1.0)
            saturated = await _saturation(requests, grpc)
            rate = saturated / 2
            async with _reading(bootstrap, topic, requests.first_id) as seen:
                sent_at: list[float] = []
                first = requests.made
                result = await run_paced(
                    "127.0.0.1", grpc, requests, rate=rate, seconds=SECONDS, sent_at=sent_at
                )
                if result.acked != len(sent_at):
                    raise lab.LostSpan(f"{len(sent_at) - result.acked} were not acknowledged")
                wanted = [first + case.spans * (n + 1) - 1 for n in range(len(sent_at))]
                found = await seen(wanted)
    waits = sorted(found[last] - due for last, due in zip(wanted, sent_at, strict=True))
    return {
        "rate": rate,
        "answer_p50_ms": result.quantile(0.5) * 1e3,
        "answer_p99_ms": result.quantile(0.99) * 1e3,
        "readable_p50_ms": waits[len(waits) // 2] * 1e3,
        "readable_p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
    }


async def _saturation(requests: Requests, port: int) -> float:
    """Requests a second with 64 in flight."""
    rate, count = 0.0, 1000
    for _ in range(2):
        started = time.monotonic()
        await send("127.0.0.1", port, requests, count)
        rate = count / (time.monotonic() - started)
        count = int(rate * SATURATING_SECONDS)
    return rate


@contextlib.asynccontextmanager
async def _reading(bootstrap: str, topic: str, first_id: int) -> AsyncIterator[object]:
    """A reader of *topic* from its end; what it gives waits for spans and says when they came."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, bootstrap, topic, str(first_id)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(lab.ROOT)},
        limit=1 << 28,
    )
    reader, writer = process.stdout, process.stdin
    assert reader is not None
    assert writer is not None
    await asyncio.wait_for(reader.readline(), 20)

    async def seen(wanted: Sequence[int]) -> dict[int, float]:
        writer.write(json.dumps(wanted).encode() + b"\n")
        answer = json.loads(await asyncio.wait_for(reader.readline(), 60))
        if len(answer) < len(wanted):
            raise lab.LostSpan(f"{len(wanted) - len(answer)} spans never became readable")
        return {int(key): value for key, value in answer.items()}

    try:
        yield seen
    finally:
        process.kill()
        await process.wait()


async def read(bootstrap: str, topic: str, first_id: int) -> None:
    """The reader's side: notes when spans come until a line on standard input asks for them."""
    pattern = re.compile(
        b"\x12\x08" + re.escape(first_id.to_bytes(8, "big")[:PREFIX_BYTES]) + b"(....)", re.DOTALL
    )
    seen: dict[int, float] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=50)
    await consumer.start()
    admin_view = await lab._partitions(consumer, topic)
    partitions = [TopicPartition(topic, p) for p in admin_view]
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for partition in partitions:
        await consumer.position(partition)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    asked = loop.run_in_executor(None, sys.stdin.readline)
    wanted: list[int] | None = None
    until = float("inf")
    while time.monotonic() < until:
        for batch in (await consumer.getmany(timeout_ms=20)).values():
            now = time.monotonic()
            for record in batch:
                for match in pattern.finditer(record.value):
                    seen.setdefault(int.from_bytes(match[1], "big"), now)
        if wanted is None and asked.done():
            wanted, until = json.loads(asked.result()), time.monotonic() + 30
        if wanted is not None and all(span in seen for span in wanted):
            break
    print(json.dumps({span: seen[span] for span in wanted or () if span in seen}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("first_id", type=int)
    options = parser.parse_args()
    asyncio.run(read(options.bootstrap, options.topic, options.first_id))
