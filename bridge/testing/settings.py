"""Everything a factory wants besides its config."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.core import (
    Clock,
    ComponentId,
    ConfigError,
    Deadline,
    Extension,
    Join,
    Metrics,
    Origin,
    PartitionListener,
    Settings,
    Signal,
    State,
    Status,
    SystemClock,
    View,
    Watcher,
)
from bridge.testing.metrics import RecordingMetrics


@dataclass(slots=True)
class FakeHost:
    """Fulfils `bridge.core.Host`, from what a test puts into it."""

    reported: list[Status] = field(default_factory=list)
    extensions: dict[ComponentId, Extension] = field(default_factory=dict)
    is_live: bool = True
    is_ready: bool = True
    graph: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    shown: list[View] = field(default_factory=list)
    watchers: dict[str, list[Watcher]] = field(default_factory=dict)
    workers: Callable[[Mapping[str, Any]], Mapping[int, Any]] | None = None

    def pipelines(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """What the test put into `graph`."""
        return self.graph

    async def views(self) -> Sequence[View]:
        """What the test put into `shown`."""
        return self.shown

    def statuses(self) -> Mapping[str, Status]:
        """The latest report of each subject."""
        return {status.subject: status for status in self.reported}

    def live(self) -> bool:
        """What the test says."""
        return self.is_live

    def ready(self) -> bool:
        """What the test says."""
        return self.is_ready

    def watch(self, stage: str, watcher: Watcher) -> Callable[[], None]:
        """
        Keeps *watcher* in `watchers` under the name of *stage*, if a test put that there.

        Raises:
            LookupError: If it did not.
        """
        if stage not in self.watchers:
            raise LookupError(f"there is no stage {stage}: {', '.join(self.watchers)}")
        self.watchers[stage].append(watcher)
        return lambda: self.watchers[stage].remove(watcher)

    async def ask_workers(self, question: Mapping[str, Any]) -> Mapping[int, Any] | None:
        """What `workers` of the test answers; without it there are none."""
        return None if self.workers is None else self.workers(question)

    def joining(self, name: str, kind: str) -> Join | None:
        """`None`: there is one process."""
        del name, kind
        return None

    def extension(self, component_id: ComponentId) -> Extension:
        """
        An extension that the test put in.

        Raises:
            ConfigError: If there is none.
        """
        try:
            return self.extensions[component_id]
        except KeyError as error:
            raise ConfigError(f"no extension {component_id}") from error

    @property
    def state(self) -> State | None:
        """The state reported last, `None` before the first report."""
        return self.reported[-1].state if self.reported else None


def make_settings(
    component_id: str = "test",
    *,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    host: FakeHost | None = None,
    pipeline: str = "",
    listeners: Mapping[Signal, PartitionListener] | None = None,
) -> Settings:
    """
    Settings with a recording metrics object and a host that keeps the reported statuses.

    Read them back as ``settings.metrics.value(...)`` and ``settings.host.reported``.
    """
    host = host or FakeHost()
    return Settings(
        id=ComponentId.parse(component_id),
        clock=clock or SystemClock(),
        metrics=metrics or RecordingMetrics(),
        report=host.reported.append,
        host=host,
        pipeline=pipeline,
        listeners=listeners or {},
    )


def otlp_origin(clock: Clock, seconds: float = 5.0) -> Origin:
    """The origin of a request whose sender waits *seconds*."""
    return Origin("otlp", Deadline.after(seconds, clock))
