"""Noticing that another member has our `group_instance_id`."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from aiokafka.errors import KafkaError

from bridge.core import Denied

EVICTIONS_MAX: Final = 3
EVICTIONS_SETTLED_MAX: Final = 5
"""
The same for who had the name in peace before: of twins, the one that came to a name that was taken
is to give it up, and the one that works goes on.
"""

SETTLED_HEARTBEATS: Final = 3.5
"""
Who was not forgotten for so many heartbeats after it joined had the name in peace: its twin, had it
been there, would have come again within one, and its own next heartbeat would have told it.
"""

EVICTIONS_PER_S: Final = 60.0
"""
A static member that the group forgot so often within a minute has a twin: by itself a group forgets
one only when it was silent for a whole session timeout, of 6 s at least.
"""

TWIN_REST_S: Final = 300.0
"""
Seconds for which the twin that noticed it first keeps away. Each return throws the other one out a
few times, and what was in flight there comes again.
"""


class Evictions:
    """
    Counts how often the group forgot us, since we joined it.

    Brokers give a name to whoever came last, and the one before hears only that it is unknown: it
    comes again, and throws out the other. The client knows no more than that either.
    """

    def __init__(self, coordinator: Any, now_s: Callable[[], float] = time.monotonic) -> None:
        """Look over the shoulder of aiokafka's *coordinator*."""
        self._now_s = now_s
        self._joined_at_s = now_s()
        self._settled_s = SETTLED_HEARTBEATS * coordinator._heartbeat_interval_ms / 1000
        # What changes: when we were forgotten last, and how often is too often.
        self._times: deque[float] = deque(maxlen=EVICTIONS_SETTLED_MAX)
        self._times_max = EVICTIONS_MAX
        forget = coordinator.reset_generation

        def reset_generation() -> None:
            # Heartbeats and commits hear of the same eviction, each for itself.
            if coordinator.member_id:
                self._count(self._now_s())
            if self.too_many:
                # With its old name the coordinator cannot join, and throw the other out, again.
                raise KafkaError("another member has our group_instance_id")
            forget()

        coordinator.reset_generation = reset_generation

    @property
    def too_many(self) -> bool:
        """Whether we have a twin, and are the one to keep away."""
        times = self._times
        if len(times) < self._times_max:
            return False
        return times[-1] - times[-self._times_max] < EVICTIONS_PER_S

    def _count(self, now_s: float) -> None:
        if not self._times and now_s - self._joined_at_s > self._settled_s:
            self._times_max = EVICTIONS_SETTLED_MAX
        self._times.append(now_s)


def twin_of(instance_id: str, group: str) -> Denied:
    """What is wrong, and how it is mended."""
    return Denied(
        f"another member of group {group} has the group_instance_id {instance_id}: each throws the "
        f"other out, so this one keeps away for {TWIN_REST_S:.0f} s",
        hint="give every member a group_instance_id of its own, such as ${env:POD_NAME}, or none",
    )
