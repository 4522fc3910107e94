"""Where to begin with a partition that was just assigned. Pure."""

from dataclasses import dataclass
from typing import Literal

from bridge.flow import Run, decode_islands
from bridge.kafka.consumer import Committed

InitialOffset = Literal["earliest", "latest"]


@dataclass(frozen=True, slots=True)
class Beginning:
    """
    The offset to read from, and what an earlier owner finished beyond it.

    `lost_records` is how many offsets the log no longer holds although the group had not finished
    them; `islands_refused` says why the commit's metadata was not used, empty if there was none.
    `reset` is set if the committed offset lies beyond the log.
    """

    start: int
    islands: tuple[Run, ...] = ()
    lost_records: int = 0
    islands_refused: str = ""
    reset: bool = False


def choose_beginning(
    committed: Committed | None,
    begin: int,
    end: int,
    initial: InitialOffset,
    *,
    use_islands: bool = True,
) -> Beginning:
    """
    Decide where to begin.

    Args:
        committed:
            What the group committed, if anything.
        begin, end:
            The log's first offset, and the one after its last.
        initial:
            Where a group begins that has committed nothing.
    """
    if committed is None:
        return Beginning(begin if initial == "earliest" else end)
    if committed.offset > end:
        # The topic was created anew, or its log was cut back. Whatever is there now is unread.
        return Beginning(begin, reset=True)
    lost = max(0, begin - committed.offset)
    start = max(begin, committed.offset)
    if not use_islands or not committed.metadata:
        return Beginning(start, lost_records=lost)
    try:
        islands = decode_islands(committed.metadata, committed.offset, end)
    except ValueError as error:
        return Beginning(start, lost_records=lost, islands_refused=str(error))
    # What was finished before it expired is not lost.
    lost -= sum(max(0, min(stop, begin) - first) for first, stop in islands)
    kept = tuple((max(first, start), stop) for first, stop in islands if stop > start)
    return Beginning(start, kept, lost)
