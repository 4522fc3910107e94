"""What became of each trace that was sent, and what that says of the whole. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

HOPS = ("answered", "readable", "delivered", "committed")
"""In the order in which a trace passes them; whether it was delivered is not always known."""


@dataclass(slots=True)
class TraceReceipt:
    """
    One trace. Latencies are seconds since its request was sent, `None` while it did not happen.

    `places` are the partitions and offsets of its records. `refused` is why the bridge did not
    take it; *permanent* whether it never will.
    """

    trace_id: bytes
    sent_s: float
    answered_s: float | None = None
    readable_s: float | None = None
    committed_s: float | None = None
    delivered_s: float | None = None
    places: list[tuple[int, int]] = field(default_factory=list)
    refused: str = ""
    permanent: bool = False

    @property
    def split(self) -> bool:
        """Whether its spans are on more than one partition."""
        return len({partition for partition, _ in self.places}) > 1

    def latency_s(self, hop: str) -> float | None:
        """Seconds to one of `HOPS`."""
        found: float | None = getattr(self, f"{hop}_s")
        return found


@dataclass(frozen=True, slots=True)
class HopSummary:
    """How many traces passed a hop, and how long that took from the sending, in seconds."""

    hop: str
    traces: int
    least_s: float = 0.0
    median_s: float = 0.0
    p95_s: float = 0.0
    most_s: float = 0.0

    @property
    def times_s(self) -> tuple[float, float, float, float]:
        """The four times, ascending."""
        return self.least_s, self.median_s, self.p95_s, self.most_s


def summarize(receipts: Sequence[TraceReceipt], hops: Iterable[str]) -> list[HopSummary]:
    """One line for each hop that was looked at."""
    found = []
    for hop in hops:
        times = sorted(time for receipt in receipts if (time := receipt.latency_s(hop)) is not None)
        if times:
            found.append(
                HopSummary(hop, len(times), times[0], _at(times, 0.5), _at(times, 0.95), times[-1])
            )
        else:
            found.append(HopSummary(hop, 0))
    return found


def by_partition(receipts: Iterable[TraceReceipt]) -> Mapping[int, tuple[int, int, int]]:
    """Of each partition: how many traces, and the first and the last offset of their records."""
    found: dict[int, list[int]] = {}
    traces: dict[int, int] = {}
    for receipt in receipts:
        for partition in {partition for partition, _ in receipt.places}:
            traces[partition] = traces.get(partition, 0) + 1
        for partition, offset in receipt.places:
            found.setdefault(partition, []).append(offset)
    return {
        partition: (traces[partition], min(offsets), max(offsets))
        for partition, offsets in sorted(found.items())
    }


def faults(receipts: Sequence[TraceReceipt], hops: Iterable[str]) -> list[str]:
    """What is wrong, in sentences; empty if every trace passed every hop, whole."""
    told = []
    refused: dict[str, int] = {}
    for receipt in receipts:
        if receipt.refused:
            refused[receipt.refused] = refused.get(receipt.refused, 0) + 1
    told += [f"{count} refused: {reason}" for reason, count in refused.items()]
    previous = [receipt for receipt in receipts if not receipt.refused]
    words = {
        "answered": "not answered in time",
        "readable": "answered and not readable in the topic in time",
        "committed": "readable and not committed by the group in time",
    }
    for hop in hops:
        if hop not in words:
            continue  # What a rule drops is not delivered, and nothing is wrong with it.
        passed = [receipt for receipt in previous if receipt.latency_s(hop) is not None]
        if len(passed) < len(previous):
            told.append(f"{len(previous) - len(passed)} {words[hop]}")
        previous = passed
    split = sum(receipt.split for receipt in receipts)
    if split:
        told.append(f"{split} split: their spans are on several partitions")
    return told


def _at(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))]
