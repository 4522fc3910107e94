"""Backends that refuse, throttle, do not let us in, cut, or take a part only."""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web

from tests.faults.oracle import Attempt, OracleBackend
from tests.faults.proxy import Network, Proxy
from tests.faults.scene import Scene

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

HINT_S = 2.0


class DatedBackend(OracleBackend):
    """Says when to come back as a date."""

    def _http_handler(self, signal: Any) -> Callable[[web.Request], Any]:
        handle = super()._http_handler(signal)

        async def dated(request: web.Request) -> web.Response:
            response: web.Response = await handle(request)
            if after := response.headers.get("Retry-After"):
                # Dates have whole seconds: one more, so that the wait is never shorter.
                response.headers["Retry-After"] = formatdate(
                    time.time() + float(after) + 1, usegmt=True
                )
            return response

        return dated


def _waits(attempts: list[Attempt]) -> list[float]:
    """Seconds between each refusal and the next attempt for the same spans."""
    waits = []
    for place, attempt in enumerate(attempts):
        if attempt.answer.grpc_status == 0 or not attempt.ids:
            continue
        later = (other.at for other in attempts[place + 1 :] if other.ids & attempt.ids)
        if (again := next(later, None)) is not None:
            waits.append(again - attempt.at)
    return waits


@pytest.mark.parametrize("form", ["grpc", "seconds", "date"])
@pytest.mark.faults("F17")
async def test_throttling_backend_is_asked_again_after_its_hint(
    scene: Callable[..., Scene], form: str
) -> None:
    """UNAVAILABLE with RetryInfo, or 503 with Retry-After in either form: never sooner."""
    async with scene() as s:
        if form == "date":
            await s.backend.stop()
            s.backend = DatedBackend(s.oracle)
            await s.backend.start()
        await asyncio.gather(s.ingest(), s.process(http=form != "grpc"))
        s.clients.start()
        await s.clients.wait_acknowledged(15)
        mark = len(s.backend.attempts)
        s.backend.tell(grpc_status=14, http_status=503, message="slow down", retry_after_s=HINT_S)
        await asyncio.sleep(3 * HINT_S)
        waits = _waits(s.backend.attempts[mark:])
        await s.settle()
        s.row.notes.append(f"{len(waits)} repetitions, the soonest after {min(waits):.1f} s")

    assert min(waits) >= HINT_S - 0.05


@pytest.mark.quick
@pytest.mark.faults("F18, 400")
async def test_refused_data_goes_to_the_dead_letters(scene: Callable[..., Scene]) -> None:
    """INVALID_ARGUMENT for some spans: their records are set aside, all others are delivered."""
    async with scene() as s:
        await s.make_dead_letters()
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(10)
        poison = s.clients.make()
        s.backend.refuse_ids = {poison.span_ids[0]}
        await s.clients.try_grpc(poison)
        await s.clients.wait_acknowledged(10)
        await s.settle()
        await s.read_dead_letters()
        letters = set(s.oracle.dead_lettered_at)
        s.compare(s.records)

    together = next(set(r.ids) for r in s.records if poison.span_ids[0] in r.ids)
    assert poison.span_ids[0] in letters
    assert letters == together, "neighbours of other records went along"


@pytest.mark.faults("F18, 400 held")
async def test_refused_data_without_dead_letters_holds_its_partition(
    scene: Callable[..., Scene],
) -> None:
    """Its partition holds and readiness says so; the other partitions go on."""
    async with scene(partitions=3) as s:
        await s.start()
        await s.clients.send_one()
        poison = s.clients.make()
        s.backend.refuse_ids = {poison.span_ids[0]}
        await s.clients.try_grpc(poison)
        body = await s.bridges["process"].wait_ready(503)
        s.clients.start()
        mark = len(s.oracle.delivered_at)
        await s.clients.wait_acknowledged(30)
        await asyncio.sleep(2)
        flowing = len(s.oracle.delivered_at) - mark
        s.backend.refuse_ids.clear()
        # What holds is looked at again after a restart, or is skipped by hand.
        s.fault()
        await s.bridges["process"].process.stop()
        await s.bridges["process"].process.start()
        await s.settle()

    assert "dlq skip" in str(body)
    assert flowing > 0


