"""Machines whose clock jumps or whose memory is short."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.cgroups import MemoryGroup, NoCgroup, memory_group
from tests.faults.clients import Shape
from tests.faults.clock import DAY_S, HOUR_S, Clock
from tests.faults.proxy import Network
from tests.faults.scene import Scene

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

MEMORY_MIB = 512


@pytest.mark.parametrize("jump_s", [HOUR_S - 60, -HOUR_S, -DAY_S])
@pytest.mark.faults("F40")
async def test_clock_jumps_change_nothing_but_time_stamps(
    scene: Callable[..., Scene], clock: Clock, jump_s: int
) -> None:
    """The wall clock of both sides jumps and returns: no eviction, no loss, no long answer."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        before = await s.bridges["process"].total("bridge_kafka_receiver_rebalances")
        clock.move(jump_s)
        mark = len(s.oracle.delivered_at)
        await s.clients.wait_acknowledged(40, timeout_s=30)
        await asyncio.sleep(5)
        flowing = len(s.oracle.delivered_at) - mark
        clock.move(0)
        await s.clients.wait_acknowledged(20)
        after = await s.bridges["process"].total("bridge_kafka_receiver_rebalances")
        await s.settle()
        s.row.notes.append(f"clock {jump_s / HOUR_S:+.0f} h")

    assert flowing > 0
    assert after == before
    assert s.clients.answers_s_max < 5.0


@pytest.mark.faults("F40, ahead")
async def test_clock_a_day_ahead_is_explained_and_loses_nothing(
    scene: Callable[..., Scene], clock: Clock
) -> None:
    """Brokers take no stamp more than an hour ahead: refused for now, never for good."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        clock.move(DAY_S)
        await asyncio.sleep(10)
        ingest = s.bridges["ingest"]
        text = f"{await ingest.ready()}\n{ingest.log}"
        clock.move(0)
        await s.clients.wait_acknowledged(20)
        await s.settle()

    assert s.clients.lasting == []
    assert s.clients.refusals > 0
    assert "clock" in text, "nothing names the cause"


@pytest.mark.faults("F40, strobe")
async def test_strobing_clock_disturbs_no_timeout(
    scene: Callable[..., Scene], clock: Clock
) -> None:
    """The clock jumps to and fro by half an hour, twenty times a second, for 10 s."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        before = await s.bridges["process"].total("bridge_kafka_receiver_rebalances")
        for _ in range(200):
            clock.move(s.dice.randrange(-HOUR_S // 2, HOUR_S // 2))
            await asyncio.sleep(0.05)
        clock.move(0)
        after = await s.bridges["process"].total("bridge_kafka_receiver_rebalances")
        await s.settle()

    assert after == before
    assert s.clients.answers_s_max < 5.0


@contextlib.contextmanager
def _limited(pid: int) -> Iterator[MemoryGroup]:
    with contextlib.ExitStack() as stack:
        try:
            group = stack.enter_context(memory_group(pid, MEMORY_MIB))
        except NoCgroup as error:
            pytest.skip(str(error))
        yield group


@pytest.mark.faults("F42")
async def test_overload_in_512_mib_is_refused_and_not_killed(
    scene: Callable[..., Scene],
) -> None:
    """Forty clients with requests of a MiB, brokers that take a few of them a second, 30 s."""
    async with (
        scene() as s,
        s.cluster.server.proxies(s.seed) as proxies,
    ):
        s.brokers = s.cluster.server.proxied_bootstrap
        await s.start()
        ingest = s.bridges["ingest"]
        with _limited(ingest.pid) as group:
            await s.clients.send_one()
            for proxy in proxies.values():
                proxy.network = Network(bytes_per_s=500_000)
            s.clients.shape = Shape(traces=40, spans_per_trace=5, padding_bytes=5_000)
            s.clients.grpc_clients = s.clients.http_clients = 20
            s.clients.pause_s = 0.0
            s.clients.start()
            await asyncio.sleep(30)
            alive = ingest.process.process is not None and ingest.process.process.returncode is None
            peak, kills = group.peak_mib(), group.kills()
            for proxy in proxies.values():
                proxy.heal()
            s.clients.shape = Shape()
            await s.settle(drain_s=120)
        s.row.notes.append(
            f"at most {peak} MiB, {s.clients.refusals} refusals, "
            f"{s.clients.acknowledged_requests} requests taken"
        )

    assert alive
    assert kills == 0
    assert s.clients.refusals > 0
    assert s.clients.refusals_without_hint == 0
    assert s.clients.lasting == []
