"""Noticing that another member has our `group_instance_id`."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from aiokafka.errors import KafkaError

from bridge.core import Denied

EVICTIONS_MAX: Final = 3
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
    Counts how often the group forgot us.

    Brokers give a name to whoever came last, and the one before hears only that it is unknown: it
    comes again, and throws out the other. The client knows no more than that either.
    """

    def __init__(self, coordinator: Any, now_s: Callable[[], float] = time.monotonic) -> None:
        """Look over the shoulder of aiokafka's *coordinator*."""
        self._now_s = now_s
        # What changes: when we were forgotten last.
        self._times: deque[float] = deque(maxlen=EVICTIONS_MAX)
        forget = coordinator.reset_generation

        def reset_generation() -> None:
            # Heartbeats and commits hear of the same eviction, each for itself.
            if coordinator.member_id:
                self._times.append(self._now_s())
            if self.too_many:
                # With its old name the coordinator cannot join, and throw the other out, again.
                raise KafkaError("another member has our group_instance_id")
            forget()

        coordinator.reset_generation = reset_generation

    @property
    def too_many(self) -> bool:
        """Whether we have a twin."""
        times = self._times
        return len(times) == EVICTIONS_MAX and times[-1] - times[0] < EVICTIONS_PER_S


def twin_of(instance_id: str, group: str) -> Denied:
    """What is wrong, and how it is mended."""
    return Denied(
        f"another member of group {group} has the group_instance_id {instance_id}: each throws the "
        f"other out, so this one keeps away for {TWIN_REST_S:.0f} s",
        hint="give every member a group_instance_id of its own, such as ${env:POD_NAME}, or none",
    )
