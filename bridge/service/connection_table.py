"""How many connections each worker serves, in memory that all of them see."""

from collections.abc import Iterator
from typing import Final

ABSENT: Final = -1
KINDS: Final = ("grpc", "http")
"""What is counted apart: a connection of one is no burden like that of another."""

_WORD_BYTES: Final = 8


class ConnectionTable:
    """
    Counts of all workers, each written by one of them alone, so that no lock is needed.

    A connection under way from one to another counts for the one that it goes to: what was handed,
    less what was received, both counted since the beginning of the table.

    Args:
        memory: Of `table_bytes(workers)`, zeroed when it is new.
    """

    def __init__(self, memory: memoryview, workers: int) -> None:
        self._words = memory.cast("q")
        self._workers = workers

    def close(self) -> None:
        """Let go of the memory."""
        self._words.release()

    def serve(self, kind: str, worker: int, connections: int) -> None:
        """*worker* serves so many."""
        self._words[self._served(kind, worker)] = connections

    def leave(self, worker: int) -> None:
        """*worker* serves none, and takes none."""
        for kind in KINDS:
            self.serve(kind, worker, ABSENT)

    def hand(self, kind: str, worker: int, to: int) -> None:
        """*worker* sent one to the worker *to*."""
        self._words[self._handed(kind, worker, to)] += 1

    def receive(self, kind: str, worker: int, sender: int) -> None:
        """*worker* got one from the worker *sender*."""
        self._words[self._received(kind, worker, sender)] += 1

    def load(self, kind: str, worker: int) -> int:
        """What *worker* serves and is about to; `ABSENT` if it takes none."""
        served = self._words[self._served(kind, worker)]
        return served if served == ABSENT else served + sum(self._under_way(kind, worker))

    def least(self, kind: str, worker: int) -> int:
        """Whose turn a connection is that came to *worker*: its own unless one has fewer."""
        own = self.load(kind, worker)
        loads = [(self.load(kind, each), each) for each in range(self._workers)]
        fewest, whose = min(((n, each) for n, each in loads if n != ABSENT), default=(own, worker))
        return whose if fewest < own else worker

    def _under_way(self, kind: str, worker: int) -> Iterator[int]:
        for sender in range(self._workers):
            handed = self._words[self._handed(kind, sender, worker)]
            yield max(0, handed - self._words[self._received(kind, worker, sender)])

    def _row(self, kind: str, worker: int) -> int:
        return (KINDS.index(kind) * self._workers + worker) * (1 + 2 * self._workers)

    def _served(self, kind: str, worker: int) -> int:
        return self._row(kind, worker)

    def _handed(self, kind: str, worker: int, to: int) -> int:
        return self._row(kind, worker) + 1 + to

    def _received(self, kind: str, worker: int, sender: int) -> int:
        return self._row(kind, worker) + 1 + self._workers + sender


def table_bytes(workers: int) -> int:
    """Size of a table."""
    return len(KINDS) * workers * (1 + 2 * workers) * _WORD_BYTES
