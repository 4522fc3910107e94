"""Consumer groups that rebalance all the time, too slowly, or with a twin."""

import asyncio
import itertools
import time
from collections.abc import Callable

import pytest

from tests.faults.scene import Scene

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

STORM_S = 60.0
MEMBER_S = 3.0


@pytest.mark.faults("F12")
async def test_rebalance_storm_goes_on_delivering(scene: Callable[..., Scene]) -> None:
    """A second member comes and goes every 3 s for a minute; every quarter of it delivers."""
    async with scene() as s:
        await s.start()
        await s.process("process-2", run=False)
        guest = s.bridges["process-2"].process
        s.clients.pause_s = 0.05
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        until = time.monotonic() + STORM_S
        delivered, rounds = [len(s.oracle.delivered_at)], 0
        quarter = time.monotonic() + STORM_S / 4
        while time.monotonic() < until:
            s.fault()
            await guest.start()
            await asyncio.sleep(MEMBER_S)
            s.fault()
            if s.dice.random() < 0.5:
                await guest.kill()
            else:
                await guest.stop()
            s.fault()
            await asyncio.sleep(MEMBER_S)
            rounds += 1
            if time.monotonic() > quarter:
                delivered.append(len(s.oracle.delivered_at))
                quarter += STORM_S / 4
        s.fault()
        await s.settle()
        s.row.notes.append(f"{rounds} rounds")

    steps = [after - before for before, after in itertools.pairwise(delivered)]
    assert min(steps) > 0, steps


@pytest.mark.faults("F13")
async def test_slow_delivery_in_a_revoke_is_given_up(scene: Callable[..., Scene]) -> None:
    """
    The backend takes 20 s, the revoke budget is 5 s, and a second member joins.

    What is in flight is abandoned to the next owner, nobody is evicted, and all ends well.
    """
    async with scene() as s:
        await s.start(exporter={"timeout": "30s"})
        await s.clients.send_one()
        await asyncio.sleep(1.5)
        s.backend.tell(delay_s=20.0)
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        s.fault()
        await s.process("process-2", exporter={"timeout": "30s"})
        await asyncio.sleep(20)
        s.fault()
        rebalances = await s.bridges["process"].total("bridge_kafka_receiver_rebalances")
        s.backend.tell()
        await asyncio.sleep(15)
        s.fault()
        again = await s.bridges["process"].total("bridge_kafka_receiver_rebalances")
        mine = await s.bridges["process"].total("otelcol_kafka_receiver_partition_start")
        for attempt in s.backend.attempts:
            s.oracle.unanswered_by_backend.update(attempt.ids)
        await s.settle()
        s.row.notes.append(f"{again:.0f} rebalances")

    assert mine > 0
    assert again - rebalances <= 1, "an eviction loop"


@pytest.mark.faults("F47")
async def test_twins_of_a_static_member_say_so(scene: Callable[..., Scene]) -> None:
    """
    Two members with one group_instance_id: the newer one names the cause and keeps away.

    Each throws the other out, with everything in flight delivered again; how often is not known,
    so duplicates have no bound here.
    """
    async with scene() as s:
        await s.ingest()
        await s.process(group_instance_id="twin")
        s.clients.start()
        await s.clients.wait_acknowledged(40)
        s.fault()
        await s.process("process-2", group_instance_id="twin")
        await asyncio.sleep(25)
        twins = [s.bridges["process"], s.bridges["process-2"]]
        before = [twin.log.count("kafka_partitions_assigned") for twin in twins]
        await asyncio.sleep(5)
        more = [twin.log.count("kafka_partitions_assigned") for twin in twins]
        texts = [twin.log for twin in twins]
        await s.bridges["process-2"].process.kill()
        await s.clients.wait_acknowledged(40)
        await asyncio.sleep(10)
        s.duplicates_bounded = False
        await s.settle()
        s.row.notes.append(f"{sum(more)} assignments in 30 s")

    assert "kafka_member_has_twin" in texts[1], "the newer one does not name the cause"
    assert "kafka_member_has_twin" not in texts[0], "the older one keeps away"
    assert more == before, "they go on throwing each other out"


@pytest.mark.faults("F16")
async def test_slow_backend_pauses_and_keeps_the_group(scene: Callable[..., Scene]) -> None:
    """Answers take 30 s for 45 s: lag grows, memory does not, and nobody is evicted."""
    async with scene() as s:
        await s.start(exporter={"timeout": "60s"})
        await s.clients.send_one()
        await asyncio.sleep(1.5)
        process = s.bridges["process"]
        rebalances = await process.total("bridge_kafka_receiver_rebalances")
        s.backend.tell(delay_s=30.0)
        s.clients.shape.padding_bytes = 5_000
        s.clients.start()
        await asyncio.sleep(5)
        before = process.rss_mib
        await asyncio.sleep(40)
        after = process.rss_mib
        lag = await process.total("otelcol_kafka_receiver_offset_lag")
        later = await process.total("bridge_kafka_receiver_rebalances")
        s.clients.shape.padding_bytes = 0
        for attempt in s.backend.attempts:
            s.oracle.unanswered_by_backend.update(attempt.ids)
        await s.settle(drain_s=120)
        s.row.notes.append(
            f"lag {lag:.0f} records, memory {before:.0f} to {after:.0f} MiB, "
            f"{later - rebalances:.0f} rebalances"
        )

    assert later == rebalances
    assert after < before + 150
