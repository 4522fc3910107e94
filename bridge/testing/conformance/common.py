"""What the kits share: the one error, the patience, and running a component for a check."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from bridge.core import Batch, Component, Deadline, Denied, Permanent, Retryable, SystemClock
from bridge.testing.builders import Made
from bridge.testing.settings import otlp_origin

CLOCK = SystemClock()
"""The kits run on real time: a plugin may stand on a library that knows no other."""

PATIENCE_S = 10.0
"""Nothing that a check waits for takes longer on a slow machine."""

START_S = 5.0
"""A start that takes longer waits for something that it should wait for in the background."""

ANSWER_S = 1.0
"""How long the sender of a check's batches waits for an answer."""

QUIET_S = 0.1
"""How long a check watches for something that must not happen."""

OVERRUN_S = 2.0
"""How much later than its deadline a stop may return before it counts as broken."""

FAMILIES = (Retryable, Permanent, Denied)

ResultT = TypeVar("ResultT")
Check = Callable[[Any], Awaitable[None]]
"""One check: takes a case, raises `ConformanceError` if the contract is broken."""


class ConformanceError(AssertionError):
    """A component breaks the contract; the text says which sentence of it."""


def require(fact: bool, sentence: str) -> None:
    """Raise `ConformanceError` with *sentence* unless *fact*."""
    if not fact:
        raise ConformanceError(sentence)


async def within(
    awaitable: Awaitable[ResultT], sentence: str, seconds: float = PATIENCE_S
) -> ResultT:
    """Await something that must end within *seconds*; otherwise *sentence* is broken."""
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError as error:
        raise ConformanceError(f"{sentence} (waited {seconds:g} s)") from error


def batch_of(made: Made, answer_s: float = ANSWER_S) -> Batch:
    """The batch that an OTLP receiver would make of *made*."""
    return Batch(made.signal, made.body, made.items, otlp_origin(CLOCK, answer_s))


def soon(seconds: float = PATIENCE_S) -> Deadline:
    """A deadline on the kits' clock."""
    return Deadline.after(seconds, CLOCK)


@asynccontextmanager
async def running(component: Component) -> AsyncIterator[None]:
    """Start *component*, and stop it whatever the check finds."""
    await within(component.start(), "start returns quickly", START_S)
    try:
        yield
    finally:
        await within(component.stop(soon(1.0)), "stop keeps its deadline", 1.0 + OVERRUN_S)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel what a check left running, and wait for it."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def family(error: BaseException) -> type[BaseException] | None:
    """Which of the three families of delivery errors *error* belongs to."""
    return next((kind for kind in FAMILIES if isinstance(error, kind)), None)


async def check_stop_anytime(create: Callable[[], Component]) -> None:
    """Stop is safe before start and safe twice."""
    never_started = create()
    await within(never_started.stop(soon()), "stop is safe before start")
    component = create()
    await within(component.start(), "start returns quickly", START_S)
    await within(component.stop(soon()), "stop returns when there is nothing to finish")
    await within(component.stop(soon()), "stop is safe twice")
