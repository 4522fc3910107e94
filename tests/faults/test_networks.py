"""Networks that delay, swallow, cut or half-close, by proxies between the processes."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.faults.proxy import Network, Proxy
from tests.faults.scene import Scene

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

ANSWER_S_MAX = 5.0
CONNECTS_PER_S_MAX = 60
"""Ten a second from each of two processes to each of three brokers."""


def _target(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    return host, int(port)


@pytest.mark.faults("F21")
async def test_slow_and_uneven_network_loses_nothing(scene: Callable[..., Scene]) -> None:
    """80 ms and up to 120 ms more to every broker, and 200 KB/s a connection."""
    async with (
        scene() as s,
        s.cluster.server.proxies(s.seed) as proxies,
    ):
        s.brokers = s.cluster.server.proxied_bootstrap
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        for proxy in proxies.values():
            proxy.network = Network(delay_s=0.08, jitter_s=0.12, bytes_per_s=200_000)
        before = s.clients.acknowledged_requests
        await asyncio.sleep(15)
        during = s.clients.acknowledged_requests - before
        for proxy in proxies.values():
            proxy.heal()
        await s.settle()
        s.row.notes.append(f"{during / 15:.0f} requests a second meanwhile")

    assert during > 15
    assert s.clients.lasting == []


@pytest.mark.faults("F22")
async def test_black_hole_to_one_broker_is_found_by_timeouts(
    scene: Callable[..., Scene],
) -> None:
    """One broker swallows everything for 8 s: refused in time, then all goes on."""
    async with (
        scene(partitions=3) as s,
        s.cluster.server.proxies(s.seed) as proxies,
    ):
        s.brokers = s.cluster.server.proxied_bootstrap
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        leader = (await s.cluster.leaders(s.topic))[0]
        s.fault()
        proxies[leader].network.black_hole = True
        await asyncio.sleep(8)
        began = time.monotonic()
        proxies[leader].heal()
        await s.clients.wait_acknowledged(20, timeout_s=30)
        back_s = time.monotonic() - began
        s.fault()
        await s.settle()
        s.row.notes.append(f"back {back_s:.1f} s after the network")

    assert s.clients.answers_s_max < ANSWER_S_MAX
    assert s.clients.refusals_without_hint == 0
    assert back_s < 10.0


@pytest.mark.faults("F22, all")
async def test_black_hole_to_all_brokers_is_found_by_timeouts(
    scene: Callable[..., Scene],
) -> None:
    """No broker answers for 30 s, none is known to be dead."""
    async with (
        scene() as s,
        s.cluster.server.proxies(s.seed) as proxies,
    ):
        s.brokers = s.cluster.server.proxied_bootstrap
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        s.fault()
        for proxy in proxies.values():
            proxy.network.black_hole = True
        await asyncio.sleep(30)
        began = time.monotonic()
        for proxy in proxies.values():
            proxy.heal()
        await s.clients.wait_acknowledged(20, timeout_s=40)
        back_s = time.monotonic() - began
        s.fault()
        await s.settle()
        s.row.notes.append(f"back {back_s:.1f} s after the network")

    assert s.clients.answers_s_max < ANSWER_S_MAX
    assert s.clients.refusals_without_hint == 0
    assert back_s < 15.0


@pytest.mark.faults("F22, backend")
async def test_black_hole_to_the_backend_is_found_by_timeouts(
    scene: Callable[..., Scene],
) -> None:
    """The backend's answers are swallowed for 15 s: nothing is committed meanwhile."""
    async with scene() as s, Proxy(_target(s.backend.grpc_endpoint), seed=s.seed) as proxy:
        await s.ingest()
        await s.process(backend=proxy.endpoint, exporter={"timeout": "3s"})
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        mark = len(s.backend.attempts)
        proxy.network.black_hole = True
        await asyncio.sleep(15)
        proxy.heal()
        await s.clients.wait_acknowledged(20)
        await asyncio.sleep(5)
        for attempt in s.backend.attempts[mark:]:
            s.oracle.unanswered_by_backend.update(attempt.ids)
        await s.settle()


@pytest.mark.faults("F22, half open")
async def test_half_open_brokers_are_found_by_timeouts(scene: Callable[..., Scene]) -> None:
    """Every connection's far end is gone and nobody said so."""
    async with (
        scene() as s,
        s.cluster.server.proxies(s.seed) as proxies,
    ):
        s.brokers = s.cluster.server.proxied_bootstrap
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        s.fault()
        for proxy in proxies.values():
            proxy.half_open()
        began = time.monotonic()
        await s.clients.wait_acknowledged(20, timeout_s=60)
        back_s = time.monotonic() - began
        await asyncio.sleep(10)
        s.fault()
        await s.settle()
        s.row.notes.append(f"back after {back_s:.1f} s")

    assert s.clients.answers_s_max < ANSWER_S_MAX
    assert back_s < 25.0


@pytest.mark.quick
@pytest.mark.faults("F23")
async def test_resets_of_all_broker_connections_are_mended(scene: Callable[..., Scene]) -> None:
    """Every connection to Kafka is reset each half second for 6 s, with no storm of new ones."""
    async with (
        scene() as s,
        s.cluster.server.proxies(s.seed) as proxies,
    ):
        s.brokers = s.cluster.server.proxied_bootstrap
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        s.fault()
        before = sum(proxy.connections for proxy in proxies.values())
        for _ in range(12):
            for proxy in proxies.values():
                proxy.reset()
            await asyncio.sleep(0.5)
        opened = sum(proxy.connections for proxy in proxies.values()) - before
        began = time.monotonic()
        await s.clients.wait_acknowledged(20, timeout_s=30)
        back_s = time.monotonic() - began
        s.fault()
        await s.settle()
        s.row.notes.append(f"{opened} connections in 6 s, back after {back_s:.1f} s")

    assert s.clients.lasting == []
    assert opened < 12 * 3 * 12
    assert back_s < 10.0


@pytest.mark.faults("F23, refused")
async def test_refused_connections_are_tried_with_pauses(scene: Callable[..., Scene]) -> None:
    """All brokers reset every connection at once for 10 s: few attempts a second, then well."""
    async with (
        scene() as s,
        s.cluster.server.proxies(s.seed) as proxies,
    ):
        s.brokers = s.cluster.server.proxied_bootstrap
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        s.fault()
        before = sum(proxy.connections for proxy in proxies.values())
        for proxy in proxies.values():
            proxy.network.refuse = True
            proxy.reset()
        await asyncio.sleep(10)
        opened = sum(proxy.connections for proxy in proxies.values()) - before
        for proxy in proxies.values():
            proxy.heal()
        await s.clients.wait_acknowledged(20, timeout_s=30)
        s.fault()
        await s.settle()
        s.row.notes.append(f"{opened / 10:.0f} attempts a second by both sides")

    assert s.clients.refusals_without_hint == 0
    assert opened < 10 * CONNECTS_PER_S_MAX
