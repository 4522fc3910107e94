"""
The contract of exporters.

A case plays the backend: it opens, refuses, holds, and tells what it got.

    @pytest.mark.parametrize("check", EXPORTER_CHECKS, ids=lambda check: check.__name__)
    async def test_my_exporter_keeps_the_contract(check):
        await check(MyCase())
"""

import asyncio
from typing import Literal, Protocol

from bridge.core import Denied, Exporter, Permanent, Receipt, Retryable, Settings, Signal
from bridge.testing.builders import Made, sample
from bridge.testing.conformance.common import (
    ANSWER_S,
    OVERRUN_S,
    PATIENCE_S,
    QUIET_S,
    START_S,
    Check,
    batch_of,
    check_stop_anytime,
    end,
    require,
    running,
    soon,
    within,
)
from bridge.testing.settings import make_settings

Refusal = Literal["retryable", "permanent"]

CALLERS = 8


class ExporterCase(Protocol):
    """An exporter to check, and the backend that it exports to."""

    signal: Signal

    def create(self, settings: Settings) -> Exporter:
        """A new exporter, not started, that exports to this case's backend."""
        ...

    async def open(self) -> None:
        """Let the backend accept connections, at the address that `create` knows."""
        ...

    async def close(self) -> None:
        """Let the backend be away."""
        ...

    def refuse(self, how: Refusal | None) -> None:
        """Let the backend refuse every request from now on, or none."""
        ...

    def hold(self) -> None:
        """Let the backend wait with its answers, and with taking, until `release`."""
        ...

    def release(self) -> None:
        """Let the backend answer."""
        ...

    async def received_items(self) -> int:
        """Items that the backend has taken."""
        ...


async def acknowledges_after_backend(case: ExporterCase) -> None:
    """`deliver` returns after the backend has the data, not before."""
    await case.open()
    case.hold()
    exporter = case.create(make_settings("checked"))
    made = sample(case.signal)
    try:
        async with running(exporter):
            task = asyncio.create_task(exporter.deliver(batch_of(made, PATIENCE_S)))
            await asyncio.sleep(QUIET_S * 5)
            early = task.done()
            case.release()
            receipt = await within(task, "deliver returns once the backend took the batch")
            require(not early, "deliver returns only after the backend took the batch")
            require(isinstance(receipt, Receipt), "deliver returns a Receipt")
            got = await case.received_items()
            require(got == made.items, f"the backend has {made.items} items, not {got}")
    finally:
        case.release()
        await case.close()


async def delivers_concurrently(case: ExporterCase) -> None:
    """Many callers at once are all answered, and each item arrives once."""
    await case.open()
    exporter = case.create(make_settings("checked"))
    made = [sample(case.signal, seed=index) for index in range(CALLERS * 4)]
    try:
        async with running(exporter):
            calls = asyncio.gather(*(exporter.deliver(batch_of(m, PATIENCE_S)) for m in made))
            await within(calls, "concurrent deliveries end")
        items = sum(request.items for request in made)
        got = await case.received_items()
        require(got == items, f"the backend has {items} items, not {got}")
    finally:
        await case.close()


async def reports_a_backend_that_cannot_now(case: ExporterCase) -> None:
    """A passing refusal is retried or raised as retryable in time, and mended by a new try."""
    await case.open()
    case.refuse("retryable")
    exporter = case.create(make_settings("checked"))
    made = sample(case.signal)
    try:
        async with running(exporter):
            raised = await _outcome(exporter, made, "a passing refusal")
            require(
                isinstance(raised, Retryable),
                f"a passing refusal is raised as retryable, not as {raised!r}",
            )
            require(await case.received_items() == 0, "what was refused was not taken")
            case.refuse(None)
            await within(
                exporter.deliver(batch_of(made, PATIENCE_S)), "the same batch is taken later"
            )
            require(
                await case.received_items() == made.items, "the same batch is taken later, once"
            )
    finally:
        case.refuse(None)
        await case.close()


async def reports_a_backend_that_never_will(case: ExporterCase) -> None:
    """A refusal of the data is raised as permanent."""
    await case.open()
    case.refuse("permanent")
    exporter = case.create(make_settings("checked"))
    try:
        async with running(exporter):
            raised = await _outcome(exporter, sample(case.signal), "a refusal of the data")
            require(
                isinstance(raised, Permanent),
                f"a refusal of the data is raised as permanent, not as {raised!r}",
            )
    finally:
        case.refuse(None)
        await case.close()


