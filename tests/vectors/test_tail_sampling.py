"""What a real Collector sampled, over OTLP and over Kafka, in both orders of a span's fields."""

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from bridge.core import Batch, Deadline, Signal
from bridge.processors.tail_sampling import FACTORY, TailSampling
from bridge.testing import (
    FakeStage,
    ManualClock,
    Order,
    kafka_batch,
    make_settings,
    otlp_origin,
    settle,
)
from bridge.wire import count_items, otlp_json, trace_ids
from bridge.wire.shallow import parse
from tests.vectors.comparison import undollar

DATA = json.loads((Path(__file__).parent / "data" / "tail_sampling.json").read_text())
CASES = {case["id"]: case for case in DATA["cases"]}

CRASHES_THE_COLLECTOR = {"numeric-07"}
"""Cases in which the Collector dies at the first decision; here they are refused at the start."""


def sampled_ids(downstream: FakeStage) -> set[str]:
    """The trace ids that came out."""
    found: set[str] = set()
    for batch in downstream.taken:
        for _, _, scopes in parse(batch.body):
            for _, spans in scopes:
                found |= {one.hex() for one in trace_ids(Signal.TRACES, spans)}
    return found


async def sample(config: dict[str, Any], body: bytes, *, by_kafka: bool) -> set[str]:
    """What comes out of the processor after `decision_wait`."""
    options = FACTORY.config.model_validate(undollar(config))
    clock = ManualClock()
    downstream = FakeStage()
    processor = TailSampling(
        options, make_settings("tail_sampling", clock=clock), Signal.TRACES, downstream
    )
    await processor.start()
    if by_kafka:
        now_ms = int(clock.wall() * 1000)
        first = kafka_batch(
            Signal.TRACES,
            body,
            b"",
            items=count_items(Signal.TRACES, body),
            timestamps_ms=[now_ms - 60_000, now_ms],
        )
        await processor.deliver(first)
        assert first.origin.custody.finished in ([0, 1], [1, 0])
    else:
        items = count_items(Signal.TRACES, body)
        await processor.deliver(Batch(Signal.TRACES, body, items, otlp_origin(clock)))
        await clock.advance(4.0)
    await settle()
    await processor.stop(Deadline.after(1.0, clock))
    return sampled_ids(downstream)


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("by_kafka", [False, True], ids=["otlp", "kafka"])
@pytest.mark.parametrize("case_id", CASES)
async def test_tail_sampling_vector_samples_what_the_collector_does(
    case_id: str, by_kafka: bool, order: Order
) -> None:
    """Each case samples exactly the traces that a Collector sampled, or is refused like there."""
    case = CASES[case_id]
    fixture = json.dumps(DATA["fixtures"][case["input"]["fixture"]]).encode()
    message = ExportTraceServiceRequest.FromString(otlp_json.decode(Signal.TRACES, fixture))
    body = order.encode(message)
    expect = case["expect"]

    if expect.get("at") == "start" or case_id in CRASHES_THE_COLLECTOR:
        with pytest.raises(ValidationError):
            await sample(case["config"], body, by_kafka=by_kafka)
    else:
        assert set(expect["sampled"]) == await sample(case["config"], body, by_kafka=by_kafka)
