"""Brokers that die, stall, restart, lose replicas, leaders or the coordinator."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.faults.order import OrderProbe
from tests.faults.scene import Scene

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

ANSWER_S_MAX = 5.0
"""The bridge answers within 4 s, so that clients with 5 s timeouts hear a refusal; 1 s for us."""


def _answers_in_time(s: Scene) -> None:
    s.row.notes.append(
        f"longest answer {s.clients.answers_s_max:.1f} s, longest stall "
        f"{s.clients.longest_stall_s:.1f} s"
    )
    assert s.clients.answers_s_max < ANSWER_S_MAX
    assert s.clients.refusals_without_hint == 0
    assert s.clients.lasting == []


@pytest.mark.quick
@pytest.mark.faults("F4")
async def test_kill_of_a_leader_keeps_data_and_order(scene: Callable[..., Scene]) -> None:
    """kill -9 of the broker that leads most partitions, under load."""
    async with scene() as s:
        await s.start()
        probe, stop = OrderProbe(s.clients, s.oracle, s.seed), asyncio.Event()
        probing = asyncio.create_task(probe.run(stop))
        s.clients.start()
        await s.clients.wait_acknowledged(40)
        leaders = list((await s.cluster.leaders(s.topic)).values())
        s.fault()
        await asyncio.to_thread(s.cluster.server.kill, max(leaders, key=leaders.count))
        await s.clients.wait_acknowledged(100, timeout_s=60)
        s.fault()
        stop.set()
        await probing
        await s.settle()
        _answers_in_time(s)

    assert len(probe.numbers) > 20
    assert probe.disorder(s.records) == []
    assert s.clients.longest_stall_s < 15.0


@pytest.mark.faults("F5")
async def test_stalled_leader_does_not_stop_the_others(scene: Callable[..., Scene]) -> None:
    """SIGSTOP of a leader for 45 s: its partitions move, the others never stop for long."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(40)
        leader = (await s.cluster.leaders(s.topic))[0]
        s.fault()
        s.cluster.server.pause(leader)
        await asyncio.sleep(45)
        s.cluster.server.resume(leader)
        s.fault()
        await s.clients.wait_acknowledged(60)
        await s.settle()
        _answers_in_time(s)

    assert s.clients.longest_stall_s < 20.0


async def _all_brokers_away(s: Scene, seconds: float) -> tuple[float, float]:
    """Memory of the ingest side before, and at the end, of so many seconds without brokers."""
    await s.start()
    s.clients.start()
    await s.clients.wait_acknowledged(40)
    ingest = s.bridges["ingest"]
    before = ingest.rss_mib
    s.fault()
    for number in (1, 2, 3):
        await asyncio.to_thread(s.cluster.server.kill, number)
    await asyncio.sleep(seconds)
    after = ingest.rss_mib
    await asyncio.to_thread(s.cluster.server.heal)
    began = time.monotonic()
    await s.clients.wait_acknowledged(40, timeout_s=60)
    s.row.notes.append(
        f"all away {seconds:.0f} s, back {time.monotonic() - began:.1f} s after Kafka, "
        f"memory {before:.0f} to {after:.0f} MiB"
    )
    s.fault()
    return before, after


@pytest.mark.faults("F6")
async def test_all_brokers_away_for_a_minute(scene: Callable[..., Scene]) -> None:
    """Every refusal carries a hint, memory stays, and nothing is lost afterwards."""
    async with scene() as s:
        before, after = await _all_brokers_away(s, 60.0)
        await s.settle()
        _answers_in_time(s)

    assert s.clients.refusals > 0
    assert after < before + 30


