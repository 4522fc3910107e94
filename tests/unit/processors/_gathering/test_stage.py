"""Waiting, delivering and telling, around the engine."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    Denied,
    Interrupted,
    Malformed,
    Origin,
    Overloaded,
    PartitionListener,
    Receipt,
    Refused,
    Settings,
    Signal,
    State,
    Unavailable,
)
from bridge.processors._gathering import Bounds, Delivery, Gathering
from bridge.processors._gathering.journal import DecisionLog
from bridge.testing import (
    FakeCustody,
    FakeStage,
    ManualClock,
    kafka_batch,
    make_settings,
    otlp_origin,
    settle,
)
from bridge.wire import count_items
from tests.unit.processors._gathering.conftest import Rig, ToldJudge, request, spans_in, trace_id

A, B, C = (trace_id(number) for number in range(1, 4))


class Bench:
    """A stage on a clock driven by hand."""

    def __init__(
        self,
        judge: ToldJudge,
        downstream: FakeStage,
        *,
        bounds: Bounds | None = None,
        delivery: Delivery | None = None,
        drop_at_stop: bool = False,
        wait_for_room: bool = False,
        decisions: DecisionLog | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.wall_ms = int(self.clock.wall() * 1000)
        self.rig = Rig(judge, bounds=bounds)
        self.judge = judge
        self.downstream = downstream
        self.settings: Settings = make_settings("tail_sampling", clock=self.clock)
        self.stage = Gathering(
            self.rig.engine,
            self.rig.telemetry,
            self.settings,
            downstream,
            delivery or Delivery(),
            drop_at_stop=drop_at_stop,
            wait_for_room=wait_for_room,
            read_back_s=15.0,
            decisions=decisions,
        )
        self.custody = FakeCustody()
        self.offset = 0

    def records(self, *bodies: bytes, at_s: float = 0.0) -> Batch:
        """A batch of records, all *at_s* after the beginning."""
        first, self.offset = self.offset, self.offset + len(bodies)
        return kafka_batch(
            Signal.TRACES,
            *bodies,
            items=sum(count_items(Signal.TRACES, body) for body in bodies),
            custody=self.custody,
            first_offset=first,
            timestamps_ms=[self.wall_ms - 60_000 + round(at_s * 1000)] * len(bodies),
        )

    def deliver(self, batch: Batch) -> asyncio.Task[Receipt]:
        """Deliver in a task of its own."""
        return asyncio.create_task(self.stage.deliver(batch))

    async def stop(self, seconds: float = 1.0) -> None:
        await self.stage.stop(Deadline.after(seconds, self.clock))

    @property
    def came_out(self) -> list[tuple[bytes, int]]:
        """Every span that was taken downstream."""
        return [span for batch in self.downstream.taken for span in spans_in(batch.body)]


@asynccontextmanager
async def running(*sampled: bytes, **options: object) -> AsyncIterator[Bench]:
    """A started bench; everything is sampled if no trace is named."""
    downstream = options.pop("downstream", None) or FakeStage()
    judge = ToldJudge(*sampled, everything=not sampled)
    bench = Bench(judge, downstream, **options)  # type: ignore[arg-type]  # Checked by Bench.
    await bench.stage.start()
    try:
        yield bench
    finally:
        bench.downstream.release()
        await bench.stop()


async def test_stage_answers_kafka_when_all_is_decided_and_delivered() -> None:
    """`deliver` returns once every trace was decided and the sampled ones have arrived."""
    async with running(A) as bench:
        first = bench.deliver(bench.records(request((A, 1), (B, 2))))
        await settle()
        assert not first.done()
        second = bench.deliver(bench.records(b"", at_s=10.1))
        await settle()

        assert ACCEPTED == first.result() == second.result()
        assert bench.came_out == [(A, 1)]
        assert sorted(bench.custody.finished) == [0, 1]


async def test_stage_finishes_records_before_their_batch() -> None:
    """A record whose traces are done is finished although its batch goes on."""
    async with running(A) as bench:
        batch = kafka_batch(
            Signal.TRACES,
            request((B, 1)),
            request((A, 2)),
            items=2,
            custody=bench.custody,
            timestamps_ms=[bench.wall_ms - 30_000, bench.wall_ms - 20_000],
        )
        task = bench.deliver(batch)
        await settle()

        assert bench.custody.finished == [0]
        assert not task.done()
        task.cancel()


async def test_stage_takes_records_into_its_own_budget() -> None:
    """The source's window must not count what waits for later records."""
    async with running() as bench:
        batch = bench.records(request((A, 1)))
        task = bench.deliver(batch)
        await settle()

        assert bench.custody.held == [0]
        task.cancel()


