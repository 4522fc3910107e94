"""
The roles that a pipeline is made of.

Data moves by one verb, `Stage.deliver`. Components are started sinks first and stopped sources
first. A stage is built by the factory that an entry point names; `bridge/service` wires them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from bridge.core.batch import Batch, Receipt
from bridge.core.clock import Clock, Deadline
from bridge.core.component_id import ComponentId
from bridge.core.errors import DeliveryError
from bridge.core.metrics import Metrics
from bridge.core.origin import Custody
from bridge.core.ports import Join
from bridge.core.signal import Signal
from bridge.core.status import Status
from bridge.core.view import View
from bridge.core.watching import Watcher


class Stage(Protocol):
    """Anything that takes batches."""

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Take custody of *batch*; the return is the acknowledgement.

        Nobody answers early: a return means that the data is safe further on, or was dropped by a
        rule that a counter names. May be called concurrently; keeps no reference to the batch
        after it ended.

        Returns:
            `ACCEPTED`, or a receipt that names items which will never be taken.

        Raises:
            Retryable: Not now. The same batch may be delivered again, at once or later.
            Permanent: Not ever as it is. Nothing of the batch was taken.
            Denied: Not until somebody mends credentials, an ACL or a topic.

        Cancellation:
            The batch may or may not have been taken: treat it as not delivered.

        Source:
            bridge/adr/0001-await-is-the-acknowledgement.md
        """
        ...


Outcome = Receipt | DeliveryError | None
"""How a delivery that `Beginner.begin_delivery` took ended; `None` if it was cancelled."""


class Pending(Protocol):
    """A delivery that has begun."""

    def cancel(self) -> None:
        """Stop waiting: like cancelling `Stage.deliver`. Without effect once it is settled."""
        ...


class _Settled:
    """A delivery that was settled when it began."""

    def cancel(self) -> None:
        """Nothing is left to cancel."""


SETTLED: Pending = _Settled()
"""What `begin_delivery` returns when it has settled the batch before it returned."""


@runtime_checkable
class Beginner(Protocol):
    """
    A stage that can also be delivered to without a task that waits.

    A task, its wake-up and its coroutines cost more than writing a small request. Whoever has a
    stage asks once, by `isinstance`, and falls back to `deliver`.
    """

    @property
    def begins(self) -> bool:
        """Whether `begin_delivery` is worth a call at the moment."""
        ...

    async def deliver(self, batch: Batch) -> Receipt:
        """As `Stage.deliver`."""
        ...

    def begin_delivery(self, batch: Batch, settle: Callable[[Outcome], None]) -> Pending | None:
        """
        Do what `deliver` does, if nothing has to be waited for before the data is under way.

        Args:
            settle:
                Called exactly once with what `deliver` would have returned or raised, or with
                `None` after `cancel`: never before that outcome is certain, and possibly before
                `begin_delivery` returns. It must not raise.

        Returns:
            `None` if the batch was not touched: call `deliver`.

        Raises:
            DeliveryError: What `deliver` would have raised at once; `settle` is not called then.

        Source:
            bridge/adr/0011-begin-without-a-task.md
        """
        ...


class Component(Protocol):
    """The life of anything that `bridge/service` runs."""

    async def start(self) -> None:
        """
        Become able to work. Returns quickly, also when Kafka or a backend is away.

        Trouble that may pass is reported as a status and mended in the background.

        Raises:
            ConfigError: If it can never work as configured: a port in use, an unreadable file.
        """
        ...

    async def stop(self, deadline: Deadline) -> None:
        """
        Finish what was taken, or give up at *deadline*; then hold no task, socket or file.

        Safe before `start`, and safe twice. A receiver takes nothing new from the first moment.
        """
        ...


@runtime_checkable
class PartitionListener(Protocol):
    """
    A stage that keeps Kafka records for long, such as a sampler, and so must know of partitions.

    A processor that has these methods hears of every partition that its pipeline is fed from,
    wherever it stands: `bridge/service` finds it and tells the receiver (`Settings.listeners`).
    """

    @property
    def read_back_s(self) -> float:
        """
        Seconds of record time that are read again when a partition is taken over; 0 for none.

        Records from so long before the first unfinished one come as context (`Origin.context`), and
        so do those beyond it that an earlier owner finished: in the order of their offsets, before
        and among the others. Their `deliver` is answered at once.
        """
        ...

    async def partition_assigned(self, partition: Custody) -> None:
        """
        Prepare for *partition*: nothing of it is read before this returns.

        Bounds its own waiting; raises nothing.

        Cancellation:
            The assignment ended before it began.
        """
        ...

    def partition_frozen(self, partition: Custody) -> None:
        """
        The assignment of *partition* is about to end: pass on nothing of it, keep what is held.

        A batch of it that was not taken yet is refused as `Interrupted`. `partition_resumed` or
        `partition_revoked` follows. Harmless twice.
        """
        ...

    async def wait_partition_quiet(self, partition: Custody) -> None:
        """
        Wait until nothing of a frozen *partition* is under way downstream.

        Not for what is held, nor for what waits for its next attempt.

        Cancellation:
            At the end of the source's patience; what is still under way may be delivered twice.
        """
        ...

    def partition_resumed(self, partition: Custody) -> None:
        """*partition* came back before anybody else could have it: go on as if nothing happened."""
        ...

    def partition_revoked(self, partition: Custody) -> None:
        """
        The assignment of *partition* ended; its batches in flight were cancelled or are done.

        The next owner, which may be this process again with another epoch, reads from the lowest
        unfinished record on. The batches of *partition* carry the same `Custody.assignment`.
        """
        ...


