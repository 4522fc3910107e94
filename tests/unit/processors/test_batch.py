"""The batch processor: its section, its figures, and when it steps aside."""

import asyncio

import pytest
from pydantic import ValidationError

from bridge.core import (
    ACCEPTED,
    SETTLED,
    Batch,
    Deadline,
    Origin,
    Outcome,
    Signal,
    State,
    Unavailable,
)
from bridge.processors.batch import FACTORY, BatchOptions, BatchProcessor
from bridge.testing import FakeStage, ManualClock, make_settings
from tests.unit.beginning import FakeBeginner


def built(stage: FakeStage, **keys: object) -> tuple[BatchProcessor, object]:
    settings = make_settings("batch", clock=ManualClock(), pipeline="traces/in")
    options = BatchOptions.model_validate(keys)
    return FACTORY.create(options, settings, Signal.TRACES, stage), settings


def a_batch(items: int = 1, **metadata: str) -> Batch:
    values = {key: (value,) for key, value in metadata.items()}
    return Batch(Signal.TRACES, b"x" * items, items, Origin("kafka"), values)


def test_batch_defaults_are_the_collectors() -> None:
    """The keys and values are those of the Collector."""
    options = BatchOptions()

    assert (options.timeout, options.send_batch_size, options.send_batch_max_size) == (0.2, 8192, 0)
    assert (options.metadata_keys, options.metadata_cardinality_limit) == ((), 1000)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"timeout": "-1s"}, "not be negative"),
        ({"send_batch_max_size": 10}, "below send_batch_size"),
        ({"metadata_keys": ["Tenant", "tenant"]}, "twice"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_batch_refuses_contradictions(keys, words) -> None:
    """What cannot work is refused when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        BatchOptions.model_validate(keys)


async def test_batch_joins_and_counts() -> None:
    """Concurrent deliveries become one, and the figures tell of it."""
    stage = FakeStage()
    batch, settings = built(stage)
    await batch.start()
    receipts = await asyncio.gather(*(batch.deliver(a_batch(2)) for _ in range(3)))
    await batch.stop(Deadline.after(1, settings.clock))

    assert receipts == [ACCEPTED] * 3
    assert [one.items for one in stage.taken] == [6]
    value = settings.metrics.value
    assert value("bridge_processor_batch_idle_trigger_send", processor="batch") == 1
    assert value("otelcol_processor_incoming_items", otel_signal="traces") == 6
    assert value("otelcol_processor_outgoing_items", otel_signal="traces") == 6
    assert value("bridge_processor_batch_pending_bytes", pipeline="traces/in") == 0
    assert settings.host.state is State.OK


async def test_batch_size_trigger_is_counted() -> None:
    """Reaching send_batch_size sends without waiting for the end of the turn."""
    stage = FakeStage()
    batch, settings = built(stage, send_batch_size=4)
    await asyncio.gather(*(batch.deliver(a_batch(2)) for _ in range(4)))
    await batch.stop(Deadline.after(1, settings.clock))

    assert [one.items for one in stage.taken] == [4, 4]
    assert settings.metrics.value("otelcol_processor_batch_batch_size_trigger_send") == 2


async def test_batch_passes_through_when_told() -> None:
    """With pass_through each batch goes on untouched, origin and all."""
    stage = FakeStage()
    batch, settings = built(stage)
    batch.pass_through = True
    mine = [a_batch(1), a_batch(2)]
    await asyncio.gather(*(batch.deliver(one) for one in mine))
    await batch.stop(Deadline.after(1, settings.clock))

    assert stage.taken == mine
    assert stage.taken[0] is mine[0]


async def test_batch_begins_only_where_it_passes_through() -> None:
    """Then the stage behind begins and its outcome is counted; what is joined needs `deliver`."""
    stage = FakeBeginner()
    outcomes: list[Outcome] = []
    batch, settings = built(stage)
    joined = batch.begin_delivery(a_batch(2), outcomes.append)
    batch.pass_through = True
    begun = batch.begin_delivery(a_batch(2), outcomes.append)
    ((_, settle),) = stage.begun
    settle(ACCEPTED)

    value = settings.metrics.value
    assert joined is None
    assert begun is SETTLED
    assert outcomes == [ACCEPTED]
    assert value("otelcol_processor_incoming_items", otel_signal="traces") == 2
    assert value("otelcol_processor_outgoing_items", otel_signal="traces") == 2


@pytest.mark.parametrize("answer", [Unavailable("full"), None])
async def test_batch_that_cannot_begin_counts_what_came(answer) -> None:
    """A refusal is raised and counted as incoming; a stage that must wait gets `deliver`."""
    batch, settings = built(FakeBeginner(answer))
    batch.pass_through = True
    raised = 0
    try:
        assert batch.begin_delivery(a_batch(2), lambda _: None) is None
    except Unavailable:
        raised = 2

    value = settings.metrics.value
    assert raised == (2 if answer else 0)
    assert value("otelcol_processor_incoming_items", otel_signal="traces") == raised
    assert value("otelcol_processor_outgoing_items", otel_signal="traces") == 0


async def test_batch_metadata_keys_ignore_case() -> None:
    """Keys in the configuration match lower-case request metadata."""
    stage = FakeStage()
    batch, settings = built(stage, metadata_keys=["X-Tenant"])
    mine = [a_batch(**{"x-tenant": name}) for name in ("a", "b", "a")]
    await asyncio.gather(*(batch.deliver(one) for one in mine))
    await batch.stop(Deadline.after(1, settings.clock))

    assert sorted(one.items for one in stage.taken) == [1, 2]


async def test_batch_with_timeout_zero_does_not_wait() -> None:
    """timeout 0 sends even while something is under way."""
    stage = FakeStage()
    batch, settings = built(stage, timeout="0s")
    stage.hold()
    first = asyncio.create_task(batch.deliver(a_batch()))
    await stage.wait_offered(1)
    second = asyncio.create_task(batch.deliver(a_batch()))
    await stage.wait_offered(2)
    stage.release()

    assert await asyncio.gather(first, second) == [ACCEPTED, ACCEPTED]
    await batch.stop(Deadline.after(1, settings.clock))


async def test_batch_hurry_sends_now() -> None:
    """A source that waits on the batch may have it sent."""
    stage = FakeStage()
    batch, settings = built(stage)
    stage.hold()
    first = asyncio.create_task(batch.deliver(a_batch()))
    await stage.wait_offered(1)
    second = asyncio.create_task(batch.deliver(a_batch()))
    await asyncio.sleep(0)
    batch.hurry()
    await stage.wait_offered(2)
    stage.release()

    assert await asyncio.gather(first, second) == [ACCEPTED, ACCEPTED]
    await batch.stop(Deadline.after(1, settings.clock))


async def test_batch_stop_is_safe_before_start_and_twice() -> None:
    """Stopping needs no start and may be repeated."""
    batch, settings = built(FakeStage())

    await batch.stop(Deadline.after(1, settings.clock))
    await batch.stop(Deadline.after(1, settings.clock))
