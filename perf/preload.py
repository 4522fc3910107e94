"""
Filling a topic with traces whose record timestamps advance at a given rate, in either layout.

``packed``: one record of ``packing: partition``, some 124 spans of many traces. ``keyed``: one
record a trace and scope as the Collector writes it, here of two spans: a trace of `SPANS_PER_TRACE`
comes in several records.
"""

import asyncio
import random
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from bodies import SPANS_PER_TRACE, Requests

from bridge.core import Signal
from bridge.kafka.partitioners import partition_of, placer
from bridge.wire import split_by_items, split_by_partition, split_by_trace, trace_key

KEYED_SPANS = 2
PACKED_SPANS = 1488
"""A request of that size gives 124 spans to each of 12 partitions."""


@dataclass(frozen=True)
class Loaded:
    """What was written: the ids count up from `first_id`."""

    first_id: int
    spans: int
    records: int


async def preload(
    bootstrap: str,
    topic: str,
    layout: str,
    spans: int,
    rate: float,
    partitions: int = 12,
    *,
    live: bool = False,
) -> Loaded:
    """
    Write *spans* spans of whole traces.

    Args:
        rate:
            Spans a second by which record timestamps advance; the last record is dated now.
        live:
            Whether to write at that rate, each record dated as it is written.
    """
    requests = Requests(PACKED_SPANS - PACKED_SPANS % SPANS_PER_TRACE, order="sdk")
    rounds = max(1, spans // requests.spans)
    total = rounds * requests.spans
    start_ms = time.time() * 1000 - (0 if live else total / rate * 1000)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks=1, linger_ms=20, max_batch_size=512 << 10
    )
    await producer.start()
    records = 0
    place = placer(partitions, "sarama_compat")
    try:
        for index in range(rounds):
            stamp_ms = int(start_ms + index * requests.spans / rate * 1000)
            if live:
                await asyncio.sleep(max(0.0, stamp_ms / 1000 - time.time()))
            body = requests()
            if layout == "packed":
                out = [
                    (None, piece.body, partition)
                    for partition, piece in split_by_partition(Signal.TRACES, body, place).items()
                ]
            else:
                out = _keyed(body, partitions)
            records += len(out)
            for key, value, partition in out:
                await producer.send(
                    topic, value, key=key, partition=partition, timestamp_ms=stamp_ms
                )
    finally:
        await producer.stop()
    return Loaded(requests.first_id, total, records)


def _keyed(body: bytes, partitions: int) -> list[tuple[bytes | None, bytes, int]]:
    out = []
    for trace in split_by_trace(Signal.TRACES, body):
        key = trace_key(trace.trace_id)
        partition = partition_of(key, partitions, "sarama_compat")
        out += [
            (key, piece, partition)
            for piece, _ in split_by_items(Signal.TRACES, trace.body, KEYED_SPANS)
        ]
    # Spans of a trace come from several hosts, a little apart.
    random.Random(len(body)).shuffle(out)
    return out
