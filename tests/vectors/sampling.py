"""What the sampler here makes of requests, without waiting: by OTLP and as records of Kafka."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bridge.core import Batch, Deadline, Signal
from bridge.processors.tail_sampling import FACTORY, TailSampling
from bridge.testing import FakeStage, ManualClock, kafka_batch, make_settings, otlp_origin, settle
from bridge.wire import count_items, trace_ids
from bridge.wire.shallow import parse
from tests.vectors.comparison import undollar

Requests = Sequence[tuple[float, bytes]]
"""Requests with the seconds between the one before and each."""


async def sample(config: dict[str, Any], requests: Requests, *, by_kafka: bool) -> Counter[bytes]:
    """
    What comes out of the processor: trace ids, and how many spans of each.

    Args:
        by_kafka:
            Whether the requests are records whose timestamps are as far apart, read at once.

    Raises:
        ValidationError: If *config* is refused.
    """
    options = FACTORY.config.model_validate(undollar(config))
    clock = ManualClock()
    downstream = FakeStage()
    settings = make_settings("tail_sampling", clock=clock)
    processor = TailSampling(options, settings, Signal.TRACES, downstream)
    await processor.start()
    if by_kafka:
        await _deliver_records(processor, clock, requests)
    else:
        for wait_s, body in requests:
            await clock.advance(wait_s)
            items = count_items(Signal.TRACES, body)
            await processor.deliver(Batch(Signal.TRACES, body, items, otlp_origin(clock)))
        await clock.advance(options.decision_wait + 2.0)
    await settle()
    await processor.stop(Deadline.after(1.0, clock))
    return _spans_by_trace(downstream)


async def _deliver_records(processor: TailSampling, clock: ManualClock, requests: Requests) -> None:
    bodies = [body for _, body in requests]
    at_ms, stamps = int(clock.wall() * 1000) - 60_000, []
    for wait_s, _ in requests:
        at_ms += round(wait_s * 1000)
        stamps.append(at_ms)
    # An empty record a minute later: everything before it is due.
    batch = kafka_batch(
        Signal.TRACES,
        *bodies,
        b"",
        items=sum(count_items(Signal.TRACES, body) for body in bodies),
        timestamps_ms=[*stamps, int(clock.wall() * 1000)],
    )
    await processor.deliver(batch)
    assert sorted(batch.origin.custody.finished) == list(range(len(bodies) + 1))


def _spans_by_trace(downstream: FakeStage) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for batch in downstream.taken:
        for _, _, scopes in parse(batch.body):
            for _, spans in scopes:
                found.update(trace_ids(Signal.TRACES, spans))
    return found
