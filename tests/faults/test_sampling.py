"""Tail sampling between crashes and jumping clocks: every trace whole, or dropped by its rule."""

import asyncio
from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Signal
from bridge.testing import Made, Order, trace_request
from tests.faults.clock import HOUR_S, Clock
from tests.faults.scene import Scene

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

DECISION_WAIT_S = 4
SAMPLING = {
    "tail_sampling": {
        "decision_wait": f"{DECISION_WAIT_S}s",
        "policies": [
            {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
        ],
    }
}


def halves(seed: int, failed: bool, order: Order) -> tuple[Made, Made]:
    """One trace of four spans in two requests; if it failed, the last span says so."""
    whole = trace_request(1, 4, seed=seed, failed_share=float(failed))
    request = ExportTraceServiceRequest.FromString(whole.body)
    spans = list(request.resource_spans[0].scope_spans[0].spans)
    parts = []
    for share in (slice(0, 2), slice(2, 4)):
        part = ExportTraceServiceRequest()
        part.CopyFrom(request)
        del part.resource_spans[0].scope_spans[0].spans[:]
        part.resource_spans[0].scope_spans[0].spans.extend(spans[share])
        parts.append(Made(Signal.TRACES, order.encode(part), 2, whole.span_ids[share]))
    return parts[0], parts[1]


async def _send_halves(s: Scene, traces: int, pause_s: float) -> None:
    """Send the first halves of so many traces, pause, and send the second ones."""
    late = []
    for number in range(traces):
        failed = number % 3 == 0
        order = s.dice.choice(list(Order))
        first, second = halves(s.dice.getrandbits(60), failed, order)
        for part in (first, second):
            s.oracle.mint(part)
            if not failed:
                s.oracle.drop(part.span_ids)
        await s.clients.send_one(first)
        late.append(second)
    await asyncio.sleep(pause_s)
    for part in late:
        await s.clients.send_one(part)


@pytest.mark.faults("F2, sampling")
async def test_kill_between_the_halves_of_traces_splits_none(scene: Callable[..., Scene]) -> None:
    """kill -9 twice within decision_wait: traces with an error come whole, the others never."""
    async with scene(partitions=3) as s:
        await s.ingest()
        await s.process(processors=SAMPLING)
        sending = asyncio.create_task(_send_halves(s, 60, 1.0))
        for _ in range(2):
            await asyncio.sleep(DECISION_WAIT_S * s.dice.uniform(0.4, 0.9))
            await s.kill("process")
            await s.bridges["process"].process.start()
        await sending
        await s.settle(drain_s=90, fresh=False)
        s.row.notes.append(f"decision_wait {DECISION_WAIT_S} s, every third trace kept")


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
@pytest.mark.faults("F40, sampling")
async def test_clock_jump_between_the_halves_decides_nothing_early(
    scene: Callable[..., Scene], clock: Clock, jump_s: int
) -> None:
    """The process side's clock jumps while traces wait: they are decided on both halves."""
    async with scene(partitions=3) as s:
        clock.detach()
        await s.ingest()
        clock.attach()
        await s.process(processors=SAMPLING)
        await asyncio.sleep(4)
        sending = asyncio.create_task(_send_halves(s, 12, 2.0))
        await asyncio.sleep(1.5)
        clock.move(jump_s)
        await sending
        await asyncio.sleep(DECISION_WAIT_S + 4)
        early = len(s.oracle.missing)
        clock.move(0)
        await s.settle(drain_s=60, fresh=False)
        s.row.notes.append(f"clock {jump_s / HOUR_S:+.0f} h; {early} spans waited for its return")
