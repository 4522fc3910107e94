"""What the running service tells its extensions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bridge.core import (
    ComponentId,
    ConfigError,
    ConnectionShare,
    Extension,
    Host,
    Join,
    Status,
    Take,
    View,
    Watcher,
)
from bridge.service.status_book import StatusBook

Ask = Callable[[Mapping[str, Any]], Awaitable[Mapping[int, Any]]]
"""As `Host.ask_workers`."""

Watch = Callable[[str, Watcher], Callable[[], None]]
"""As `Host.watch`."""

Share = Callable[[str, str, Take], ConnectionShare]
"""As `ConnectionSharing.join`."""

Graph = Mapping[str, Mapping[str, Sequence[str]]]
"""Ids of the components of each pipeline, by kind."""


class ServiceHost:
    """
    The `Host` of one service.

    `draining` is set when the stop begins: readiness goes at once, before anything is closed.

    Args:
        view:
            Gives what this process shows.
        others:
            Gives what its workers show, if there are any.
        pipelines:
            Gives the ids of the components of each pipeline.
        watch:
            Has a stage of this process watched, if it has any.
        ask:
            Asks its workers, if there are any.
        share:
            Spreads connections over the workers, if this is one.
    """

    def __init__(
        self,
        book: StatusBook,
        view: Callable[[], View] | None = None,
        others: Callable[[], Awaitable[Sequence[View]]] | None = None,
        pipelines: Callable[[], Graph] = dict,
        watch: Watch | None = None,
        ask: Ask | None = None,
        share: Share | None = None,
    ) -> None:
        self._book = book
        self._view = view
        self._others = others
        self._pipelines = pipelines
        self._watch = watch
        self._ask = ask
        self._share = share
        self.started = False
        self.draining = False
        self.extensions: dict[ComponentId, Extension] = {}
        self.uses: dict[str, set[ComponentId]] = {}
        """The extensions that each part has asked for, by its name."""

    def statuses(self) -> Mapping[str, Status]:
        """The worst current status of each component, by ``kind/id``."""
        return {name: entry.status for name, entry in self._book.worst().items()}

    def live(self) -> bool:
        """Whether nothing fatal happened. That this can be asked shows that the loop turns."""
        return not self._book.fatal

    def ready(self) -> bool:
        """Whether every component is OK and the service is not draining."""
        return self.started and not self.draining and self._book.all_ok

    def pipelines(self) -> Graph:
        """Ids of the ``receivers``, ``processors`` and ``exporters`` of each pipeline."""
        return self._pipelines()

    async def views(self) -> Sequence[View]:
        """What this process shows, and then each of its workers that answers."""
        own = [] if self._view is None else [self._view()]
        return own if self._others is None else [*own, *await self._others()]

    def watch(self, stage: str, watcher: Watcher) -> Callable[[], None]:
        """
        Tell *watcher* of every batch that enters *stage*, until the returned function is called.

        Raises:
            LookupError: If there is no such stage in this process.
        """
        if self._watch is None:
            raise LookupError(
                f"there is no stage {stage} in this process: with --workers they are in the workers"
            )
        return self._watch(stage, watcher)

    async def ask_workers(self, question: Mapping[str, Any]) -> Mapping[int, Any] | None:
        """What each worker answers to *question*; `None` if this process has none."""
        return None if self._ask is None else await self._ask(question)

    def joining(self, name: str, kind: str) -> Join | None:
        """How the listener *name* spreads its connections over the workers; see `Host`."""
        return None if self._share is None else partial(self._share, name, kind)

    def extension(self, component_id: ComponentId) -> Extension:
        """
        Another configured extension.

        Raises:
            ConfigError: If none of that id is listed under ``service.extensions``.
        """
        extension = self.extensions.get(component_id)
        if extension is None:
            listed = ", ".join(map(str, self.extensions)) or "none"
            raise ConfigError(
                f"extension {component_id} is not listed under service.extensions (listed: "
                f"{listed}); add it there"
            )
        return extension

    def seen_by(self, name: str) -> Host:
        """This host as the part *name* sees it, which notes the extensions that it asks for."""
        return _PartHost(self, self.uses.setdefault(name, set()))


class _PartHost:
    def __init__(self, host: ServiceHost, uses: set[ComponentId]) -> None:
        self._uses = uses
        self._host = host
        self.statuses = host.statuses
        self.live = host.live
        self.ready = host.ready
        self.pipelines = host.pipelines
        self.views = host.views
        self.watch = host.watch
        self.ask_workers = host.ask_workers
        self.joining = host.joining

    def extension(self, component_id: ComponentId) -> Extension:
        """As `ServiceHost.extension`."""
        self._uses.add(component_id)
        return self._host.extension(component_id)