async def test_stage_answers_otlp_on_entry() -> None:
    """A client cannot wait for the decision; its trace is decided by the steady clock."""
    async with running() as bench:
        batch = Batch(Signal.TRACES, request((A, 1)), 1, otlp_origin(bench.clock))
        receipt = await bench.stage.deliver(batch)
        assert bench.came_out == []
        await bench.clock.advance(11.0)

        assert ACCEPTED is receipt
        assert bench.came_out == [(A, 1)]


async def test_stage_keeps_durable_data_without_records_until_it_is_delivered() -> None:
    """Whoever delivers without a deadline keeps custody meanwhile, known offsets or not."""
    async with running() as bench:
        task = bench.deliver(Batch(Signal.TRACES, request((A, 1)), 1, Origin("sampler")))
        await bench.clock.advance(5.0)
        assert not task.done()
        await bench.clock.advance(6.0)

        assert task.result() is ACCEPTED
        assert bench.came_out == [(A, 1)]


async def test_stage_delivers_decided_traces_together_and_durably() -> None:
    """One batch holds several traces, counts their spans, and nobody's deadline ends it."""
    async with running() as bench:
        bench.deliver(bench.records(request((A, 1), (B, 2))))
        bench.deliver(bench.records(request((C, 3)), at_s=10.1))
        await settle()

        (batch,) = bench.downstream.taken
        assert batch.items == 2
        assert batch.origin.durable
        assert batch.origin.custody is None
        await bench.stop()


