"""Starting, delivering and stopping in the order of the data."""

import pytest

from bridge.core import Batch, ComponentId, ConfigError, Deadline, Origin, Signal, SystemClock
from bridge.service import Service
from tests.unit.service.stand_ins import Source, config_of

TWO_PIPELINES = """
receivers: {in: {}}
processors: {step/a: {}, step/b: {}}
exporters: {out/x: {}, out/y: {}}
extensions: {probe: {}}
service:
  extensions: [probe]
  pipelines:
    traces: {receivers: [in], processors: [step/a, step/b], exporters: [out/x, out/y]}
    traces/second: {receivers: [in], exporters: [out/x]}
    logs: {receivers: [in], processors: [step/a], exporters: [out/y]}
"""


def deadline() -> Deadline:
    """Time enough."""
    return Deadline.after(5, SystemClock())


async def test_service_starts_sinks_first_and_stops_sources_first() -> None:
    """Nobody delivers to what does not run yet, or no longer."""
    source = Source()
    service = Service(config_of(TWO_PIPELINES, source))
    await service.start()
    started = [line.removeprefix("start ") for line in source.diary.lines]
    await service.stop(deadline())
    stopped = [line.removeprefix("stop ") for line in source.diary.lines[len(started) :]]

    assert started[0] == "extensions/probe"
    assert started[-1] == "receivers/in"
    assert started.index("exporters/out/x") < started.index("processors/step/b@traces")
    assert started.index("processors/step/b@traces") < started.index("processors/step/a@traces")
    assert stopped[0] == "receivers/in"
    assert stopped[-1] == "extensions/probe"
    assert stopped.index("processors/step/a@traces") < stopped.index("processors/step/b@traces")
    assert stopped.index("processors/step/b@traces") < stopped.index("exporters/out/x")
    assert sorted(started) == sorted(stopped)


async def test_service_builds_one_receiver_and_exporter_for_all_pipelines() -> None:
    """Components that several pipelines name are shared, processors are not."""
    source = Source()
    service = Service(config_of(TWO_PIPELINES, source))
    await service.start()
    built = source.diary.built

    assert set(built["receivers/in"].downstreams) == {Signal.TRACES, Signal.LOGS}
    assert built["exporters/out/x"].signals == {Signal.TRACES}
    assert built["exporters/out/y"].signals == {Signal.TRACES, Signal.LOGS}
    assert built["processors/step/a@traces"] is not built["processors/step/a@logs"]
    await service.stop(deadline())


async def test_service_fans_out_to_pipelines_and_exporters() -> None:
    """A batch passes each pipeline of its signal, and reaches every exporter of it."""
    source = Source()
    service = Service(config_of(TWO_PIPELINES, source))
    await service.start()
    source.diary.lines.clear()
    receiver = source.diary.built["receivers/in"]
    await receiver.downstreams[Signal.TRACES].deliver(Batch(Signal.TRACES, b"", 0, Origin("in")))

    assert sorted(source.diary.lines) == [
        "deliver exporters/out/x",
        "deliver exporters/out/x",
        "deliver exporters/out/y",
        "deliver processors/step/a@traces",
        "deliver processors/step/b@traces",
    ]
    await service.stop(deadline())


async def test_service_is_ready_when_all_report_ok_until_it_drains() -> None:
    """Readiness comes with the last component and goes when the stop begins."""
    source = Source()
    service = Service(config_of(TWO_PIPELINES, source))

    assert not service.host.ready()
    await service.start()
    assert service.host.ready()
    assert service.not_ready() == {}
    await service.stop(deadline())
    assert not service.host.ready()


@pytest.mark.parametrize("where", ["create", "start"])
async def test_service_failing_start_stops_what_ran(where: str) -> None:
    """A component that cannot work as configured ends the start, and nothing is left running."""
    source = Source()
    config = config_of(
        TWO_PIPELINES.replace("receivers: {in: {}}", f"receivers: {{in: {{fails: {where}}}}}"),
        source,
    )
    service = Service(config)
    with pytest.raises(ConfigError, match="receivers/in"):
        await service.start()
    started = {line[6:] for line in source.diary.lines if line.startswith("start ")}
    stopped = {line[5:] for line in source.diary.lines if line.startswith("stop ")}

    assert started <= stopped


async def test_service_stop_goes_on_after_a_failure_and_is_safe_twice() -> None:
    """One component that breaks while stopping does not keep the others running."""
    source = Source()
    config = config_of(TWO_PIPELINES.replace("out/x: {}", "out/x: {fails: stop}"), source)
    service = Service(config)
    await service.start()
    await service.stop(deadline())
    await service.stop(deadline())
    stops = [line for line in source.diary.lines if line.startswith("stop ")]

    assert len(stops) == len(set(stops)) == 7
    assert stops[-1] == "stop extensions/probe"


async def test_service_unlisted_extension_says_where_to_add_it() -> None:
    """A component that asks for an extension which is not listed is told the key."""
    source = Source()
    service = Service(config_of(TWO_PIPELINES, source))
    await service.start()

    assert service.host.extension(ComponentId("probe")) is source.diary.built["extensions/probe"]
    with pytest.raises(ConfigError, match=r"service\.extensions"):
        service.host.extension(ComponentId("bearertokenauth"))
    await service.stop(deadline())
