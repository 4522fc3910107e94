"""Putting one request through processors, alone: no receivers, no exporters, no time lost."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.config import LoadedConfig
from bridge.core import (
    Batch,
    ComponentId,
    ConfigError,
    Deadline,
    DeliveryError,
    Processor,
    ProcessorFactory,
    Refused,
    Signal,
    Stage,
)
from bridge.wire import count_items, join

WAIT_MAX_S = 3600
"""How far the clock is turned for processors that hold data; it costs no time."""

STALLED_MAX_S = 10.0
"""How long a processor may take that does not wait on the clock."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of a request: the bytes that came out, empty for none, or why it was refused.

    `failures` counts the OTTL statements that failed on an item.
    """

    body: bytes
    items_before: int
    items_after: int
    refused: str = ""
    failures: tuple[tuple[str, int], ...] = ()


def find_processors(loaded: LoadedConfig, names: Sequence[str], pipeline: str) -> list[ComponentId]:
    """
    The processors that are meant: those named, or those of a pipeline.

    Raises:
        ConfigError: If there is none of such a name, or nothing is named at all.
    """
    if names:
        found = [ComponentId.parse(name) for name in names]
        missing = [str(one) for one in found if one not in loaded.processors]
        if missing:
            known = ", ".join(map(str, loaded.processors)) or "none"
            raise ConfigError(f"there is no processor {missing[0]}; there is {known}")
        return found
    pipelines = {str(one): members for one, members in loaded.pipelines.items()}
    if pipeline not in pipelines:
        known = ", ".join(pipelines)
        raise ConfigError(f"name processors, or one of the pipelines {known}")
    return list(pipelines[pipeline].processors)


def put_through(
    loaded: LoadedConfig,
    processors: Sequence[ComponentId],
    signal: Signal,
    body: bytes,
    *,
    wall_s: float | None = None,
) -> Outcome:
    """
    Put a request through processors and return what comes out behind the last one.

    Args:
        wall_s:
            What the time is, in seconds since the Unix epoch; the machine's by default.

    Raises:
        ConfigError: If a processor does not take the signal.
    """
    return asyncio.run(_put_through(loaded, processors, signal, body, wall_s))


async def _put_through(
    loaded: LoadedConfig,
    processors: Sequence[ComponentId],
    signal: Signal,
    body: bytes,
    wall_s: float | None,
) -> Outcome:
    # The kit is loaded by whoever tries something out.
    from bridge.testing import FakeStage, ManualClock, RecordingMetrics, make_settings, otlp_origin

    clock = ManualClock(wall_s=time.time() if wall_s is None else wall_s)
    metrics, sink = RecordingMetrics(), FakeStage()
    chain: list[Processor] = []
    stage: Stage = sink
    for name in reversed(processors):
        configured = loaded.component("processors", name)
        # The section says which kind of factory it is.
        factory: ProcessorFactory[Any] = configured.factory  # type: ignore[assignment]
        if signal not in factory.signals:
            raise ConfigError(f"processor {name} does not take {signal.value}")
        settings = make_settings(
            str(name), clock=clock, metrics=metrics, pipeline=f"{signal.value}/try"
        )
        try:
            chain.append(factory.create(configured.options, settings, signal, stage))
        except ValueError as error:
            raise ConfigError(f"processor {name}: {error}") from error
        stage = chain[-1]
    for one in chain:
        await one.start()
    items = count_items(signal, body)
    refused = ""
    try:
        await _deliver(stage, Batch(signal, body, items, otlp_origin(clock)), clock)
    except DeliveryError as error:
        refused = str(error)
    for one in reversed(chain):
        await one.stop(Deadline.after(STALLED_MAX_S, clock))
    left = [taken.body for taken in sink.taken]
    counted = (
        (labels["statement"], int(metrics.value("bridge_ottl_errors", **labels)))
        for labels in metrics.series("bridge_ottl_errors")
    )
    failures = tuple((statement, count) for statement, count in counted if count)
    return Outcome(join(left) if left else b"", items, sink.items, refused, failures)


async def _deliver(stage: Stage, batch: Batch, clock: Any) -> None:
    """Deliver, and turn the clock for as long as somebody waits on it."""
    from bridge.testing import settle

    delivery = asyncio.ensure_future(stage.deliver(batch))
    try:
        await settle()
        for _ in range(WAIT_MAX_S):
            if delivery.done() or not clock.sleeping:
                break
            await clock.advance(1.0)
        await asyncio.wait_for(delivery, STALLED_MAX_S)
    except TimeoutError as error:
        raise Refused(f"no answer within {STALLED_MAX_S:.0f} s") from error
    finally:
        delivery.cancel()