async def test_stage_tries_again_without_end() -> None:
    """A backend that is away holds traces and offsets; they arrive when it is back."""
    downstream = FakeStage(*[Unavailable("away")] * 20)
    async with running(downstream=downstream) as bench:
        bench.deliver(bench.records(request((A, 1))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()
        assert bench.custody.finished == [1]
        await bench.clock.advance(1_000.0)

        assert bench.came_out == [(A, 1)]
        assert bench.custody.finished == [1, 0]
        assert bench.rig.own("delivery_retries") == 20


async def test_stage_goes_on_deciding_while_the_backend_is_away() -> None:
    """What is not sampled is finished meanwhile."""
    async with running(A) as bench:
        bench.downstream.hold()
        bench.deliver(bench.records(request((A, 1)), request((B, 2))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()

        assert bench.custody.finished == [1, 2]


async def test_stage_reports_a_denial_and_keeps_the_data() -> None:
    """Wrong credentials are an alarm, and nothing is dropped."""
    async with running(downstream=FakeStage(Denied("no", hint="mend it"))) as bench:
        bench.deliver(bench.records(request((A, 1))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()
        states = [status.state for status in bench.settings.host.reported]  # type: ignore[attr-defined]  # FakeHost has it.
        await bench.clock.advance(31.0)

        assert State.PERMANENT in states
        assert bench.came_out == [(A, 1)]


async def test_stage_finds_the_trace_that_is_refused() -> None:
    """A permanent error costs the neighbours nothing: only the poisonous record is answered so."""
    poison = Refused("no")

    class Picky(FakeStage):
        async def deliver(self, batch: Batch) -> Receipt:
            if (B, 2) in spans_in(batch.body):
                raise poison
            return await super().deliver(batch)

    async with running(downstream=Picky()) as bench:
        task = bench.deliver(bench.records(request((A, 1)), request((B, 2)), request((C, 3))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()

        assert poison is task.exception()
        assert sorted(bench.custody.finished) == [0, 2, 3]
        assert sorted(bench.came_out) == [(A, 1), (C, 3)]
        assert bench.rig.own("refused_spans") == 1


async def test_stage_counts_a_refused_trace_that_came_by_otlp() -> None:
    """Nobody waits for it any more: it is counted and logged."""
    async with running(downstream=FakeStage(Refused("no"))) as bench:
        await bench.stage.deliver(
            Batch(Signal.TRACES, request((A, 1)), 1, otlp_origin(bench.clock))
        )
        await bench.clock.advance(11.0)

        assert bench.rig.own("refused_spans") == 1
        assert bench.rig.engine.ledger.open_records == 0


async def test_stage_lets_go_of_what_was_refused() -> None:
    """An error knows the frames that held its traces: neither may keep the other in memory."""
    raised: list[weakref.ref[Refused]] = []

    class Refusing(FakeStage):
        async def deliver(self, batch: Batch) -> Receipt:
            if all(span != (B, 2) for span in spans_in(batch.body)):
                return await super().deliver(batch)
            error = Refused("no")
            raised.append(weakref.ref(error))
            raise error

    async with running(downstream=Refusing()) as bench:
        body = request((A, 1), (B, 2), (C, 3))
        await bench.stage.deliver(Batch(Signal.TRACES, body, 3, otlp_origin(bench.clock)))
        await bench.clock.advance(11.0)
        assert (bench.rig.own("refused_spans"), len(bench.came_out)) == (1, 2)
        gc.collect()

        assert raised
        assert [error for ref in raised if (error := ref()) is not None] == []


async def test_stage_refuses_broken_bodies() -> None:
    """The source sets such a record aside."""
    async with running() as bench:
        with pytest.raises(Malformed):
            await bench.stage.deliver(bench.records(b"\x0a\x7f"))


async def test_stage_waits_for_the_backend_before_it_takes_more() -> None:
    """Above the undelivered share nothing new comes in; an OTLP sender hears of it in time."""
    async with running(bounds=Bounds(10_000, 500)) as bench:
        bench.downstream.hold()
        bench.deliver(bench.records(request(*((A, number) for number in range(20)))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()
        waiting = bench.deliver(bench.records(request((B, 1)), at_s=10.2))
        await settle()
        assert len(bench.rig.engine.lanes) == 1
        assert bench.rig.engine.undecided == 0
        with pytest.raises(Overloaded):
            await bench.stage.deliver(
                Batch(Signal.TRACES, request((C, 1)), 1, otlp_origin(bench.clock, 0.0))
            )
        bench.downstream.release()
        await settle()

        assert bench.rig.engine.undecided == 1
        waiting.cancel()


async def test_stage_lets_otlp_wait_for_room_if_told() -> None:
    """`block_on_overflow` keeps senders waiting at `num_traces`."""
    bounds = Bounds(1 << 30, 1 << 29, traces_max=1)
    async with running(bounds=bounds, wait_for_room=True) as bench:
        origin = otlp_origin(bench.clock, 1e6)
        await bench.stage.deliver(Batch(Signal.TRACES, request((A, 1)), 1, origin))
        second = bench.deliver(Batch(Signal.TRACES, request((B, 2)), 1, origin))
        await settle()
        assert not second.done()
        await bench.clock.advance(11.0)

        assert second.done()


async def test_stage_follows_the_wall_where_a_log_is_read_to_its_end() -> None:
    """The custody is asked whether its partition is caught up."""
    async with running() as bench:
        task = bench.deliver(bench.records(request((A, 1)), at_s=60.0))
        await bench.clock.advance(20.0)
        assert not task.done()
        bench.custody.at_end = True
        await bench.clock.advance(1.0)

        assert task.done()
        assert bench.came_out == [(A, 1)]


async def test_stage_ends_deliveries_of_a_revoked_partition() -> None:
    """They are interrupted at once, undecided, and nothing of them is finished later."""
    async with running() as bench:
        task = bench.deliver(bench.records(request((A, 1))))
        await settle()
        bench.stage.partition_revoked(bench.custody)
        await settle()

        assert isinstance(task.exception(), Interrupted)
        assert bench.custody.finished == []
        assert bench.rig.engine.undecided == 0


async def test_stage_forgets_a_partition_whose_delivery_is_cancelled() -> None:
    """A source cancels what it has of a partition only when it loses it."""
    async with running() as bench:
        task = bench.deliver(bench.records(request((A, 1))))
        other = bench.deliver(bench.records(request((B, 2))))
        await settle()
        task.cancel()
        await settle()

        assert task.cancelled()
        assert isinstance(other.exception(), Interrupted)
        assert bench.rig.engine.undecided == 0


async def test_stage_frozen_partition_is_kept_and_goes_on() -> None:
    """Nothing of it is passed on or taken, undecided traces stay, and it resumes as it was."""
    async with running(A) as bench:
        held = bench.deliver(bench.records(request((A, 1), (B, 2))))
        await settle()
        bench.stage.partition_frozen(bench.custody)
        bench.custody.at_end = False
        with pytest.raises(Interrupted):
            await bench.stage.deliver(bench.records(request((C, 3)), at_s=10.1))
        await bench.clock.advance(60.0)
        assert not held.done()
        assert bench.rig.engine.undecided == 2
        bench.offset -= 1
        bench.stage.partition_resumed(bench.custody)
        bench.deliver(bench.records(request((C, 3)), at_s=10.1))
        await settle()

        assert held.done()
        assert bench.came_out == [(A, 1)]


async def test_stage_frozen_partition_delivers_no_decided_trace() -> None:
    """What is decided waits until the partition is ours again; other partitions go on."""
    async with running(delivery=Delivery(in_flight_max=1)) as bench:
        bench.downstream.hold()
        bench.deliver(bench.records(request((A, 1))))
        bench.deliver(bench.records(request((B, 2)), at_s=10.1))
        await settle()
        bench.deliver(bench.records(b"", at_s=30.0))
        await settle()
        bench.stage.partition_frozen(bench.custody)
        bench.downstream.release()
        await settle()
        other = Batch(Signal.TRACES, request((C, 3)), 1, otlp_origin(bench.clock))
        await bench.stage.deliver(other)
        await bench.clock.advance(11.0)
        assert bench.came_out == [(A, 1), (C, 3)]
        bench.stage.partition_resumed(bench.custody)
        await settle()

        assert bench.came_out == [(A, 1), (C, 3), (B, 2)]


async def test_stage_quiet_waits_for_attempts_and_for_nothing_else() -> None:
    """A rebalance waits for deliveries in flight, not for undecided traces nor for a backoff."""
    async with running() as bench:
        bench.downstream.hold()
        bench.deliver(bench.records(request((A, 1))))
        bench.deliver(bench.records(request((B, 2)), at_s=10.1))
        await settle()
        bench.stage.partition_frozen(bench.custody)
        quiet = asyncio.create_task(bench.stage.wait_partition_quiet(bench.custody))
        await settle()
        assert not quiet.done()
        bench.downstream.release()
        await settle()

        assert quiet.done()
        assert bench.custody.finished == [0]
        assert bench.rig.engine.undecided == 1


async def test_stage_quiet_does_not_wait_for_a_backend_that_is_away() -> None:
    """Between two attempts nothing is under way; traces of a lost partition are not sent then."""
    downstream = FakeStage(Unavailable("away"))
    async with running(downstream=downstream) as bench:
        bench.deliver(bench.records(request((A, 1))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()
        bench.stage.partition_frozen(bench.custody)
        await bench.stage.wait_partition_quiet(bench.custody)
        bench.stage.partition_revoked(bench.custody)
        assert "0 in flight" in repr(bench.stage)
        await bench.clock.advance(60.0)

        assert bench.came_out == []


async def test_stage_frozen_partition_waits_for_no_room() -> None:
    """A batch that waits for a slow backend is given back at once, and its records come again."""
    async with running(bounds=Bounds(10_000, 500)) as bench:
        bench.downstream.hold()
        bench.deliver(bench.records(request(*((A, number) for number in range(20)))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()
        waiting = bench.deliver(bench.records(request((B, 1)), at_s=10.2))
        await settle()
        assert not waiting.done()
        bench.stage.partition_frozen(bench.custody)
        await settle()

        assert isinstance(waiting.exception(), Interrupted)


async def test_stage_forgets_a_partition_that_was_closed() -> None:
    """Also if nobody told: the custody knows."""
    async with running() as bench:
        task = bench.deliver(bench.records(request((A, 1))))
        await settle()
        bench.custody.closed = True
        await bench.clock.advance(1.0)

        assert isinstance(task.exception(), Interrupted)
        assert bench.rig.engine.lanes == {}


async def test_stage_takes_context_and_answers_nobody() -> None:
    """Records that were finished before are looked at only."""
    async with running() as bench:
        batch = bench.records(request((A, 1)))
        seen = replace(batch, origin=replace(batch.origin, context=True))
        assert await bench.stage.deliver(seen) is ACCEPTED
        task = bench.deliver(bench.records(request((A, 2))))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()

        assert task.done()
        assert bench.came_out == [(A, 2)]
        assert sorted(bench.custody.finished) == [1, 2]
        assert bench.judge.shown == [(A, [1, 2], 2)]
        assert bench.stage.read_back_s == 15.0


async def test_stage_stop_decides_otlp_and_gives_kafka_back() -> None:
    """What nobody else has is decided on what is there; the rest is read again."""
    async with running() as bench:
        task = bench.deliver(bench.records(request((A, 1))))
        await bench.stage.deliver(
            Batch(Signal.TRACES, request((B, 2)), 1, otlp_origin(bench.clock))
        )
        await settle()
        await bench.stop()
        await settle()

        assert bench.came_out == [(B, 2)]
        assert isinstance(task.exception(), Interrupted)
        assert bench.custody.finished == []
        with pytest.raises(Interrupted):
            await bench.stage.deliver(bench.records(request((A, 1))))


async def test_stage_stop_drops_otlp_traces_if_told() -> None:
    """`drop_pending_traces_on_shutdown` counts them."""
    async with running(drop_at_stop=True) as bench:
        await bench.stage.deliver(
            Batch(Signal.TRACES, request((A, 1)), 1, otlp_origin(bench.clock))
        )
        await bench.stop()

        assert bench.came_out == []
        assert bench.rig.own("traces_dropped_at_shutdown") == 1


async def test_stage_stop_ends_at_its_deadline() -> None:
    """A backend that does not answer does not keep the process."""
    bench = Bench(ToldJudge(everything=True), FakeStage())
    await bench.stage.start()
    bench.downstream.hold()
    await bench.stage.deliver(Batch(Signal.TRACES, request((A, 1)), 1, otlp_origin(bench.clock)))
    await bench.stop(0.01)

    assert bench.downstream.cancelled == 1
    assert not bench.rig.engine.has_kept
    assert bench.rig.settings.metrics.value("bridge_ledger_items", column="dropped") == 1


async def test_stage_stop_is_safe_before_start_and_twice() -> None:
    """Nothing is open then."""
    bench = Bench(ToldJudge(), FakeStage())
    await bench.stop()
    await bench.stop()


async def test_stage_bounds_what_is_under_way() -> None:
    """No more batches than told are with the downstream, and none larger than told."""
    delivery = Delivery(bytes_max=1, in_flight_max=2)
    async with running(delivery=delivery) as bench:
        bench.downstream.hold()
        bodies = [request((trace_id(number), number)) for number in range(1, 9)]
        bench.deliver(bench.records(*bodies))
        bench.deliver(bench.records(b"", at_s=10.1))
        await settle()
        assert bench.downstream.in_flight == 2
        bench.downstream.release()
        await settle()

        assert len(bench.downstream.taken) == 8
        assert bench.downstream.in_flight_max == 2


async def test_stage_reports_a_fault_of_its_own() -> None:
    """A task that fails takes the service down loudly instead of standing still."""
    bench = Bench(ToldJudge(everything=True), FakeStage(otherwise=ZeroDivisionError("a fault")))
    await bench.stage.start()
    await bench.stage.deliver(Batch(Signal.TRACES, request((A, 1)), 1, otlp_origin(bench.clock)))
    await bench.clock.advance(11.0)

    assert State.FATAL is bench.settings.host.state  # type: ignore[attr-defined]  # FakeHost has it.
    await bench.stop(0.0)


def test_stage_fulfils_its_protocols() -> None:
    """A source recognizes what it may tell."""
    stage = Bench(ToldJudge(), FakeStage()).stage

    assert isinstance(stage, PartitionListener)
    assert "0 in flight" in repr(stage)


async def test_stage_shows_what_it_holds() -> None:
    """Gauges give traces, bytes, records and the age of the oldest."""
    async with running() as bench:
        batch = bench.records(request((A, 1)))
        task = bench.deliver(batch)
        await bench.clock.advance(3.0)

        assert (
            bench.settings.metrics.value(  # type: ignore[attr-defined]  # RecordingMetrics has it.
                "bridge_processor_tail_sampling_undecided_traces"
            )
            == 1
        )
        assert (
            bench.settings.metrics.value(  # type: ignore[attr-defined]  # The same.
                "bridge_processor_tail_sampling_oldest_undecided_age_seconds"
            )
            == 3.0
        )
        assert len(batch.body) <= bench.settings.metrics.value(  # type: ignore[attr-defined]  # The same.
            "bridge_processor_tail_sampling_undecided_bytes"
        )
        task.cancel()
