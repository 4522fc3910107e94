"""What traces cost beside their bytes."""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable

import pytest
from aiokafka import TopicPartition

from bridge.core import Deadline, Signal
from bridge.flow import LaneLimits
from bridge.kafka.lane_figures import LaneFigures
from bridge.kafka.lane_runner import LaneRunner, Windows
from bridge.kafka.record_reader import FetchedRecord
from bridge.processors._gathering.intake import (
    BATCH_BYTES,
    RANGE_BYTES,
    RECORD_BYTES,
    TRACE_BYTES,
    WAITER_BYTES,
)
from bridge.processors.tail_sampling import TailSampling, TailSamplingOptions
from bridge.receivers.kafka.config import KafkaReceiverOptions
from bridge.receivers.kafka.receiver import KafkaReceiver
from bridge.testing import FakeStage, RecordingMetrics, make_settings, settle
from tests.unit.processors._gathering.conftest import Rig, request, trace_id


@pytest.mark.slow
@pytest.mark.parametrize("spans", [1, 8])
def test_intake_charges_what_traces_cost(rig: Callable[..., Rig], spans: int) -> None:
    """The account is near what Python allocates, for short traces and long ones."""
    own = rig()
    traces = 3_000
    bodies = [
        request(*((trace_id(number + 1), turn) for number in range(traces)))
        for turn in range(spans)
    ]
    gc.collect()
    tracemalloc.start()
    for body in bodies:
        own.records(body, at_ms=[0])
    gc.collect()
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    charged = own.engine.ledger.undecided_bytes - sum(len(body) for body in bodies)
    charged -= spans * (BATCH_BYTES + WAITER_BYTES + RECORD_BYTES)
    assert traces * (TRACE_BYTES + spans * RANGE_BYTES) == charged

    # The Python form of the scan shares the ints of neighbouring ranges, the compiled one does not.
    assert 0.7 < charged / allocated < 1.6


class _Client:
    """What lanes ask of a consumer, without one."""

    def at_end(self, lane: object) -> bool:
        return False

    def set_paused(self, partition: object, paused: bool) -> None:
        """Nothing is fetched ahead."""


POLICY = {"policies": [{"name": "all", "type": "always_sample"}]}


@pytest.mark.slow
@pytest.mark.parametrize(("polls", "records"), [(600, 1), (60, 100)])
async def test_intake_charges_what_waiting_records_cost(polls: int, records: int) -> None:
    """
    The account is near what Python allocates in the receiver, its lanes and the sampler together,
    for records of one span: alone in their batches, where it is mostly the waiting that costs, and
    joined.
    """
    config = TailSamplingOptions.model_validate(POLICY)
    metrics = RecordingMetrics()
    own = make_settings("tail_sampling", metrics=metrics)
    sampler = TailSampling(config, own, Signal.TRACES, FakeStage())
    settings = make_settings("kafka", metrics=RecordingMetrics())
    options = KafkaReceiverOptions.model_validate({"traces": {"topics": ["spans"]}})
    receiver = KafkaReceiver(options, settings, {Signal.TRACES: sampler})
    limits = LaneLimits(1 << 30, 4, 1 << 20)
    figures = LaneFigures(settings.metrics, settings.clock, "kafka")
    values = [request((trace_id(1 + at), at)) for at in range(polls * records)]
    async with asyncio.TaskGroup() as group:
        client = _Client()
        windows = Windows(limits, 1 << 30)
        runner = LaneRunner(client, receiver, figures, windows, group, 0)  # type: ignore[arg-type]
        (lane,) = runner.assign([TopicPartition("spans", 0)])
        lane.open(0)
        runner.opened(lane)
        gc.collect()
        tracemalloc.start()
        for first in range(0, len(values), records):
            found = [
                FetchedRecord("spans", 0, at, 1000, b"%032x" % at, bytes(bytearray(values[at])), ())
                for at in range(first, first + records)
            ]
            runner.take(lane, found)
            await settle()
        del found
        gc.collect()
        allocated, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        charged = metrics.value("bridge_processor_tail_sampling_undecided_bytes")
        assert lane.book.unfinished == polls * records
        runner.close([lane])
        await sampler.stop(Deadline.after(0.0, settings.clock))

    assert 0.7 < charged / allocated < 1.4
