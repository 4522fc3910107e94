"""What the running service tells its extensions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from bridge.core import ComponentId, ConfigError, Extension, Status, View
from bridge.service.status_book import StatusBook


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
            Ids of the components of each pipeline.
    """

    def __init__(
        self,
        book: StatusBook,
        view: Callable[[], View] | None = None,
        others: Callable[[], Awaitable[Sequence[View]]] | None = None,
        pipelines: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    ) -> None:
        self._book = book
        self._view = view
        self._others = others
        self._pipelines = pipelines or {}
        self.started = False
        self.draining = False
        self.extensions: dict[ComponentId, Extension] = {}

    def statuses(self) -> Mapping[str, Status]:
        """The worst current status of each component, by ``kind/id``."""
        return {name: entry.status for name, entry in self._book.worst().items()}

    def live(self) -> bool:
        """Whether nothing fatal happened. That this can be asked shows that the loop turns."""
        return not self._book.fatal

    def ready(self) -> bool:
        """Whether every component is OK and the service is not draining."""
        return self.started and not self.draining and self._book.all_ok

    def pipelines(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """Ids of the ``receivers``, ``processors`` and ``exporters`` of each pipeline."""
        return self._pipelines

    async def views(self) -> Sequence[View]:
        """What this process shows, and then each of its workers that answers."""
        own = [] if self._view is None else [self._view()]
        return own if self._others is None else [*own, *await self._others()]

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
