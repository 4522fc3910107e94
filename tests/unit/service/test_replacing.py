"""A running service takes another config: `Service.reload`, with `replacing` and `crew`."""

import asyncio
from typing import Any

import pytest

from bridge.config import load
from bridge.core import (
    ACCEPTED,
    Batch,
    ConfigError,
    Deadline,
    Origin,
    Receipt,
    Signal,
    State,
    Status,
    SystemClock,
)
from bridge.service.crew import Crew
from bridge.service.replacing import Replacement
from bridge.service.service import ReloadFailed, Service
from tests.unit.service.stand_ins import Source, config_of

CONFIG = """
receivers: {in: {}, kafka: {}}
processors: {step/a: {}, step/b: {}}
exporters: {out/x: {}, out/y: {}}
extensions: {probe: {}}
service:
  extensions: [probe]
  pipelines:
    traces: {receivers: [in], processors: [step/a, step/b], exporters: [out/x]}
    traces/second: {receivers: [kafka], processors: [step/a], exporters: [out/y]}
"""
BATCH = Batch(Signal.TRACES, b"", 0, Origin("in"))


class Scene:
    """A service of stand-ins that runs `CONFIG`."""

    def __init__(self) -> None:
        self.source = Source(rewirable=("in",))
        self.lines = self.source.diary.lines
        self.service = Service(config_of(CONFIG, self.source))

    def part(self, name: str) -> Any:
        """The part of that name which was built last."""
        return self.source.diary.built[name]

    async def reload(self, *changes: tuple[str, str], timeout_s: float = 5.0) -> None:
        """Take a changed config; the diary begins anew."""
        text = CONFIG
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.lines.clear()
        await self.service.reload(config_of(text, self.source), timeout_s)

    async def deliver(self, receiver: Any) -> list[str]:
        """Where a batch of *receiver* passes."""
        self.lines.clear()
        await receiver.downstreams[Signal.TRACES].deliver(BATCH)
        return [line.removeprefix("deliver ") for line in self.lines]

    async def stop(self) -> None:
        await self.service.stop(Deadline.after(5, SystemClock()))


async def test_reload_replaces_a_pipeline_behind_a_receiver_that_goes_on() -> None:
    """New sinks and stages first, then the old ones end; the receiver is never touched."""
    scene = Scene()
    await scene.service.start()
    receiver = scene.part("receivers/in")
    old = scene.part("processors/step/b@traces")
    await scene.reload(("out/x: {}", "out/x: {send_batch_max_size: 1}"))
    happened = list(scene.lines)

    assert scene.part("receivers/in") is receiver
    assert scene.part("processors/step/b@traces") is not old
    assert happened == [
        "start exporters/out/x",
        "start processors/step/b@traces",
        "start processors/step/a@traces",
        "stop processors/step/a@traces",
        "stop processors/step/b@traces",
        "stop exporters/out/x",
    ]
    passed = await scene.deliver(receiver)
    assert passed == [
        "processors/step/a@traces",
        "processors/step/b@traces",
        "exporters/out/x",
    ]
    assert scene.part("exporters/out/x").config.send_batch_max_size == 1
    assert scene.service.host.ready()
    await scene.stop()
    assert [line for line in scene.lines if line == "stop exporters/out/x"] == [
        "stop exporters/out/x"
    ]


async def test_reload_replaces_a_receiver_that_holds_offsets_with_its_pipeline() -> None:
    """It lets go of its partitions before its successor joins; what it feeds drains between."""
    scene = Scene()
    await scene.service.start()
    await scene.reload(("kafka: {}", "kafka: {send_batch_max_size: 1}"))

    assert scene.lines == [
        "start processors/step/a@traces/second",
        "stop receivers/kafka",
        "stop processors/step/a@traces/second",
        "start receivers/kafka",
    ]
    await scene.stop()


async def test_reload_waits_for_what_passes_the_old_stages() -> None:
    """The old pipeline ends when the last delivery has left it, not before."""
    scene = Scene()
    await scene.service.start()
    held = asyncio.Event()

    async def deliver(batch: Batch) -> Receipt:
        await held.wait()
        return ACCEPTED

    scene.part("processors/step/a@traces").deliver = deliver
    receiver = scene.part("receivers/in")
    under_way = asyncio.create_task(receiver.downstreams[Signal.TRACES].deliver(BATCH))
    await asyncio.sleep(0)
    reloading = asyncio.create_task(scene.reload(("step/b: {}", "step/b: {fails: x}")))
    while "start processors/step/a@traces" not in scene.lines:  # noqa: ASYNC110 - a diary
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert not [line for line in scene.lines if line.startswith("stop")]
    held.set()
    await reloading

    assert await under_way is ACCEPTED
    assert "stop processors/step/a@traces" in scene.lines
    await scene.stop()


async def test_reload_cuts_off_what_does_not_end_in_time() -> None:
    """A delivery that hangs holds the reload up for its timeout and no longer."""
    scene = Scene()
    await scene.service.start()
    scene.part("processors/step/a@traces").deliver = lambda batch: asyncio.Event().wait()
    receiver = scene.part("receivers/in")
    hanging = asyncio.create_task(receiver.downstreams[Signal.TRACES].deliver(BATCH))
    await asyncio.sleep(0)
    await scene.reload(("step/b: {}", "step/b: {fails: x}"), timeout_s=0.01)

    assert "stop processors/step/a@traces" in scene.lines
    assert (await scene.deliver(receiver))[-1] == "exporters/out/x"
    hanging.cancel()
    await scene.stop()


