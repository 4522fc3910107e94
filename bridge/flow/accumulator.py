"""
What is joined and when it goes: events in, instructions out, no clock and no waiting.

A group collects parts that may be joined. It goes out as a `Flush` when it is large enough, when
its oldest part has waited long enough, or as soon as nothing of it is under way downstream:
joining is worth waiting for only while the way is taken anyway.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

CallerT = TypeVar("CallerT")


class Reason(Enum):
    """Why a flush goes out."""

    SIZE = "size"
    TIMEOUT = "timeout"
    IDLE = "idle"
    MEMORY = "memory"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Limits:
    """
    When a group goes and how large a flush may be.

    `items` and `body_bytes` send a group that reached them; `items_max` (0 for none) caps a flush;
    `timeout_s` is the longest wait; `pending_bytes_max` bounds what all groups hold together.
    """

    items: int
    items_max: int
    body_bytes: int
    timeout_s: float
    pending_bytes_max: int


@dataclass(slots=True, eq=False)
class Part(Generic[CallerT]):
    """A caller's bytes, or a slice of them when they exceed the cap."""

    caller: CallerT
    body: bytes
    items: int
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Flush(Generic[CallerT]):
    """Parts that go downstream as one batch."""

    key: Hashable
    parts: tuple[Part[CallerT], ...]
    reason: Reason


@dataclass(slots=True)
class _Group(Generic[CallerT]):
    key: Hashable
    # A dictionary keeps the order and lets a cancelled caller's part go in constant time.
    parts: dict[Part[CallerT], None] = field(default_factory=dict)
    items: int = 0
    body_bytes: int = 0
    due_s: float = 0.0
    in_flight: int = 0


class Accumulator(Generic[CallerT]):
    """The groups of one batching stage. Times are seconds on the caller's monotonic clock."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._groups: dict[Hashable, _Group[CallerT]] = {}
        # Groups that may have something to send though nothing of them is under way.
        self._idle: dict[Hashable, None] = {}
        self.pending_bytes = 0

    def __repr__(self) -> str:
        return f"Accumulator({len(self._groups)} groups, {self.pending_bytes} bytes)"

    @property
    def groups(self) -> int:
        """Groups that hold parts or have some under way."""
        return len(self._groups)

    def knows(self, key: Hashable) -> bool:
        """Whether *key* has a group already."""
        return key in self._groups

    def add(self, key: Hashable, parts: list[Part[CallerT]], now_s: float) -> list[Flush[CallerT]]:
        """Take *parts* and give the flushes that are large enough now."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key)
        for part in parts:
            self._put(group, part, now_s)
        if not group.in_flight:
            self._idle[key] = None
        flushes = []
        limits = self._limits
        while group.parts and (
            group.items >= limits.items or group.body_bytes >= limits.body_bytes
        ):
            flushes.append(self._cut(group, Reason.SIZE))
        while self.pending_bytes > limits.pending_bytes_max:
            oldest = min((g for g in self._groups.values() if g.parts), key=lambda g: g.due_s)
            flushes.append(self._cut(oldest, Reason.MEMORY))
        return flushes

    def take_idle(self) -> list[Flush[CallerT]]:
        """The groups of which nothing is under way: waiting would gain them nothing."""
        flushes: list[Flush[CallerT]] = []
        for key in self._idle:
            group = self._groups.get(key)
            if group is not None and not group.in_flight:
                self._empty(group, Reason.IDLE, flushes)
        self._idle.clear()
        return flushes

    def take_due(self, now_s: float) -> list[Flush[CallerT]]:
        """The groups whose oldest part has waited long enough."""
        return self._take(Reason.TIMEOUT, lambda group: group.due_s <= now_s)

    def take_all(self, reason: Reason = Reason.STOP) -> list[Flush[CallerT]]:
        """Everything."""
        return self._take(reason, lambda group: True)

    def finished(self, key: Hashable) -> None:
        """A flush of *key* has its outcome."""
        group = self._groups[key]
        group.in_flight -= 1
        if not group.in_flight and group.parts:
            self._idle[key] = None
        self._forget_empty(group)

    def withdraw(self, key: Hashable, part: Part[CallerT]) -> bool:
        """Take a part back whose caller is gone; False when it is under way already."""
        group = self._groups.get(key)
        if group is None or part not in group.parts:
            return False
        self._drop(group, part)
        self._forget_empty(group)
        return True

    def next_due_s(self) -> float | None:
        """When the first group must go, or `None` when nothing waits."""
        return min((g.due_s for g in self._groups.values() if g.parts), default=None)

    def _take(
        self, reason: Reason, wanted: Callable[[_Group[CallerT]], bool]
    ) -> list[Flush[CallerT]]:
        flushes: list[Flush[CallerT]] = []
        for group in self._groups.values():
            if group.parts and wanted(group):
                self._empty(group, reason, flushes)
        return flushes

    def _empty(self, group: _Group[CallerT], reason: Reason, flushes: list[Flush[CallerT]]) -> None:
        while group.parts:
            flushes.append(self._cut(group, reason))

    def _put(self, group: _Group[CallerT], part: Part[CallerT], now_s: float) -> None:
        if not group.parts:
            group.due_s = now_s + self._limits.timeout_s
        group.parts[part] = None
        group.items += part.items
        group.body_bytes += len(part.body)
        self.pending_bytes += len(part.body)

    def _cut(self, group: _Group[CallerT], reason: Reason) -> Flush[CallerT]:
        """The longest run of parts from the oldest on that keeps the caps; at least one part."""
        limits = self._limits
        chosen: list[Part[CallerT]] = []
        items = body_bytes = 0
        for part in group.parts:
            items += part.items
            body_bytes += len(part.body)
            too_many = limits.items_max and items > limits.items_max
            if chosen and (too_many or body_bytes > limits.body_bytes):
                break
            chosen.append(part)
        for part in chosen:
            self._drop(group, part)
        group.in_flight += 1
        return Flush(group.key, tuple(chosen), reason)

    def _drop(self, group: _Group[CallerT], part: Part[CallerT]) -> None:
        del group.parts[part]
        group.items -= part.items
        group.body_bytes -= len(part.body)
        self.pending_bytes -= len(part.body)

    def _forget_empty(self, group: _Group[CallerT]) -> None:
        if not group.parts and not group.in_flight:
            del self._groups[group.key]