@pytest.mark.parametrize(("grpc_status", "http_status"), [(16, 401), (7, 403)])
@pytest.mark.faults("F18, 401 403")
async def test_backend_that_does_not_let_us_in_holds_everything(
    scene: Callable[..., Scene], grpc_status: int, http_status: int
) -> None:
    """Neither dropped nor dead-lettered nor committed, and readiness says so, until it does."""
    async with scene() as s:
        await s.make_dead_letters()
        await s.ingest()
        await s.process(http=True)
        await s.clients.send_one()
        s.backend.tell(grpc_status=grpc_status, http_status=http_status, message="who are you")
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        body = await s.bridges["process"].wait_ready(503)
        await s.clients.stop()
        await asyncio.sleep(3)
        before = await s.watch.sample()
        await asyncio.sleep(3)
        after = await s.watch.sample()
        await s.read_dead_letters()
        letters = len(s.oracle.dead_lettered_at)
        s.backend.tell()
        await s.settle(drain_s=90)
        await s.bridges["process"].wait_ready(200)

    assert letters == 0
    assert before is not None
    assert after is not None
    assert before.offsets == after.offsets
    assert str(http_status) in str(body) or "who are you" in str(body)


@pytest.mark.faults("F18, 413")
async def test_data_too_large_for_the_backend_is_set_aside(scene: Callable[..., Scene]) -> None:
    """413 for everything: records end in the dead letters one by one, and nowhere else."""
    async with scene() as s:
        await s.make_dead_letters()
        await s.ingest()
        await s.process(http=True)
        await s.clients.send_one()
        s.backend.tell(grpc_status=8, http_status=413, message="too large")
        made = await s.clients.send_one()
        until = time.monotonic() + 20
        while not set(made.span_ids) <= set(s.oracle.dead_lettered_at):
            await asyncio.sleep(0.3)
            await s.read_dead_letters()
            assert time.monotonic() < until, s._outputs()
        s.backend.tell()
        await s.settle()


@pytest.mark.faults("F19")
async def test_answers_cut_by_a_reset_are_ambiguous_and_repeated(
    scene: Callable[..., Scene],
) -> None:
    """The backend takes data and its answer is lost: sent again, counted as what it is."""
    async with scene() as s, Proxy(_target(s.backend.grpc_endpoint), seed=s.seed) as proxy:
        await s.ingest()
        await s.process(backend=proxy.endpoint)
        s.clients.start()
        await s.clients.wait_acknowledged(20)
        # An answer that was given a moment before is still on its way, and is cut too.
        began = time.monotonic() - 1.0
        # The settings of a new connection are an answer too, of less than 100 bytes.
        proxy.network = Network(reset_after_answer_bytes=100)
        await asyncio.sleep(8)
        proxy.heal()
        for attempt in s.backend.attempts:
            if attempt.at >= began:
                s.oracle.unanswered_by_backend.update(attempt.ids)
        retries = await s.bridges["process"].total("bridge_exporter_retries")
        await s.settle()
        s.row.notes.append(f"{proxy.resets} answers cut, {retries:.0f} repetitions")

    assert proxy.resets > 3
    assert retries > 0


@pytest.mark.faults("F20")
async def test_partial_success_is_counted_and_never_repeated(
    scene: Callable[..., Scene],
) -> None:
    """Rejected items are counted as the backend counts them; nothing of it is sent again."""
    async with scene() as s:
        await s.start()
        s.clients.start()
        await s.clients.wait_acknowledged(10)
        mark = len(s.backend.attempts)
        s.backend.tell(rejected_items=1, message="one too many")
        await s.clients.wait_acknowledged(10)
        await asyncio.sleep(1)
        s.backend.tell()
        await s.clients.wait_acknowledged(5)
        partial = [a for a in s.backend.attempts[mark:] if a.answer.rejected_items]
        repeated = sum(
            len(a.ids & b.ids)
            for place, a in enumerate(partial)
            for b in s.backend.attempts[mark + place + 1 :]
            if b is not a and b.at > a.at
        )
        counted = await s.bridges["process"].total("bridge_exporter_rejected_items")
        await s.settle()

    assert repeated == 0
    assert counted == len(partial) > 0
    assert "one too many" in s.bridges["process"].log


def _target(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    return host, int(port)
