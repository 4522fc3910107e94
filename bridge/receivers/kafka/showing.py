"""What the status page shows of a Kafka receiver beyond figures. Pure."""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from bridge.core import Permanent
from bridge.flow import Lane, ReadRecord

LETTERS_MAX = 20
"""Dead letters that are kept to be shown, the newest."""

PREVIEW_BYTES_MAX = 200
_ERROR_CHARS_MAX = 300


class Showing:
    """
    The assigned partitions and the last dead letters of one receiver.

    `failing` holds the last error of each lane that is being tried again.
    """

    def __init__(self) -> None:
        # What changes: lanes that are open, what fails in them, and what was set aside.
        self.lanes: dict[Lane, None] = {}
        self.failing: dict[Lane, str] = {}
        self._letters: deque[dict[str, Any]] = deque(maxlen=LETTERS_MAX)
        self._reasons: Counter[str] = Counter()

    def opened(self, lane: Lane) -> None:
        """Show *lane* from now on."""
        self.lanes[lane] = None

    def closed(self, lane: Lane) -> None:
        """Show *lane* no more."""
        self.lanes.pop(lane, None)
        self.failing.pop(lane, None)

    def failed(self, lane: Lane, error: Exception) -> None:
        """A delivery failed and will be tried again."""
        self.failing[lane] = str(error)[:_ERROR_CHARS_MAX]

    def succeeded(self, lane: Lane) -> None:
        """A delivery of *lane* arrived."""
        self.failing.pop(lane, None)

    def dead_lettered(self, lane: Lane, entry: ReadRecord, error: Permanent, at_s: float) -> None:
        """A record went to the dead letters, *at_s* seconds since the epoch."""
        reason = type(error).__name__
        self._reasons[reason] += 1
        self._letters.append(
            {
                "at_s": round(at_s, 3),
                "topic": lane.topic,
                "partition": lane.partition,
                "offset": entry.offset,
                "reason": reason,
                "error": str(error)[:_ERROR_CHARS_MAX],
                "preview": preview(entry.record.value or b""),
            }
        )

    def details(self) -> dict[str, Any]:
        """As JSON has it: partitions with their state, dead letters by reason and the newest."""
        lanes = sorted(self.lanes, key=lambda lane: (lane.topic, lane.partition))
        return {
            "partitions": [
                {
                    "topic": lane.topic,
                    "partition": lane.partition,
                    **state_of(lane, self.failing.get(lane, "")),
                }
                for lane in lanes
            ],
            "dead_letters": {"by_reason": dict(self._reasons), "latest": list(self._letters)},
        }


def state_of(lane: Lane, error: str = "") -> dict[str, Any]:
    """
    ``state`` and ``reason`` of *lane*, with the ``offset`` at which it holds.

    Args:
        error: The last error of a delivery that is being tried again.
    """
    committed = {"committed_offset": lane.book.committed}
    if lane.stuck:
        offset = min(lane.stuck)
        return {"state": "holding", "offset": offset, "reason": lane.stuck[offset], **committed}
    if lane.draining:
        return {"state": "draining", "reason": "the partition goes to another member", **committed}
    if error:
        return {"state": "retrying", "reason": error, **committed}
    if lane.should_pause() or lane.paused:
        return {"state": "paused", "reason": _why_paused(lane), **committed}
    state = "idle" if lane.caught_up() and not lane.book.unfinished else "flowing"
    return {"state": state, "reason": "", **committed}


def preview(value: bytes) -> str:
    """The beginning of a record, with a dot for each byte that is no printable ASCII."""
    begin = value[:PREVIEW_BYTES_MAX]
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in begin)
    return shown + ("..." if len(value) > PREVIEW_BYTES_MAX else "")


def _why_paused(lane: Lane) -> str:
    limits, batches = lane.limits, _in_delivery(lane.started)
    if lane.window_bytes * 2 > limits.window_bytes_max:
        return (
            f"{lane.window_bytes:,} bytes are unfinished of {limits.window_bytes_max:,} "
            "(max_in_flight_mib): the stages behind take less than Kafka gives"
        )
    return (
        f"{batches} batches are in delivery of {limits.batches_max} (max_in_flight_batches): the "
        "stages behind take less than Kafka gives"
    )


def _in_delivery(chunks: Iterable[Any]) -> int:
    return sum(1 for chunk in chunks if not chunk.is_held)
