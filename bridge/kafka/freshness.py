"""How old the newest word about the end of a partition's log is."""

import time
from collections.abc import Callable
from typing import Any

from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition


class Freshness:
    """
    When the last answer about each partition was asked for.

    aiokafka stamps an answer when it gets to it. A process that stood still, stopped or starved of
    CPU, would take an answer of before for one of now, hold the log for read to its end, and let
    the wall decide traces whose other half has been in it all the while. What was in the log when
    the answer was asked for is all that it proves.

    Args:
        position:
            The offset that is fetched next: answers about another one are thrown away.
        now:
            Seconds on a clock that does not jump.
    """

    def __init__(
        self,
        position: Callable[[TopicPartition], int | None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._position = position
        self._now = now
        # What changes: seconds at which the newest answer was asked for.
        self._asked_s: dict[TopicPartition, float] = {}

    def listen(self, client: Any) -> None:
        """Note from now on what *client* asks and hears; once for each client."""
        send = client.send

        async def send_noted(node_id: int, request: Any, **more: Any) -> Any:
            asked_s = self._now()
            answer = await send(node_id, request, **more)
            # Nothing else runs between this and what aiokafka makes of the answer.
            if isinstance(request, FetchRequest):
                self._note(request, asked_s)
            return answer

        client.send = send_noted

    def age_s(self, partition: TopicPartition) -> float:
        """Seconds since the newest answer was asked for; infinite if there was none."""
        asked_s = self._asked_s.get(partition)
        return float("inf") if asked_s is None else self._now() - asked_s

    def _note(self, request: FetchRequest, asked_s: float) -> None:
        for topic, partitions in request.topics:
            for number, offset, *_ in partitions:
                partition = TopicPartition(topic, number)
                if self._position(partition) == offset:
                    self._asked_s[partition] = asked_s
