"""The processor as it is built from its section."""

from typing import Any

from bridge.core import ACCEPTED, Batch, Deadline, Signal
from bridge.processors.tail_sampling import FACTORY, TailSampling, TailSamplingOptions, build_judge
from bridge.testing import FakeStage, ManualClock, make_settings, otlp_origin, trace_request
from tests.unit.processors.tail_sampling.conftest import TRACE_ID, parts, span

ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}


def options(**changes: Any) -> TailSamplingOptions:
    return TailSamplingOptions.model_validate(
        {"decision_wait": "2s", "policies": [ERRORS], **changes}
    )


async def run(component_id: str, **changes: Any) -> tuple[FakeStage, Any]:
    """Send traces of which a part failed and wait; what came out, and the figures."""
    clock, downstream = ManualClock(), FakeStage()
    settings = make_settings(component_id, clock=clock, pipeline="traces")
    processor = FACTORY.create(options(**changes), settings, Signal.TRACES, downstream)
    await processor.start()
    made = trace_request(20, 3, failed_share=0.3, seed=4)
    batch = Batch(Signal.TRACES, made.body, made.items, otlp_origin(clock))
    assert await processor.deliver(batch) == ACCEPTED
    await clock.advance(3.0)
    await processor.stop(Deadline.after(1.0, clock))
    return downstream, settings.metrics


async def test_processor_samples_and_counts_under_the_collectors_names() -> None:
    """Figures by policy and in all; the policy's name is made unique by the component's."""
    downstream, metrics = await run("tail_sampling/own")
    name = "otelcol_processor_tail_sampling_"
    sampled = metrics.value(name + "global_count_traces_sampled", sampled="true")

    assert 0 < sampled < 20
    assert 3 * sampled == downstream.items
    assert 20 - sampled == metrics.value(
        name + "count_traces_sampled", policy="own.errors", decision="not_sampled"
    )
    assert metrics.value(name + "new_trace_id_received") == 20
    assert metrics.value(name + "sampling_traces_on_memory") == 0


async def test_processor_span_ingest_passes_on_at_once() -> None:
    """A failed trace does not wait for its time."""
    clock, downstream = ManualClock(), FakeStage()
    processor = TailSampling(
        options(sampling_strategy="span-ingest"),
        make_settings("tail_sampling", clock=clock),
        Signal.TRACES,
        downstream,
    )
    await processor.start()
    made = trace_request(1, 2, failed_share=1.0)
    await processor.deliver(Batch(Signal.TRACES, made.body, 2, otlp_origin(clock)))
    await clock.advance(0.0)

    assert downstream.items == 2
    await processor.stop(Deadline.after(1.0, clock))


async def test_processor_span_ingest_with_a_drop_policy_samples_nothing() -> None:
    """What does not match yet still may; explaining asks all policies all the same."""
    clock, downstream = ManualClock(), FakeStage()
    dropping = {"name": "slow", "type": "drop", "drop": {"drop_sub_policy": [
        {"name": "s", "type": "latency", "latency": {"threshold_ms": 1_000_000}}]}}  # fmt: skip
    errors = {
        "name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]},
    }  # fmt: skip
    asked = options(sampling_strategy="span-ingest", policies=[errors, dropping])
    settings = make_settings("tail_sampling", clock=clock)
    processor = TailSampling(asked, settings, Signal.TRACES, downstream)
    await processor.start()
    made = trace_request(1, 2, failed_share=1.0)
    await processor.deliver(Batch(Signal.TRACES, made.body, 2, otlp_origin(clock)))
    await clock.advance(asked.decision_wait + 1.0)

    assert downstream.items == 0
    opinions = build_judge(asked, settings).opinions(TRACE_ID, *parts([span(status={"code": 2})]))
    assert [name for name, _ in opinions] == ["slow", "errors"]
    await processor.stop(Deadline.after(1.0, clock))


def test_build_judge_needs_no_pipeline() -> None:
    """Policies can be asked about one trace, as when a decision is explained."""
    judge = build_judge(options(), make_settings("tail_sampling"))

    assert judge.opinions(TRACE_ID, *parts([span(status={"code": 2})])) == [("errors", "sampled")]


def test_factory_names_the_component() -> None:
    """Traces only."""
    assert ("tail_sampling", frozenset({Signal.TRACES})) == (FACTORY.type_name, FACTORY.signals)