async def starts_without_backend(case: ExporterCase) -> None:
    """Start returns while the backend is away; deliveries fail as retryable until it comes."""
    exporter = case.create(make_settings("checked"))
    made = sample(case.signal)
    try:
        async with running(exporter):
            raised = await _outcome(exporter, made, "a backend that is away")
            require(
                isinstance(raised, Retryable | Denied),
                f"a backend that is away is no fault of the data: {raised!r}",
            )
            await case.open()
            await within(_until_taken(exporter, case), "the exporter finds a backend that came")
    finally:
        await case.close()


async def survives_cancelled_caller(case: ExporterCase) -> None:
    """A caller that goes away takes nobody else's batch with it."""
    await case.open()
    case.hold()
    exporter = case.create(make_settings("checked"))
    try:
        async with running(exporter):
            first = asyncio.create_task(exporter.deliver(batch_of(sample(case.signal), 5.0)))
            second = asyncio.create_task(
                exporter.deliver(batch_of(sample(case.signal, seed=1), PATIENCE_S))
            )
            await asyncio.sleep(QUIET_S)
            first.cancel()
            await asyncio.sleep(0)
            case.release()
            await within(second, "a neighbour's cancellation does not stop a delivery")
            await end(first)
    finally:
        case.release()
        await case.close()


async def stops_with_data_in_hand(case: ExporterCase) -> None:
    """Stop finishes what was taken, or says that it was not: nothing in between."""
    await case.open()
    case.hold()
    exporter = case.create(make_settings("checked"))
    made = sample(case.signal)
    try:
        await within(exporter.start(), "start returns quickly", START_S)
        task = asyncio.create_task(exporter.deliver(batch_of(made, 5.0)))
        await asyncio.sleep(QUIET_S * 2)
        stopping = asyncio.create_task(exporter.stop(soon(5.0)))
        await asyncio.sleep(QUIET_S)
        case.release()
        await within(stopping, "stop returns once the backend took what was in hand")
        try:
            await within(task, "deliver ends when the exporter stops")
        except Retryable:
            return
        got = await case.received_items()
        require(got == made.items, "what was acknowledged during stop is at the backend")
    finally:
        case.release()
        await case.close()


async def stops_at_its_deadline(case: ExporterCase) -> None:
    """With a backend that never answers, stop gives up at the deadline, and so does the call."""
    await case.open()
    case.hold()
    exporter = case.create(make_settings("checked"))
    try:
        await within(exporter.start(), "start returns quickly", START_S)
        task = asyncio.create_task(exporter.deliver(batch_of(sample(case.signal), 30.0)))
        await asyncio.sleep(QUIET_S * 2)
        await within(exporter.stop(soon(0.3)), "stop keeps its deadline", 0.3 + OVERRUN_S)
        done, _ = await asyncio.wait((task,), timeout=OVERRUN_S)
        require(bool(done), "a call that was given up ends")
        require(task.exception() is not None, "what was given up is not acknowledged")
    finally:
        case.release()
        await case.close()


async def stops_anytime(case: ExporterCase) -> None:
    """Stop is safe before start and safe twice."""
    await check_stop_anytime(lambda: case.create(make_settings("checked")))


async def _outcome(exporter: Exporter, made: Made, what: str) -> BaseException | None:
    try:
        await within(
            exporter.deliver(batch_of(made)),
            f"{what} is reported when the sender's patience ends",
            ANSWER_S + OVERRUN_S,
        )
    except (Retryable, Permanent, Denied) as error:
        return error
    return None


async def _until_taken(exporter: Exporter, case: ExporterCase) -> None:
    index = 0
    while not await case.received_items():
        index += 1
        await _outcome(exporter, sample(case.signal, seed=index), "a backend that just came")


EXPORTER_CHECKS: tuple[Check, ...] = (
    acknowledges_after_backend,
    delivers_concurrently,
    reports_a_backend_that_cannot_now,
    reports_a_backend_that_never_will,
    starts_without_backend,
    survives_cancelled_caller,
    stops_with_data_in_hand,
    stops_at_its_deadline,
    stops_anytime,
)
"""Every sentence of the contract, each to be run on a case."""
