"""Keeping a share of the traces."""

import random

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from bridge.core import Batch, Origin, Signal
from bridge.processors.probabilistic_sampler import FACTORY
from bridge.testing import FakeStage, RecordingMetrics, make_settings

TRACES = 2_000


def body() -> bytes:
    """Two spans each of many traces with random ids."""
    dice = random.Random(7)
    made = ExportTraceServiceRequest()
    scope = made.resource_spans.add().scope_spans.add()
    ids = [dice.randbytes(16) for _ in range(TRACES)]
    for trace_id in ids + ids:
        scope.spans.add(trace_id=trace_id, span_id=dice.randbytes(8), name="x")
    return made.SerializeToString()


async def kept(**section: object) -> dict[bytes, int]:
    """How many spans of each trace come out."""
    stage, metrics = FakeStage(), RecordingMetrics()
    config = FACTORY.config.model_validate(section)
    sampler = FACTORY.create(config, make_settings("s", metrics=metrics), Signal.TRACES, stage)
    await sampler.deliver(Batch(Signal.TRACES, body(), 2 * TRACES, Origin("test")))
    found: dict[bytes, int] = {}
    for batch in stage.taken:
        for group in ExportTraceServiceRequest.FromString(batch.body).resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    found[span.trace_id] = found.get(span.trace_id, 0) + 1
    assert sum(found.values()) == stage.items
    return found


@pytest.mark.parametrize("mode", ["hash_seed", "equalizing", "proportional"])
async def test_sampler_keeps_whole_traces_at_about_the_rate(mode: str) -> None:
    """A trace is kept with all its spans or not at all, and the share is the configured one."""
    found = await kept(mode=mode, sampling_percentage=25)

    assert set(found.values()) == {2}
    assert 0.2 < len(found) / TRACES < 0.3


async def test_sampler_same_seed_agrees_and_other_seed_does_not() -> None:
    """Samplers in different places decide alike if they have one seed."""
    first = await kept(sampling_percentage=30, hash_seed=1)
    again = await kept(sampling_percentage=30, hash_seed=1)
    other = await kept(sampling_percentage=30, hash_seed=2)

    assert first == again != other


async def test_sampler_limits_are_all_and_nothing() -> None:
    """0 keeps nothing, 100 and more keep everything."""

    assert await kept(sampling_percentage=0) == {}
    assert len(await kept(sampling_percentage=150)) == TRACES


@pytest.mark.parametrize(
    "section", [{"sampling_percentage": -1}, {"mode": "fair"}, {"sampling_precision": 15}]
)
def test_sampler_senseless_options_are_refused(section: dict[str, object]) -> None:
    """What cannot mean anything is found when the file is read."""
    with pytest.raises(ValidationError):
        FACTORY.config.model_validate(section)
