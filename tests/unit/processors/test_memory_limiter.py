"""The memory limiter: its limits, when it refuses, and when it collects garbage."""

import os

import pytest
from pydantic import ValidationError

from bridge.core import (
    ACCEPTED,
    SETTLED,
    Batch,
    Deadline,
    Origin,
    Outcome,
    Overloaded,
    Signal,
    State,
)
from bridge.processors.memory_limiter import (
    MemoryLimiter,
    MemoryLimiterOptions,
    available_memory_bytes,
    release_memory,
    resident_memory_bytes,
)
from bridge.testing import FakeStage, ManualClock, make_settings
from tests.unit.beginning import FakeBeginner

MIB = 1024 * 1024
BATCH = Batch(Signal.TRACES, b"x", 3, Origin("otlp"))


class Machine:
    """Memory that the test sets, and collections that may free some."""

    def __init__(self, used_mib: int) -> None:
        self.used_mib = used_mib
        self.freed_mib = 0
        self.collections = 0

    def resident_bytes(self) -> int:
        return self.used_mib * MIB

    def collect(self) -> None:
        self.collections += 1
        self.used_mib -= self.freed_mib


def built(machine: Machine, stage: FakeStage | None = None, **keys: object):
    settings = make_settings("memory_limiter", clock=ManualClock())
    stage = stage or FakeStage()
    options = MemoryLimiterOptions.model_validate({"limit_mib": 1000, **keys})
    limiter = MemoryLimiter(
        options,
        settings,
        Signal.TRACES,
        stage,
        resident_bytes=machine.resident_bytes,
        collect=machine.collect,
    )
    return limiter, settings, stage


async def test_limiter_passes_below_its_limit() -> None:
    """Below the soft limit (four fifths of the hard one) data passes."""
    limiter, settings, stage = built(Machine(800))
    limiter.check()

    assert await limiter.deliver(BATCH) is ACCEPTED
    assert stage.taken == [BATCH]
    assert settings.metrics.value("otelcol_processor_memory_limiter_accepted_spans") == 3


async def test_limiter_begins_below_its_limit_and_refuses_above() -> None:
    """Without a task it counts and refuses as `deliver` does, and needs a stage that can begin."""
    machine, outcomes = Machine(800), list[Outcome]()
    limiter, settings, stage = built(machine, FakeBeginner())
    begun = limiter.begin_delivery(BATCH, outcomes.append)
    stage.begun[0][1](ACCEPTED)
    machine.used_mib = 801
    limiter.check()
    with pytest.raises(Overloaded, match="800 MiB"):
        limiter.begin_delivery(BATCH, outcomes.append)
    plain, _, _ = built(Machine(800))

    value = settings.metrics.value
    assert begun is SETTLED
    assert outcomes == [ACCEPTED]
    assert value("otelcol_processor_memory_limiter_accepted_spans") == 3
    assert value("otelcol_processor_memory_limiter_refused_spans") == 3
    assert value("otelcol_processor_incoming_items") == 6
    assert value("otelcol_processor_outgoing_items") == 3
    assert plain.begin_delivery(BATCH, outcomes.append) is None


async def test_limiter_refuses_above_its_limit() -> None:
    """Above the soft limit data is refused with a hint, and readiness says why."""
    limiter, settings, stage = built(Machine(801), retry_after="3s")
    limiter.check()

    with pytest.raises(Overloaded, match="800 MiB") as caught:
        await limiter.deliver(BATCH)
    assert caught.value.retry_after_s == 3
    assert stage.offered == []
    assert settings.metrics.value("otelcol_processor_memory_limiter_refused_spans") == 3
    assert settings.host.state is State.RECOVERABLE


async def test_limiter_recovers() -> None:
    """Once memory is given back data passes again and the status is OK."""
    machine = Machine(900)
    limiter, settings, _ = built(machine)
    limiter.check()
    machine.used_mib = 500
    limiter.check()

    assert await limiter.deliver(BATCH) is ACCEPTED
    assert settings.host.state is State.OK


async def test_limiter_collects_before_it_refuses() -> None:
    """If a collection brings the memory below the limit nothing is refused."""
    machine = Machine(900)
    machine.freed_mib = 300
    limiter, _, _ = built(machine)
    limiter.check()

    assert await limiter.deliver(BATCH) is ACCEPTED
    assert machine.collections == 1


async def test_limiter_collects_seldom_above_the_soft_limit() -> None:
    """Between the limits garbage is collected now and then; above the hard one each time."""
    machine = Machine(900)
    limiter, settings, _ = built(machine)
    for _ in range(5):
        limiter.check()
    assert machine.collections == 1
    await settings.clock.advance(10)
    limiter.check()
    assert machine.collections == 2
    machine.used_mib = 1001
    for _ in range(3):
        limiter.check()

    assert machine.collections == 5


async def test_limiter_looks_regularly() -> None:
    """After start the memory is looked at every check_interval until stop."""
    machine = Machine(100)
    limiter, settings, _ = built(machine, check_interval="2s")
    await limiter.start()
    machine.used_mib = 900
    await settings.clock.advance(1.9)
    assert await limiter.deliver(BATCH) is ACCEPTED
    await settings.clock.advance(0.2)
    with pytest.raises(Overloaded):
        await limiter.deliver(BATCH)
    await limiter.stop(Deadline.after(1, settings.clock))
    await limiter.stop(Deadline.after(1, settings.clock))

    assert settings.clock.sleeping == 0


@pytest.mark.parametrize(
    ("keys", "soft_hard_mib"),
    [
        ({"limit_mib": 1000}, (800, 1000)),
        ({"limit_mib": 1000, "spike_limit_mib": 100}, (900, 1000)),
        ({"limit_percentage": 50}, (1638, 2048)),
        ({"limit_percentage": 50, "spike_limit_percentage": 25}, (1024, 2048)),
        ({"limit_mib": 1000, "limit_percentage": 50}, (800, 1000)),
    ],
)
def test_limits_follow_the_section(keys, soft_hard_mib) -> None:
    """MiB go before percentages, and a spike of 0 is a fifth of the limit."""
    soft, hard = MemoryLimiterOptions.model_validate(keys).limits_bytes(4096 * MIB)

    assert (soft // MIB, hard // MIB) == soft_hard_mib


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "limit_mib or limit_percentage"),
        ({"limit_mib": 10, "check_interval": "0s"}, "above 0"),
        ({"limit_mib": 10, "spike_limit_mib": 10}, "below limit_mib"),
        ({"limit_percentage": 10, "spike_limit_percentage": 20}, "below limit_percentage"),
        ({"limit_percentage": 101}, "less than or equal"),
    ],
)
def test_limiter_refuses_contradictions(keys, words) -> None:
    """What cannot work is refused when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        MemoryLimiterOptions.model_validate(keys)


def test_memory_of_this_machine_is_read() -> None:
    """The figures of the real process are plausible, and releasing memory works."""
    release_memory()

    assert 10 * MIB < resident_memory_bytes() < available_memory_bytes()
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert available_memory_bytes() <= total
