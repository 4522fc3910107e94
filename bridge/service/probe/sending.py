"""Sends the traces and follows each of them: answered, readable, committed."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bridge.core import (
    Batch,
    Clock,
    Deadline,
    DeliveryError,
    Denied,
    Exporter,
    Malformed,
    Origin,
    Permanent,
    Signal,
)
from bridge.kafka import Follower, connection_kwargs
from bridge.options import RetryOnFailure, TlsClient, format_duration
from bridge.service.lone_exporter import lone_exporter
from bridge.service.probe.delivered import DeliveryWatch
from bridge.service.probe.receipts import TraceReceipt
from bridge.service.probe.route import Entrance, Route
from bridge.service.probe.traces import Made, make_trace
from bridge.service.record_traces import traces_of

IN_FLIGHT_MAX = 8
_READ_S = 0.1
_ASK_GROUP_S = 0.1
_CLOSE_S = 2.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What to send. *timeout_s* is for each request, and then for everything to be followed.

    `headers` are added to each request; their values are secrets.
    """

    run: str
    service: str
    count: int
    spans: int
    failed: bool
    timeout_s: float
    tls: TlsClient
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """
    What became of each trace. `delivered_known` says whether the exporters could be watched, and
    `problem` why not although it was tried.
    """

    receipts: list[TraceReceipt]
    delivered_known: bool = False
    problem: str = ""


async def send_traces(
    route: Route, wanted: Wanted, clock: Clock, progress: Progress, *, verify: bool
) -> Sent:
    """
    Send `wanted.count` traces, one a request, and say what became of each.

    Args:
        verify: Whether to follow them through Kafka, where the route leads through it.

    Raises:
        ConfigError: If a TLS file cannot be used.
        Denied: If the topic may not be read, or does not exist.
        Unavailable: If no broker answers.
    """
    receipts: dict[bytes, TraceReceipt] = {}
    async with AsyncExitStack() as stack:
        follower = None
        if verify and route.client is not None:
            progress(f"following topic {route.topic}")
            connection = connection_kwargs(route.client)
            follower = await stack.enter_async_context(Follower(connection, route.topic))
        progress(f"sending {wanted.count} traces to {route.entrance.address}")
        made = [
            make_trace(
                wanted.run,
                wanted.service,
                spans=wanted.spans,
                failed=wanted.failed,
                now_ns=round(clock.wall() * 1e9),
            )
            for _ in range(wanted.count)
        ]
        watch = None
        if verify and route.admin and route.exporters:
            watch = await stack.enter_async_context(
                DeliveryWatch(
                    route.admin, route.exporters, wanted.run, wanted.timeout_s, receipts, clock
                )
            )
        deadline = Deadline.after(wanted.timeout_s, clock)
        sending = asyncio.create_task(_send_all(route.entrance, wanted, made, receipts, clock))
        try:
            if follower is not None:
                # Read while sending, so that a latency is not that of sending all the others.
                await _follow(follower, route, receipts, sending, deadline, clock, progress)
            await asyncio.wait({sending}, timeout=deadline.remaining_s)
            if watch is not None:
                await watch.settle()
        finally:
            sending.cancel()
            await asyncio.wait({sending})
    if not sending.cancelled():
        sending.result()
    unsent = "not sent in time"
    found = [
        receipts.get(one.trace_id, TraceReceipt(one.trace_id, 0.0, refused=unsent)) for one in made
    ]
    return Sent(found, watch is not None and not watch.problem, watch.problem if watch else "")


async def _send_all(
    entrance: Entrance,
    wanted: Wanted,
    made: list[Made],
    receipts: dict[bytes, TraceReceipt],
    clock: Clock,
) -> None:
    exporter = _exporter(entrance, wanted, clock)
    turns = asyncio.Semaphore(IN_FLIGHT_MAX)
    await exporter.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            for one in made:
                tasks.create_task(_send(exporter, one, wanted.timeout_s, receipts, turns, clock))
    finally:
        await exporter.stop(Deadline.after(_CLOSE_S, clock))


async def _send(
    exporter: Exporter,
    one: Made,
    timeout_s: float,
    receipts: dict[bytes, TraceReceipt],
    turns: asyncio.Semaphore,
    clock: Clock,
) -> None:
    async with turns:
        receipt = TraceReceipt(one.trace_id, clock.monotonic())
        receipts[one.trace_id] = receipt
        origin = Origin("send", Deadline.after(timeout_s, clock))
        try:
            answer = await exporter.deliver(Batch(Signal.TRACES, one.body, one.spans, origin))
        except DeliveryError as error:
            receipt.refused = str(error)
            receipt.permanent = isinstance(error, Permanent | Denied)
            return
        receipt.answered_s = clock.monotonic() - receipt.sent_s
        if answer.rejected_items:
            receipt.refused, receipt.permanent = answer.message or "rejected", True


async def _follow(
    follower: Follower,
    route: Route,
    receipts: dict[bytes, TraceReceipt],
    sending: asyncio.Task[None],
    deadline: Deadline,
    clock: Clock,
    progress: Progress,
) -> None:
    """Until every trace that was answered is readable and committed, or *deadline*."""
    asked_s = 0.0
    while not deadline.expired:
        for record in await follower.read(_READ_S):
            try:
                ids = traces_of(record)
            except Malformed:
                continue  # Somebody else's.
            for receipt in (receipts[one] for one in ids if one in receipts):
                receipt.places.append((record.partition, record.offset))
                if receipt.readable_s is None:
                    receipt.readable_s = clock.monotonic() - receipt.sent_s
        now_s = clock.monotonic()
        if route.groups and now_s - asked_s >= _ASK_GROUP_S:
            asked_s = now_s
            await _ask_groups(follower, route, receipts, clock)
        if sending.done():
            pending = [one for one in receipts.values() if not _is_done(one, route)]
            if not pending or sending.exception() is not None:
                return
            progress(f"{len(pending)} traces on their way, {deadline.remaining_s:.0f} s left")


async def _ask_groups(
    follower: Follower, route: Route, receipts: dict[bytes, TraceReceipt], clock: Clock
) -> None:
    waiting = [one for one in receipts.values() if one.places and one.committed_s is None]
    if not waiting:
        return
    finished = [await follower.finished(group.name) for group in route.groups]
    now_s = clock.monotonic()
    for receipt in waiting:
        if all(
            partition in one and one[partition].has(offset)
            for one in finished
            for partition, offset in receipt.places
        ):
            receipt.committed_s = now_s - receipt.sent_s


def _is_done(receipt: TraceReceipt, route: Route) -> bool:
    if receipt.refused:
        return True
    if receipt.answered_s is None or receipt.readable_s is None:
        return False
    return not route.groups or receipt.committed_s is not None


def _exporter(entrance: Entrance, wanted: Wanted, clock: Clock) -> Exporter:
    # A receiver at port 0 for one is refused: nobody knows which port it got.
    return lone_exporter(
        "otlp/send",
        clock,
        entrance.protocol,
        entrance.address,
        f"cannot send to {entrance.address}",
        tls=wanted.tls,
        headers=wanted.headers,
        timeout=format_duration(wanted.timeout_s),
        retry_on_failure=RetryOnFailure(enabled=False),
    )
