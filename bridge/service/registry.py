"""Components by kind and type, found by entry point and imported only when they are asked for."""

from collections.abc import Mapping
from functools import cached_property
from typing import cast

from bridge.core import InstalledEntry, installed_entries
from bridge.core.contracts import (
    AnyFactory,
    ExporterFactory,
    ExtensionFactory,
    ProcessorFactory,
    ReceiverFactory,
)

KINDS: Mapping[str, type] = {
    "receivers": ReceiverFactory,
    "processors": ProcessorFactory,
    "exporters": ExporterFactory,
    "extensions": ExtensionFactory,
}
"""The kinds of component, as the sections of a config spell them, and the factory each needs."""

_GROUPS = "otlp_bridge."


class Registry:
    """
    What is installed: our own components and those of any distribution with the entry points
    ``otlp_bridge.receivers``, ``.processors``, ``.exporters`` or ``.extensions``.
    """

    @cached_property
    def _entries(self) -> dict[str, dict[str, InstalledEntry]]:
        found: dict[str, dict[str, InstalledEntry]] = {kind: {} for kind in KINDS}
        for entry in installed_entries(_GROUPS):
            found.get(entry.group.removeprefix(_GROUPS), {})[entry.name] = entry
        return found

    def types(self, kind: str) -> list[str]:
        """The type names of *kind*, aliases included, sorted. Imports nothing."""
        return sorted(self._entries[kind])

    def factory(self, kind: str, type_name: str) -> AnyFactory:
        """
        Import and return one factory.

        Raises:
            KeyError: If no distribution has that type.
            TypeError: If the entry point names something else than a factory of its kind.
        """
        factory = self._entries[kind][type_name].load()
        if not isinstance(factory, KINDS[kind]):
            raise TypeError(
                f"entry point otlp_bridge.{kind}: {type_name} names a {type(factory).__name__}, "
                f"not a {KINDS[kind].__name__}"
            )
        return cast(AnyFactory, factory)
