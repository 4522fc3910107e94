"""Bridges that are killed, stopped, starved of file descriptors, or told to end."""

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.scene import Scene

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

RESTART_CPU_S = 3.0
"""CPU seconds until ready; the clock depends on who else uses the machine's CPUs."""

once_or_thrice = pytest.mark.parametrize("times", [pytest.param(1, marks=pytest.mark.quick), 3])


@once_or_thrice
@pytest.mark.faults("F1")
async def test_kill_of_ingest_loses_nothing_acknowledged(
    scene: Callable[..., Scene], times: int
) -> None:
    """kill -9 of the ingest side under load at random moments."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        restarts_s, cpu_s = [], []
        for _ in range(times):
            await s.clients.wait_acknowledged(20)
            await asyncio.sleep(s.dice.uniform(0.05, 0.5))
            await s.kill("ingest")
            began = time.monotonic()
            await s.bridges["ingest"].process.start()
            restarts_s.append(time.monotonic() - began)
            cpu_s.append(s.bridges["ingest"].cpu_s)
        await s.clients.wait_acknowledged(20)
        await s.settle()
        s.row.notes.append(
            f"restart to ready {max(restarts_s):.1f} s at most, {max(cpu_s):.1f} s of CPU"
        )

    assert sum(s.clients.statuses.values()) > s.clients.acknowledged_requests
    assert max(cpu_s) < RESTART_CPU_S


@once_or_thrice
@pytest.mark.faults("F2")
async def test_kill_of_process_side_replays_from_the_commit(
    scene: Callable[..., Scene], times: int
) -> None:
    """kill -9 of a consumer under load; what comes twice was not committed."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        for _ in range(times):
            await s.clients.wait_acknowledged(30)
            await asyncio.sleep(s.dice.uniform(0.05, 1.5))
            await s.kill("process")
            await s.bridges["process"].process.start()
        await s.clients.wait_acknowledged(20)
        await s.settle()


@pytest.mark.faults("F3")
@pytest.mark.parametrize("pause_s", [2, 15])
async def test_stopped_process_side_comes_back_without_harm(
    scene: Callable[..., Scene], pause_s: int
) -> None:
    """SIGSTOP for less and for more than the session of 6 s, with a second member in the group."""
    async with scene() as s:
        await s.start()
        await s.process("process-2")
        s.clients.start()
        await s.clients.wait_acknowledged(60)
        async with s.noting_assignments():
            await s.fault_of_reader()
            s.bridges["process"].process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(pause_s)
            s.fault()
            s.bridges["process"].process.send_signal(signal.SIGCONT)
            await s.clients.wait_acknowledged(100)
            await asyncio.sleep(3)
            s.fault()
            await s.settle()
        s.row.notes.append(f"stopped {pause_s} s, session 6 s")


@pytest.mark.faults("F3, ingest")
async def test_stopped_ingest_delays_only(scene: Callable[..., Scene]) -> None:
    """SIGSTOP of the ingest side for 8 s: clients time out, repeat, and lose nothing."""
    async with scene() as s:
        await s.start()
        s.clients.attempt_timeout_s = 3.0
        s.clients.start()
        await s.clients.wait_acknowledged(40)
        s.bridges["ingest"].process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(8)
        s.bridges["ingest"].process.send_signal(signal.SIGCONT)
        await s.clients.wait_acknowledged(60)
        await s.settle()


@pytest.mark.faults("F44")
async def test_sigterm_at_load_drains_both_sides(scene: Callable[..., Scene]) -> None:
    """Clients hear no lasting error, nothing is written twice, and both end with 0."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        codes, took_s = [], []
        for name in ("ingest", "process"):
            await s.clients.wait_acknowledged(30)
            s.fault()
            began = time.monotonic()
            codes.append(await s.bridges[name].process.stop())
            took_s.append(time.monotonic() - began)
            s.fault()
            await s.bridges[name].process.start()
        await s.clients.wait_acknowledged(20)
        await s.settle()
        s.row.notes.append(f"drained in {max(took_s):.1f} s at most")

    stored = [key for record in s.records for key in record.ids]
    assert codes == [0, 0]
    assert s.clients.lasting == []
    assert len(stored) - len(set(stored)) == 0, "written twice by a drain"
    assert max(took_s) < 25.0


@pytest.mark.faults("F44, twice")
async def test_second_sigterm_ends_a_drain_that_cannot(scene: Callable[..., Scene]) -> None:
    """With Kafka silent a drain waits; the second signal ends it at once with 75."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        for number in (1, 2, 3):
            s.cluster.server.pause(number)
        await asyncio.sleep(0.5)
        ingest = s.bridges["ingest"].process
        ingest.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        assert ingest.process is not None
        draining = ingest.process.returncode is None
        ingest.send_signal(signal.SIGTERM)
        code = await ingest.wait(5.0)
        for number in (1, 2, 3):
            s.cluster.server.resume(number)
        await ingest.start()
        await s.clients.wait_acknowledged(20)
        await s.settle()

    assert draining
    assert code == 75