@pytest.mark.faults("F7")
async def test_rolling_restart_of_the_brokers_is_not_noticed(scene: Callable[..., Scene]) -> None:
    """Each broker shut down in order and started again; no client hears a lasting error."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(40)
        for number in (1, 2, 3):
            s.fault()
            await asyncio.to_thread(s.cluster.server.shut_down, number)
            await s.clients.wait_acknowledged(20, timeout_s=60)
            await asyncio.to_thread(s.cluster.server.restart, number)
            await s.cluster.wait_in_sync(s.topic, 3)
        s.fault()
        await s.settle()
        _answers_in_time(s)


@pytest.mark.faults("F8")
async def test_leaders_that_move_keep_order(scene: Callable[..., Scene]) -> None:
    """Leadership goes from broker to broker without a death."""
    from confluent_kafka import ElectionType, TopicPartition
    from confluent_kafka.admin import AdminClient

    async with scene(partitions=3) as s:
        await s.start()
        await asyncio.to_thread(s.cluster.server.shut_down, 1)
        await asyncio.to_thread(s.cluster.server.restart, 1)
        await s.cluster.wait_in_sync(s.topic, 3)
        probe, stop = OrderProbe(s.clients, s.oracle, s.seed), asyncio.Event()
        probing = asyncio.create_task(probe.run(stop))
        s.clients.start()
        await s.clients.wait_acknowledged(40)
        before = await s.cluster.leaders(s.topic)
        s.fault()
        admin = AdminClient({"bootstrap.servers": s.cluster.bootstrap})
        wanted = [TopicPartition(s.topic, partition) for partition in before]
        elected = admin.elect_leaders(ElectionType.PREFERRED, wanted)
        await asyncio.to_thread(elected.result, 20)
        await s.clients.wait_acknowledged(60)
        after = await s.cluster.leaders(s.topic)
        s.fault()
        stop.set()
        await probing
        await s.settle()
        moved = sum(before[p] != after[p] for p in before)
        s.row.notes.append(f"{moved} of {len(before)} partitions moved")
        _answers_in_time(s)

    assert moved > 0
    assert probe.disorder(s.records) == []


@pytest.mark.faults("F9")
async def test_too_few_replicas_are_never_answered_ok(scene: Callable[..., Scene]) -> None:
    """min.insync.replicas of 2 and one replica left: refused with a hint, then all is well."""
    cluster = scene().cluster
    nodes = dict.fromkeys(range(3), (1, 2))
    topic = await cluster.place_topic(nodes, {"min.insync.replicas": "2"})
    async with scene(topic=topic) as s:
        await s.start()
        await s.clients.send_one()
        s.fault()
        await asyncio.to_thread(s.cluster.server.kill, 2)
        await s.cluster.wait_in_sync(topic, 1)
        grpc_told = await s.clients.try_grpc(s.clients.make())
        http_told = await s.clients.try_http(s.clients.make())
        s.clients.start()
        await asyncio.sleep(1)
        acknowledged = s.clients.acknowledged_requests
        await asyncio.to_thread(s.cluster.server.heal)
        await s.clients.wait_acknowledged(10)
        s.fault()
        await s.settle()
        _answers_in_time(s)

    assert (grpc_told.word, http_told.word) == ("UNAVAILABLE", "503")
    assert None not in (grpc_told.hint_s, http_told.hint_s)
    assert acknowledged == 1


@pytest.mark.faults("F9, two of three")
async def test_two_of_three_brokers_away_is_never_answered_ok(
    scene: Callable[..., Scene],
) -> None:
    """Without a majority nothing is acknowledged; with it, everything goes on."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(40)
        s.fault()
        for number in (2, 3):
            await asyncio.to_thread(s.cluster.server.kill, number)
        await asyncio.sleep(2)
        before = s.clients.acknowledged_requests
        await asyncio.sleep(15)
        during = s.clients.acknowledged_requests - before
        await asyncio.to_thread(s.cluster.server.heal)
        await s.clients.wait_acknowledged(40)
        s.fault()
        await s.settle()
        _answers_in_time(s)

    assert during == 0


@pytest.mark.faults("F10")
async def test_partition_without_leader_for_long_is_written_again(
    scene: Callable[..., Scene],
) -> None:
    """
    The only replica of one partition is away for 50 s, longer than a batch lives in the client.

    The idempotent producer is left with a gap that it cannot close; it must be replaced.
    """
    cluster = scene().cluster
    topic = await cluster.place_topic({0: (1,), 1: (2,), 2: (3,)}, {"min.insync.replicas": "1"})
    async with scene(topic=topic) as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(40)
        s.fault()
        await asyncio.to_thread(s.cluster.server.kill, 3)
        await asyncio.sleep(50)
        await asyncio.to_thread(s.cluster.server.restart, 3)
        await s.cluster.wait_led(topic)
        began = time.monotonic()
        end = (await s.cluster.end_offsets(topic))[2]
        while (await s.cluster.end_offsets(topic))[2] == end:
            await asyncio.sleep(0.3)
            assert time.monotonic() - began < 20, f"not written to: {s._outputs()}"
        back_s = time.monotonic() - began
        resets = await s.bridges["ingest"].total("bridge_kafka_producer_resets")
        s.fault()
        await s.settle()
        s.row.notes.append(f"written {back_s:.1f} s after the leader, {resets:.0f} resets")
        _answers_in_time(s)

    assert back_s < 10.0


@pytest.mark.faults("F11")
async def test_coordinator_that_dies_costs_no_eviction(scene: Callable[..., Scene]) -> None:
    """The broker that keeps the group's offsets is killed; commits go on at its successor."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(60)
        process = s.bridges["process"]
        before = await process.total("bridge_kafka_receiver_rebalances")
        coordinator = await s.cluster.coordinator(s.group)
        s.fault()
        await asyncio.to_thread(s.cluster.server.kill, coordinator)
        await s.clients.wait_acknowledged(150, timeout_s=60)
        seen = len(s.watch.samples)
        async with asyncio.timeout(30):
            while len(s.watch.samples) <= seen:  # noqa: ASYNC110 - commits are polled
                await asyncio.sleep(0.2)
        rebalances = await process.total("bridge_kafka_receiver_rebalances") - before
        s.fault()
        await s.settle()
        s.row.notes.append(f"{rebalances:.0f} rebalances")

    assert rebalances <= 2
