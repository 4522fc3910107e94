"""Who hears of partitions, wherever it stands."""

from typing import Any

import pytest

from bridge.core import Custody, Signal, SystemClock
from bridge.service.assembly import Assembler
from bridge.service.host import ServiceHost
from bridge.service.listeners import Listeners
from bridge.service.status_book import StatusBook
from bridge.telemetry import MetricRegistry
from bridge.testing import FakeCustody
from tests.unit.service.stand_ins import Part, Source, config_of

CONFIG = """
receivers: {kafka: {}, in: {}}
processors: {batch: {}, step: {}, step/late: {}, probe: {}, probe/other: {}}
exporters: {out: {}, out/two: {}}
service:
  pipelines:
    traces: {receivers: [kafka], processors: [PROCESSORS], exporters: [out]}
    OTHER
"""


class Hearing(Part):
    """A processor that hears of partitions."""

    heard: list[tuple[str, str, int]]

    read_back_s = 7.0

    async def partition_assigned(self, partition: Custody) -> None:
        self.heard.append(("assigned", self.name, partition.epoch))

    def partition_frozen(self, partition: Custody) -> None:
        self.heard.append(("frozen", self.name, partition.epoch))

    async def wait_partition_quiet(self, partition: Custody) -> None:
        self.heard.append(("waited", self.name, partition.epoch))

    def partition_resumed(self, partition: Custody) -> None:
        self.heard.append(("resumed", self.name, partition.epoch))

    def partition_revoked(self, partition: Custody) -> None:
        self.heard.append(("revoked", self.name, partition.epoch))


class HearingSource(Source):
    """`probe` hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, str, int]] = []

    def _processor(self, config: Any, settings: Any, signal: Signal, to: Any) -> Any:
        if settings.id.type != "probe":
            return super()._processor(config, settings, signal, to)
        name = f"processors/{settings.id}@{settings.pipeline}"
        part: Any = Hearing(self.diary, name, config, settings)
        part.downstream, part.heard = to, self.heard
        return part


def built(processors: str, other: str = "") -> HearingSource:
    source, book = HearingSource(), StatusBook(lambda: 1.0)
    text = CONFIG.replace("PROCESSORS", processors).replace("OTHER", other)
    Assembler(
        config_of(text, source), book, ServiceHost(book), SystemClock(), MetricRegistry()
    ).build()
    return source


@pytest.mark.parametrize(
    "processors", ["probe", "step, probe", "batch, step, probe", "probe, step/late"]
)
@pytest.mark.parametrize(
    "other", ["", "traces/two: {receivers: [kafka], processors: [step], exporters: [out]}"]
)
async def test_listener_hears_wherever_it_stands(processors: str, other: str) -> None:
    """Neither stages before it nor a fan-out keep partitions from it."""
    source = built(processors, other)
    listener = source.diary.built["receivers/kafka"].settings.listeners[Signal.TRACES]

    await listener.partition_assigned(FakeCustody(epoch=3))
    listener.partition_frozen(FakeCustody(epoch=3))
    await listener.wait_partition_quiet(FakeCustody(epoch=3))
    listener.partition_resumed(FakeCustody(epoch=4))
    listener.partition_revoked(FakeCustody(epoch=4))

    assert listener.read_back_s == 7.0
    assert source.heard == [
        ("assigned", "processors/probe@traces", 3),
        ("frozen", "processors/probe@traces", 3),
        ("waited", "processors/probe@traces", 3),
        ("resumed", "processors/probe@traces", 4),
        ("revoked", "processors/probe@traces", 4),
    ]


async def test_listeners_of_all_pipelines_hear_in_their_order() -> None:
    """One receiver may feed several listeners, in a chain and side by side."""
    other = "traces/two: {receivers: [kafka], processors: [probe], exporters: [out/two]}"
    source = built("probe, batch, probe/other", other)
    listener = source.diary.built["receivers/kafka"].settings.listeners[Signal.TRACES]

    await listener.partition_assigned(FakeCustody())

    assert [name for _, name, _ in source.heard] == [
        "processors/probe@traces",
        "processors/probe/other@traces",
        "processors/probe@traces/two",
    ]


def test_receivers_without_listeners_are_told_so() -> None:
    """Nobody behind the receiver listens, or only behind another one."""
    other = "traces/two: {receivers: [in], processors: [step], exporters: [out/two]}"
    source = built("probe", other)

    assert source.diary.built["receivers/in"].settings.listeners == {}


@pytest.mark.parametrize(
    ("processors", "kept"),
    [("batch, probe", True), ("batch, step, probe", True), ("probe, batch", False)],
)
def test_batch_before_a_listener_keeps_records_apart(processors: str, kept: bool) -> None:
    """What was joined could not be finished record by record any more."""
    source = built(processors)

    assert source.diary.built["processors/batch@traces"].keep_records is kept


def test_listeners_alone_are_nobody() -> None:
    """An empty group wants nothing."""
    assert Listeners([]).read_back_s == 0.0
