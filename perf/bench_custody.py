"""
CPU of a span on its way through the process from a fetched record to a finished one: no Kafka, no
socket. What a drain costs beside this is fetching, committing and sending.

Usage: python perf/bench_custody.py [--spans 400000] [--layout packed|keyed] [--pipeline pass|tail]

The traffic, the partitions and the policies of `process.py`; the real receiver, lanes and stages,
and behind them a backend that takes everything at once. Every record must have been finished.
Making the records is not counted. Prints microseconds a span and the largest resident size.
"""

import argparse
import asyncio
import cProfile
import itertools
import pstats
import random
import resource
import time
from collections.abc import Iterator, Sequence

from aiokafka import TopicPartition
from bodies import Requests
from preload import KEYED_SPANS, PACKED_SPANS

from bridge.core import ACCEPTED, Batch, Receipt, Signal, Stage
from bridge.flow import Lane, LaneLimits, encode_islands
from bridge.kafka.lane_figures import LaneFigures
from bridge.kafka.lane_runner import LaneRunner, Windows
from bridge.kafka.partitioners import partition_of, placer
from bridge.kafka.poller import POLL_BYTES_AIM
from bridge.kafka.record_reader import FetchedRecord
from bridge.processors.tail_sampling import TailSampling, TailSamplingOptions
from bridge.receivers.kafka.config import MIB, KafkaReceiverOptions
from bridge.receivers.kafka.receiver import KafkaReceiver
from bridge.service.runner import tune_gc
from bridge.testing import make_settings
from bridge.wire import split_by_items, split_by_partition, split_by_trace, trace_key

PARTITIONS = 12
TOPIC = "otlp_spans"
COMMIT_EVERY = 30
"""Polls between two commits: what a drain at 100,000 spans a second brings in that time."""

POLICIES = [
    {"name": "slow", "type": "latency", "latency": {"threshold_ms": 600}},
    {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
    {"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}},
]

Polled = dict[int, list[FetchedRecord]]


class Hole:
    """Takes everything at once."""

    def __init__(self) -> None:
        self.items = 0

    async def deliver(self, batch: Batch) -> Receipt:
        """Count it."""
        self.items += batch.items
        return ACCEPTED


class Client:
    """What lanes ask of a consumer, without one."""

    def at_end(self, lane: Lane) -> bool:
        """There is always more."""
        return False

    def set_paused(self, partition: TopicPartition, paused: bool) -> None:
        """Nothing is fetched ahead here."""


def polls(spans: int, layout: str, order: str, rate: float) -> Iterator[tuple[Polled, int]]:
    """Records as one poll after the other brings them, of about `POLL_BYTES_AIM`; spans in each."""
    requests = Requests(PACKED_SPANS - PACKED_SPANS % 5, order=order)
    place = placer(PARTITIONS, "sarama_compat")
    offsets = [0] * PARTITIONS
    rounds = spans // requests.spans
    start_ms = time.time() * 1000 - rounds * requests.spans / rate * 1000
    found: Polled = {}
    size = count = 0
    for index in range(rounds):
        stamp_ms = int(start_ms + index * requests.spans / rate * 1000)
        body = requests()
        if layout == "packed":
            out = [(p, s.body) for p, s in split_by_partition(Signal.TRACES, body, place).items()]
        else:
            out = [
                (partition_of(trace_key(trace.trace_id), PARTITIONS, "sarama_compat"), piece)
                for trace in split_by_trace(Signal.TRACES, body)
                for piece, _ in split_by_items(Signal.TRACES, trace.body, KEYED_SPANS)
            ]
            random.Random(index).shuffle(out)
        for partition, value in out:
            record = FetchedRecord(
                TOPIC, partition, offsets[partition], stamp_ms, None, value, _HEADERS
            )
            offsets[partition] += 1
            found.setdefault(partition, []).append(record)
            size += len(value)
        count += requests.spans
        if size >= POLL_BYTES_AIM:
            yield found, count
            found, size, count = {}, 0, 0
    yield found, count


_HEADERS: tuple[tuple[str, bytes | None], ...] = ()


async def run(options: argparse.Namespace) -> None:
    """One drain."""
    hole = Hole()
    stage: Stage = hole
    sampler = None
    settings = make_settings("kafka")
    if options.pipeline == "tail":
        config = TailSamplingOptions.model_validate({"decision_wait": "5s", "policies": POLICIES})
        sampler = TailSampling(config, make_settings("tail_sampling"), Signal.TRACES, hole)
        await sampler.start()
        stage = sampler
    receiver_config = KafkaReceiverOptions.model_validate({"traces": {"topics": [TOPIC]}})
    receiver = KafkaReceiver(receiver_config, settings, {Signal.TRACES: stage})
    limits = LaneLimits(
        receiver_config.max_in_flight_mib * MIB,
        receiver_config.max_in_flight_batches,
        receiver_config.max_batch_kib * 1024,
    )
    windows = Windows(limits, receiver_config.max_in_flight_total_mib * MIB)
    figures = LaneFigures(settings.metrics, settings.clock, "kafka")
    tune_gc()
    cpu_s = spans = 0.0
    profile = cProfile.Profile() if options.profile else None
    async with asyncio.TaskGroup() as group:
        runner = LaneRunner(Client(), receiver, figures, windows, group, 0)  # type: ignore[arg-type]
        lanes = runner.assign([TopicPartition(TOPIC, number) for number in range(PARTITIONS)])
        for lane in lanes:
            lane.open(0)
            runner.opened(lane)
        made = polls(options.spans, options.layout, options.order, options.rate)
        for number, (polled, count) in zip(itertools.count(1), made, strict=False):
            began_s = time.process_time()
            if profile:
                profile.enable()
            await _take(runner, lanes, polled)
            if number % COMMIT_EVERY == 0:
                _commit(lanes)
            if profile:
                profile.disable()
            cpu_s += time.process_time() - began_s
            spans += count
        del polled
        undecided = sum(lane.book.unfinished for lane in lanes)
        for lane in lanes:
            lane.drain()
        runner.close(lanes)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{options.pipeline} {options.layout:6} {options.order:9} {spans:.0f} spans: "
        f"{cpu_s / spans * 1e6:.2f} us/span, {hole.items} passed on, {undecided} records undecided "
        f"at the end, {peak_mib:.0f} MiB at most"
    )
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)


async def _take(runner: LaneRunner, lanes: Sequence[Lane], polled: Polled) -> None:
    for partition, records in polled.items():
        runner.take(lanes[partition], records)
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)  # Deliveries that can go on have gone on then.


def _commit(lanes: Sequence[Lane]) -> None:
    for lane in lanes:
        offset = lane.book.committed
        encode_islands(offset, lane.book.islands(), chars_max=4096)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=400_000)
    parser.add_argument("--layout", choices=["packed", "keyed"], default="packed")
    parser.add_argument("--pipeline", choices=["pass", "tail"], default="tail")
    parser.add_argument("--order", choices=["sdk", "collector"], default="sdk")
    parser.add_argument("--rate", type=float, default=20_000.0)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
