"""What the running service tells its extensions."""

from collections.abc import Mapping

from bridge.core import ComponentId, ConfigError, Extension, Status
from bridge.service.status_book import StatusBook


class ServiceHost:
    """
    The `Host` of one service.

    `draining` is set when the stop begins: readiness goes at once, before anything is closed.
    """

    def __init__(self, book: StatusBook) -> None:
        self._book = book
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