@pytest.mark.faults("F48")
async def test_sigterm_with_kafka_away_ends_in_time(scene: Callable[..., Scene]) -> None:
    """A backlog that cannot be written is refused to its senders; the exit is in time and 0."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        for number in (1, 2, 3):
            s.cluster.server.pause(number)
        await asyncio.sleep(2)
        began = time.monotonic()
        code = await s.bridges["ingest"].process.stop()
        took_s = time.monotonic() - began
        for number in (1, 2, 3):
            s.cluster.server.resume(number)
        await s.bridges["ingest"].process.start()
        await s.clients.wait_acknowledged(20)
        await s.settle()
        s.row.notes.append(f"ended in {took_s:.1f} s")

    assert code == 0
    assert took_s < 30.0


@pytest.mark.faults("F41")
async def test_file_descriptors_run_out_and_come_back(scene: Callable[..., Scene]) -> None:
    """With a limit of 64 and 200 connections that want in: alive, quiet, and well afterwards."""
    import resource

    async with scene() as s:
        await s.start()
        ingest = s.bridges["ingest"]
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        resource.prlimit(ingest.pid, resource.RLIMIT_NOFILE, (64, 64))
        lines_before = ingest.log.count("\n")
        port = int(s.endpoints()[1].rpartition(":")[2])
        crowd = []
        for _ in range(200):
            try:
                async with asyncio.timeout(1.0):
                    crowd.append(await asyncio.open_connection("127.0.0.1", port))
            except OSError:
                break
        await s.clients.wait_acknowledged(20)
        await asyncio.sleep(5)
        lines = ingest.log.count("\n") - lines_before
        for _, writer in crowd:
            writer.transport.abort()
        await asyncio.sleep(1)
        await s.clients.send_one()
        await s.settle()
        s.row.notes.append(f"{lines} log lines meanwhile")

    assert lines < 60


@pytest.mark.faults("F45")
async def test_senders_that_leave_before_the_answer_leave_nothing(
    scene: Callable[..., Scene],
) -> None:
    """Three hundred requests whose senders reset at once: no task, socket or byte is left over."""
    import gzip

    from tests.faults.proxy import reset_writer

    async with scene() as s:
        await s.start()
        ingest = s.bridges["ingest"]
        await s.clients.send_one()
        await asyncio.sleep(0.5)
        before = ingest.fd_count
        port = int(s.endpoints()[1].rpartition(":")[2])
        for _ in range(300):
            made = s.clients.make()
            body = gzip.compress(made.body, 1)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await writer.drain()
            await asyncio.sleep(s.dice.uniform(0.0, 0.01))
            reset_writer(writer)
            s.oracle.resend(made)
        await asyncio.sleep(3)
        after = ingest.fd_count
        held = await ingest.total("bridge_receiver_in_flight_bytes")
        buffered = await ingest.total("bridge_kafka_exporter_buffered_bytes")
        await s.settle()

    assert after <= before + 2
    assert (held, buffered) == (0, 0)


@pytest.mark.faults("F46")
async def test_deadline_shorter_than_the_acknowledgement_frees_memory(
    scene: Callable[..., Scene],
) -> None:
    """grpc-timeout of 100 ms while brokers are silent: nothing is acknowledged, nothing is kept."""
    async with scene() as s:
        await s.start()
        ingest = s.bridges["ingest"]
        await s.clients.send_one()
        for number in (1, 2, 3):
            s.cluster.server.pause(number)
        told = [await s.clients.try_grpc(s.clients.make(), 0.1) for _ in range(20)]
        await asyncio.sleep(6)
        buffered = await ingest.total("bridge_kafka_exporter_buffered_bytes")
        held = await ingest.total("bridge_receiver_in_flight_bytes")
        for number in (1, 2, 3):
            s.cluster.server.resume(number)
        await s.settle()

    assert not any(one.ok or one.lasting for one in told)
    assert (held, buffered) == (0, 0)
