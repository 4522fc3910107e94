"""Who is well: the latest status of every component, and what follows from all of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from bridge.core import State, Status

log = structlog.get_logger()

_SEVERITY = {
    State.OK: 0,
    State.STOPPED: 1,
    State.STOPPING: 2,
    State.STARTING: 3,
    State.RECOVERABLE: 4,
    State.PERMANENT: 5,
    State.FATAL: 6,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A status and since when (seconds since the epoch) it is so."""

    status: Status
    since_s: float


Pages = Mapping[str, dict[str, Entry]]


class StatusBook:
    """The statuses of all components of one service, by ``kind/id`` and subject."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._entries: dict[str, dict[str, Entry]] = {}

    def reporter(self, component: str) -> Callable[[Status], None]:
        """The function by which *component* (``kind/id``) reports; it counts as starting."""
        entries = {"": Entry(Status(State.STARTING), self._wall())}
        self._entries[component] = entries
        # A late word of a component that was replaced goes to its own, which nobody reads.
        return lambda status: self._record(component, entries, status)

    def forget(self, component: str) -> None:
        """Drop a component that is no more."""
        self._entries.pop(component, None)

    def pages(self) -> Pages:
        """What the book holds now, to `restore` it."""
        return dict(self._entries)

    def restore(self, pages: Pages) -> None:
        """Hold the components again that *pages* were taken of, as they are by now."""
        self._entries = dict(pages)

    def worst(self) -> dict[str, Entry]:
        """The worst current status of each component."""
        return {
            name: max(entries.values(), key=lambda entry: _SEVERITY[entry.status.state])
            for name, entries in self._entries.items()
        }

    def troubles(self) -> dict[str, list[Entry]]:
        """Every status that is not OK, by component."""
        found = {
            name: [entry for entry in entries.values() if not entry.status.state.ready]
            for name, entries in self._entries.items()
        }
        return {name: entries for name, entries in found.items() if entries}

    @property
    def all_ok(self) -> bool:
        """Whether no component has trouble to report that impedes readiness."""
        return not any(
            entry.status.impedes_readiness
            for entries in self.troubles().values()
            for entry in entries
        )

    @property
    def fatal(self) -> bool:
        """Whether some component can never work again in this process."""
        return any(
            entry.status.state is State.FATAL
            for entries in self._entries.values()
            for entry in entries.values()
        )

    def _record(self, component: str, entries: dict[str, Entry], status: Status) -> None:
        known = entries.get(status.subject)
        if known is not None and known.status == status:
            return
        if status.subject and status.state.ready:
            # A subject that is well again is no news to keep: partitions come and go.
            entries.pop(status.subject, None)
        else:
            entries[status.subject] = Entry(status, self._wall())
        _log_change(component, known, status)


def _log_change(component: str, known: Entry | None, status: Status) -> None:
    was = known.status.state if known else State.OK
    told = {"subject": status.subject, "reason": status.reason, "hint": status.hint}
    details = {"component": component, "state": status.state.value} | {
        key: value for key, value in told.items() if value
    }
    if status.state in (State.FATAL, State.PERMANENT):
        log.error("component_failed", **details)
    elif status.state is State.RECOVERABLE:
        log.warning("component_impaired", **details)
    elif status.state is State.OK and was in (State.RECOVERABLE, State.PERMANENT):
        log.info("component_recovered", **details)
    else:
        log.debug("component_state", **details)