class Receiver(Component, Protocol):
    """A source: it calls `deliver` of the stages it was built with."""


class Processor(Stage, Component, Protocol):
    """A stage in the middle of one pipeline."""


class Exporter(Stage, Component, Protocol):
    """A sink, shared by all pipelines and signals that name it."""


class Extension(Component, Protocol):
    """Something beside the data, such as the health endpoint."""


class Host(Protocol):
    """What an extension may ask of the running service."""

    def pipelines(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """Ids of the ``receivers``, ``processors`` and ``exporters`` of each pipeline."""
        ...

    async def views(self) -> Sequence[View]:
        """
        What the processes of this service show now, one view for each.

        With ``--workers`` they are asked, within seconds; one that does not answer has no view.
        """
        ...

    def statuses(self) -> Mapping[str, Status]:
        """The worst current status of each component, by ``kind/id``."""
        ...

    def live(self) -> bool:
        """Whether the event loop turns and nothing fatal happened."""
        ...

    def ready(self) -> bool:
        """Whether every component is OK and the service is not draining."""
        ...

    def watch(self, stage: str, watcher: Watcher) -> Callable[[], None]:
        """
        Tell *watcher* of every batch that enters *stage*, until the returned function is called.

        Args:
            stage: ``receivers/ID``, ``processors/ID@PIPELINE`` or ``exporters/ID``; of a receiver
                it is what it hands on.

        Raises:
            LookupError: If there is no such stage in this process; names those there are.
        """
        ...

    async def ask_workers(self, question: Mapping[str, Any]) -> Mapping[int, Any] | None:
        """
        What workers answer to *question*, by number, as JSON; `None` if this process has none.

        Bounded in time, as `views`.
        """
        ...

    def joining(self, name: str, kind: str) -> Join | None:
        """
        How the listener *name* spreads its connections over the workers; `None` without any.

        Args:
            kind: What they count as: ``grpc`` or ``http``.
        """
        ...

    def extension(self, component_id: ComponentId) -> Extension:
        """
        Another configured extension, such as an authenticator.

        Raises:
            ConfigError: If none of that id is listed under ``service.extensions``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What the service hands to every factory.

    `pipeline` is the id of the pipeline of a processor and empty otherwise. `report` tells the
    service how the component is; it may be called from the running loop at any time. `listeners`
    is for receivers: who wants to hear of partitions, of each signal with anybody who does.
    """

    id: ComponentId
    clock: Clock
    metrics: Metrics
    report: Callable[[Status], None]
    host: Host
    pipeline: str = ""
    listeners: Mapping[Signal, PartitionListener] = field(default_factory=dict)


class Stability(Enum):
    """How far a component may change, in the Collector's words."""

    DEVELOPMENT = "development"
    ALPHA = "alpha"
    BETA = "beta"
    STABLE = "stable"


ConfigT = TypeVar("ConfigT")

ALL_SIGNALS = frozenset(Signal)


@dataclass(frozen=True, slots=True)
class ReceiverFactory(Generic[ConfigT]):
    """
    A kind of receiver. One instance serves all pipelines that name its id.

    `create` gets the validated config and, for each signal that some pipeline wants, the stage to
    deliver to.

    `rewirable` says that the stages behind a running receiver may be exchanged when the config is
    read anew: it keeps nothing of a batch once `deliver` has ended, and looks at nothing of a
    stage but `deliver`. Others are stopped and built again when a pipeline behind them changes.
    """

    type_name: str
    config: type[ConfigT]
    create: Callable[[ConfigT, Settings, Mapping[Signal, Stage]], Receiver]
    signals: frozenset[Signal] = ALL_SIGNALS
    stability: Stability = Stability.BETA
    aliases: tuple[str, ...] = ()
    rewirable: bool = False


@dataclass(frozen=True, slots=True)
class ProcessorFactory(Generic[ConfigT]):
    """
    A kind of processor. One instance for each pipeline that names its id.

    `create` gets the validated config, the pipeline's signal and the stage behind it.
    """

    type_name: str
    config: type[ConfigT]
    create: Callable[[ConfigT, Settings, Signal, Stage], Processor]
    signals: frozenset[Signal] = ALL_SIGNALS
    stability: Stability = Stability.BETA
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExporterFactory(Generic[ConfigT]):
    """
    A kind of exporter. One instance serves all pipelines that name its id.

    `create` gets the validated config and the signals that some pipeline sends to it.
    """

    type_name: str
    config: type[ConfigT]
    create: Callable[[ConfigT, Settings, frozenset[Signal]], Exporter]
    signals: frozenset[Signal] = ALL_SIGNALS
    stability: Stability = Stability.BETA
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtensionFactory(Generic[ConfigT]):
    """A kind of extension."""

    type_name: str
    config: type[ConfigT]
    create: Callable[[ConfigT, Settings], Extension]
    stability: Stability = Stability.BETA
    aliases: tuple[str, ...] = ()


AnyFactory = (
    ReceiverFactory[Any] | ProcessorFactory[Any] | ExporterFactory[Any] | ExtensionFactory[Any]
)
