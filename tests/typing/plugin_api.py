"""Usages of the plugin contract that the type checker must accept."""

from collections.abc import Mapping

from bridge.core import (
    ACCEPTED,
    Batch,
    Deadline,
    Exporter,
    ExporterFactory,
    Processor,
    ProcessorFactory,
    Receipt,
    Receiver,
    ReceiverFactory,
    Settings,
    Signal,
    Stability,
    Stage,
    State,
    Status,
)
from bridge.options import Duration, Options


class Config(Options):
    """A plugin's section."""

    wait: Duration = 1.0
    """How long to wait."""


class Sink:
    """The smallest exporter."""

    def __init__(self, config: Config, settings: Settings, signals: frozenset[Signal]) -> None:
        self.wait_s = config.wait
        self.settings = settings
        self.signals = signals

    async def start(self) -> None:
        self.settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        del deadline

    async def deliver(self, batch: Batch) -> Receipt:
        return ACCEPTED if batch.items else Receipt(0, "nothing in it")


class Pass:
    """The smallest processor."""

    def __init__(self, config: Config, settings: Settings, signal: Signal, then: Stage) -> None:
        del config, settings, signal
        self.then = then

    async def start(self) -> None:
        return None

    async def stop(self, deadline: Deadline) -> None:
        del deadline

    async def deliver(self, batch: Batch) -> Receipt:
        return await self.then.deliver(batch.with_body(batch.body, batch.items))


class Source:
    """The smallest receiver."""

    def __init__(self, config: Config, settings: Settings, to: Mapping[Signal, Stage]) -> None:
        del config, settings
        self.to = to

    async def start(self) -> None:
        return None

    async def stop(self, deadline: Deadline) -> None:
        del deadline


sink: ExporterFactory[Config] = ExporterFactory("sink", Config, Sink)
passing: ProcessorFactory[Config] = ProcessorFactory(
    "pass", Config, Pass, signals=frozenset({Signal.TRACES}), stability=Stability.ALPHA
)
source: ReceiverFactory[Config] = ReceiverFactory("source", Config, Source)


def roles(settings: Settings, stage: Stage) -> tuple[Exporter, Processor, Receiver]:
    """Instances fit their roles without inheriting from them."""
    return (
        Sink(Config(), settings, frozenset()),
        Pass(Config(), settings, Signal.LOGS, stage),
        Source(Config(), settings, {Signal.LOGS: stage}),
    )