@pytest.mark.parametrize("where", ["create", "start"])
async def test_reload_that_fails_before_anything_is_touched_changes_nothing(where: str) -> None:
    """The very same parts go on, with their states and figures."""
    scene = Scene()
    await scene.service.start()
    before = {name: scene.part(name) for name in scene.source.diary.built}
    receiver = scene.part("receivers/in")
    before["exporters/out/x"].settings.metrics.gauge("bridge_workers_running", None, lambda: 7.0)
    with pytest.raises(ConfigError, match="exporters/out/y"):
        await scene.reload(
            ("out/x: {}", "out/x: {send_batch_max_size: 1}"),
            ("out/y: {}", f"out/y: {{fails: {where}}}"),
        )

    assert not [line for line in scene.lines if line.startswith("stop processors")]
    assert scene.service.host.ready()
    assert scene.service.metrics.value("bridge_workers_running") == 7.0
    assert list(scene.service.host.extensions.values()) == [before["extensions/probe"]]
    await scene.deliver(receiver)
    # A status of the part that runs is heard, not one of the part that was abandoned.
    before["exporters/out/x"].settings.report(Status(State.RECOVERABLE, "away"))
    assert not scene.service.host.ready()
    before["exporters/out/x"].settings.report(Status(State.OK))
    await scene.reload(("step/b: {}", "step/b: {fails: x}"))
    await scene.stop()


async def test_reload_that_fails_late_brings_the_old_config_back() -> None:
    """A receiver that cannot start, as with a port in use: all that was replaced comes again."""
    scene = Scene()
    await scene.service.start()
    receiver = scene.part("receivers/in")
    with pytest.raises(ConfigError, match="receivers/kafka cannot start"):
        await scene.reload(
            ("kafka: {}", "kafka: {fails: start}"),
            ("step/b: {}", "step/b: {send_batch_max_size: 1}"),
        )

    running = scene.part("processors/step/b@traces")
    assert running.config.send_batch_max_size == 0
    assert scene.part("receivers/kafka").config.fails == ""
    assert scene.service.host.ready()
    assert (await scene.deliver(receiver))[-1] == "exporters/out/x"
    await scene.stop()
    stopped = [line for line in scene.lines if line.startswith("stop ")]
    assert len(stopped) == len(set(stopped)) == 8


async def test_reload_that_cannot_go_back_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then only a stop is left, which still stops all that runs."""
    scene = Scene()
    await scene.service.start()
    before = scene.part("receivers/kafka")
    # The former options fail too by now, as when somebody else took the port meanwhile.
    monkeypatch.setattr(type(before.config), "model_config", {"frozen": False})
    object.__setattr__(before.config, "fails", "start")
    with pytest.raises(ReloadFailed, match="receivers/kafka cannot start"):
        await scene.reload(("kafka: {}", "kafka: {fails: start, send_batch_max_size: 2}"))
    scene.lines.clear()
    await scene.stop()
    assert "stop receivers/in" in scene.lines
    assert "stop exporters/out/y" in scene.lines


async def test_reload_shows_no_part_that_is_gone() -> None:
    """A removed exporter that was in trouble keeps nobody unready."""
    scene = Scene()
    await scene.service.start()
    exporter = scene.part("exporters/out/y")
    exporter.settings.report(Status(State.RECOVERABLE, "away"))
    assert not scene.service.host.ready()
    second = "    traces/second: {receivers: [kafka], processors: [step/a], exporters: [out/y]}\n"
    await scene.reload((second, ""))

    assert scene.service.host.ready()
    assert "exporters/out/y" not in scene.service.host.statuses()
    await scene.stop()


async def test_reload_moves_the_metrics() -> None:
    """The new address is served before the old one is given up."""
    source = Source()
    at = "yaml:service::telemetry::metrics::address: 127.0.0.1:0"
    text = CONFIG.replace("service:", "service:\n  telemetry: {metrics: {address: '127.0.0.1:0'}}")
    quiet = config_of(CONFIG, source)
    service = Service(quiet)
    await service.start()
    assert "metrics" not in service.endpoints()
    assert (await service.reload(load([f"yaml:{text}", at], [], source, {}), 5.0)).empty
    assert "metrics" in service.endpoints()
    assert (await service.reload(quiet, 5.0)).empty
    assert "metrics" not in service.endpoints()
    await service.stop(Deadline.after(5, SystemClock()))


async def test_replacement_is_disturbing_once_data_takes_the_new_way() -> None:
    """Before that a failure needs no way back."""
    scene = Scene()
    await scene.service.start()
    service: Any = scene.service
    plan = await service.reload(config_of(CONFIG, scene.source), 1.0)
    crew = Crew()
    exchange = Replacement(crew, service._assembly, service._assembly, plan)
    assert not exchange.disturbed
    await exchange.run(Deadline.after(1, SystemClock()))
    assert exchange.disturbed
    assert crew.running == ()
    await scene.stop()
