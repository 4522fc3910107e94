"""
Watching the batches that enter a stage of the running service.

While nobody watches there is nothing in the way: a watched stage gets a `deliver` of its own, which
is taken off again. Whoever delivers asks the stage for `deliver` each time, so the exchange works
in the middle of traffic. It changes neither the answer nor who waits for it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from bridge.core import Batch, Receipt, Stage, Watcher
from bridge.service.assembly import Assembly

log = structlog.get_logger()


class Taps:
    """
    The stages of one service by name, and who watches them.

    Args:
        assembly: Gives what runs now.
    """

    def __init__(self, assembly: Callable[[], Assembly]) -> None:
        self._assembly = assembly
        # What changes: the watched stages, by their identity.
        self._watched: dict[int, _Watched] = {}

    def stages(self) -> list[str]:
        """
        What can be watched: ``receivers/ID``, ``processors/ID@PIPELINE``, ``exporters/ID``.

        Of a receiver it is what it hands on.
        """
        return list(_stages(self._assembly()))

    def watch(self, stage: str, watcher: Watcher) -> Callable[[], None]:
        """
        Tell *watcher* of every batch that enters *stage*, until the returned function is called.

        A stage that a reload replaces is watched no longer.

        Args:
            stage: A name as `stages` gives it; without its kind or its pipeline if it is clear.

        Raises:
            LookupError: If there is no such stage, or several kinds have one; names them.
        """
        named = _stages(self._assembly())
        chosen = _chosen(stage, named)
        entries: list[tuple[_Watched, tuple[str, Watcher]]] = []
        for name in chosen:
            for one in named[name]:
                watched = self._watched.get(id(one))
                if watched is None:
                    watched = self._watched[id(one)] = _Watched(one)
                entries.append((watched, watched.add(name, watcher)))

        def end() -> None:
            for watched, entry in entries:
                watched.remove(entry)
                if not watched.watchers:
                    self._watched.pop(id(watched.stage), None)
            entries.clear()

        return end


def _stages(assembly: Assembly) -> Mapping[str, list[Stage]]:
    found: dict[str, list[Stage]] = {}
    for name, heads in assembly.heads.items():
        # One stage may take several signals of a receiver.
        found[name] = list({id(one): one for one in _firsts(heads.values())}.values())
    for part in (*assembly.processors, *assembly.exporters):
        stage: Any = part.component
        found.setdefault(part.name, []).append(stage)
    return found


def _firsts(heads: Iterable[Any]) -> Iterable[Stage]:
    for head in heads:
        yield head.switch or head.stage


def _chosen(stage: str, named: Mapping[str, list[Stage]]) -> list[str]:
    if stage in named:
        return [stage]
    found = [
        name
        for name in named
        if stage in (name.partition("@")[0], name.partition("/")[2], _id_of(name))
    ]
    kinds = {name.partition("/")[0] for name in found}
    if len(kinds) == 1:
        return found
    listed = ", ".join(found or named)
    raise LookupError(
        f"{stage} is several stages: {listed}" if found else f"there is no stage {stage}: {listed}"
    )


def _id_of(name: str) -> str:
    return name.partition("/")[2].partition("@")[0]


class _Watched:
    """A stage whose `deliver` is ours for as long as somebody watches."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.watchers: list[tuple[str, Watcher]] = []
        self._deliver = stage.deliver
        vars(stage)["deliver"] = self.deliver
        if hasattr(stage, "begin_delivery"):
            # Its answer "not touched" sends whoever asks to `deliver`.
            vars(stage)["begin_delivery"] = lambda batch, settle: None

    def add(self, name: str, watcher: Watcher) -> tuple[str, Watcher]:
        entry = (name, watcher)
        self.watchers.append(entry)
        return entry

    def remove(self, entry: tuple[str, Watcher]) -> None:
        self.watchers = [one for one in self.watchers if one is not entry]
        if not self.watchers:
            vars(self.stage).pop("deliver", None)
            vars(self.stage).pop("begin_delivery", None)

    async def deliver(self, batch: Batch) -> Receipt:
        """As the stage, with the watchers told before and after."""
        tokens = [(entry, self._tell(entry, batch)) for entry in self.watchers]
        error: BaseException | None = None
        try:
            return await self._deliver(batch)
        except BaseException as raised:
            error = raised
            raise
        finally:
            for entry, token in tokens:
                if any(one is entry for one in self.watchers):
                    self._tell_end(entry, token, error)

    def _tell(self, entry: tuple[str, Watcher], batch: Batch) -> object:
        name, watcher = entry
        try:
            return watcher.entered(name, batch)
        except Exception:
            log.exception("tap_failed", stage=name)
            self.remove(entry)
            return None

    def _tell_end(
        self, entry: tuple[str, Watcher], token: object, error: BaseException | None
    ) -> None:
        try:
            entry[1].left(token, error)
        except Exception:
            log.exception("tap_failed", stage=entry[0])
            self.remove(entry)
