"""When the backend took a trace, told by a tap; the fake service is watched over a socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bridge.core import Batch, Deadline, Origin, Signal, SystemClock, Unavailable
from bridge.extensions.admin import Admin, AdminOptions
from bridge.service.probe import Made, TraceReceipt, make_trace
from bridge.service.probe.delivered import DeliveryWatch
from bridge.testing import FakeHost, make_settings

CLOCK = SystemClock()
STAGE = "exporters/otlp"


@pytest.fixture
def host() -> FakeHost:
    """A service with one exporter."""
    return FakeHost(watchers={STAGE: []})


@pytest.fixture
async def address(host: FakeHost) -> AsyncIterator[str]:
    """Its admin endpoint."""
    config = AdminOptions.model_validate({"endpoint": "127.0.0.1:0"})
    admin = Admin(config, make_settings("admin", host=host))
    await admin.start()
    yield f"127.0.0.1:{admin.port}"
    await admin.stop(Deadline.after(1, CLOCK))


def trace(run: str) -> Made:
    """A trace of one run."""
    return make_trace(run, "shop", spans=2, failed=False, now_ns=0)


def export(host: FakeHost, made: Made, error: BaseException | None = None) -> None:
    """The exporter delivers *made*, or fails."""
    (watcher,) = host.watchers[STAGE]
    batch = Batch(Signal.TRACES, made.body, made.spans, Origin("kafka"))
    watcher.left(watcher.entered(STAGE, batch), error)


async def test_trace_that_the_exporter_delivered_is_told(host: FakeHost, address: str) -> None:
    """Of this run only, and only if the backend took it."""
    ours, refused, foreign = trace("run-1"), trace("run-1"), trace("run-2")
    receipts = {
        made.trace_id: TraceReceipt(made.trace_id, CLOCK.monotonic())
        for made in (ours, refused, foreign)
    }
    async with DeliveryWatch(address, [STAGE], "run-1", 30.0, receipts, CLOCK) as watch:
        export(host, refused, Unavailable("away"))
        export(host, foreign)
        export(host, ours)
        receipts[ours.trace_id].committed_s = 1.0
        await watch.settle()

    assert watch.problem == ""
    assert receipts[ours.trace_id].delivered_s is not None
    assert receipts[refused.trace_id].delivered_s is None
    assert receipts[foreign.trace_id].delivered_s is None


async def test_watching_ends_with_the_context(host: FakeHost, address: str) -> None:
    """The running bridge is left as it was."""
    async with DeliveryWatch(address, [STAGE], "run-1", 30.0, {}, CLOCK):
        assert len(host.watchers[STAGE]) == 1
    async with asyncio.timeout(10):
        while host.watchers[STAGE]:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("stage", [STAGE, "exporters/other"])
async def test_bridge_that_cannot_tell_is_a_problem_and_no_error(stage: str, address: str) -> None:
    """Nobody there, or no such stage: the rest of the receipt is worth having."""
    where = "127.0.0.1:1" if stage == STAGE else address
    async with DeliveryWatch(where, [stage], "run-1", 30.0, {}, CLOCK) as watch:
        await watch.settle()

    assert watch.problem
