"""Components that note what happens to them, for the tests of the service."""

from collections.abc import Mapping, Sequence
from typing import Any

from bridge.config import LoadedConfig, load
from bridge.core import (
    ACCEPTED,
    Batch,
    ConfigError,
    Deadline,
    ExporterFactory,
    ExtensionFactory,
    ProcessorFactory,
    Receipt,
    ReceiverFactory,
    Settings,
    Signal,
    Stage,
    State,
    Status,
)
from bridge.core.contracts import AnyFactory
from bridge.options import Options


class Diary:
    """What happened, in order: ``start receivers/in``, ``stop ...``, ``deliver ...``."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.built: dict[str, Any] = {}


class Nothing(Options):
    """A section with one switch."""

    fails: str = ""
    """``create`` or ``start``: where the component fails; ``stop`` likewise."""
    send_batch_max_size: int = 0
    """For the stand-in of `batch`."""


class Part:
    """A component of any role."""

    def __init__(self, diary: Diary, name: str, config: Nothing, settings: Settings) -> None:
        if config.fails == "create":
            raise ValueError("cannot be built")
        self.diary, self.name, self.config, self.settings = diary, name, config, settings
        self.pass_through = False
        diary.built[name] = self

    async def start(self) -> None:
        self.diary.lines.append(f"start {self.name}")
        if self.config.fails == "start":
            raise ConfigError(f"{self.name} cannot start")
        self.settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        self.diary.lines.append(f"stop {self.name}")
        if self.config.fails == "stop":
            raise RuntimeError("broken")

    async def deliver(self, batch: Batch) -> Receipt:
        self.diary.lines.append(f"deliver {self.name}")
        downstream = getattr(self, "downstream", None)
        return await downstream.deliver(batch) if downstream else ACCEPTED


class Source:
    """A `FactorySource` whose types are stand-ins."""

    def __init__(self, rewirable: Sequence[str] = ()) -> None:
        self.diary = Diary()
        self._rewirable = rewirable

    def types(self, kind: str) -> list[str]:
        """Every type exists."""
        return ["batch", "in", "kafka", "out", "probe", "step", "tail_sampling"]

    def factory(self, kind: str, type_name: str) -> AnyFactory:
        """A factory of the kind that the section asks for."""
        if kind == "receivers":
            return ReceiverFactory(
                type_name, Nothing, self._receiver, rewirable=type_name in self._rewirable
            )
        if kind == "processors":
            return ProcessorFactory(type_name, Nothing, self._processor)
        if kind == "exporters":
            return ExporterFactory(type_name, Nothing, self._exporter)
        return ExtensionFactory(type_name, Nothing, self._extension)

    def _receiver(self, config: Nothing, settings: Settings, to: Mapping[Signal, Stage]) -> Any:
        part: Any = Part(self.diary, f"receivers/{settings.id}", config, settings)
        part.downstreams = to
        return part

    def _processor(self, config: Nothing, settings: Settings, signal: Signal, to: Stage) -> Any:
        name = f"processors/{settings.id}@{settings.pipeline}"
        part: Any = Part(self.diary, name, config, settings)
        part.downstream = to
        return part

    def _exporter(self, config: Nothing, settings: Settings, signals: frozenset[Signal]) -> Any:
        part: Any = Part(self.diary, f"exporters/{settings.id}", config, settings)
        part.signals = signals
        return part

    def _extension(self, config: Nothing, settings: Settings) -> Any:
        return Part(self.diary, f"extensions/{settings.id}", config, settings)


def config_of(text: str, source: Source) -> LoadedConfig:
    """A loaded config from YAML; metrics are not served."""
    quiet = "yaml:service::telemetry::metrics::level: none"
    return load([f"yaml:{text}", quiet], [], source, {})
