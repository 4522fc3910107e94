"""The outcomes of a comparison on disk: each run is kept as soon as it has ended."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lab
from compare_plan import Row


class Book:
    """
    Outcomes by row, subject and repeat; what is there already is not run again.

    Outcomes of another commit are kept apart: a comparison is of one state of this project.
    """

    def __init__(self, name: str, *, fresh: bool) -> None:
        lab.RESULTS.mkdir(exist_ok=True)
        self.path = lab.RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{name}.json"
        self._data: dict[str, Any] = {"machine": lab.machine(), "runs": {}, "failures": []}
        if self.path.exists() and not fresh:
            found = json.loads(self.path.read_text())
            if found["machine"]["commit"] == self._data["machine"]["commit"]:
                self._data = found

    @property
    def machine(self) -> dict[str, str]:
        """Where and of what it was made."""
        machine: dict[str, str] = self._data["machine"]
        return machine

    @property
    def failures(self) -> list[str]:
        """Runs that have no figure, and why."""
        failures: list[str] = self._data["failures"]
        return failures

    def has(self, row: Row, subject: str, repeat: int) -> bool:
        """Whether that run is in the book."""
        return str(repeat) in self._of(row, subject)

    def add(self, row: Row, subject: str, repeat: int, outcome: dict[str, float]) -> None:
        """Enter a run."""
        self._of(row, subject)[str(repeat)] = outcome
        self._write()

    def fail(self, what: str) -> None:
        """Enter a run that has no figure."""
        self._data["failures"].append(what)
        self._write()

    def values(self, row: Row, subject: str, key: str) -> dict[int, float]:
        """One figure of all repeats."""
        runs = self._of(row, subject)
        return {int(repeat): found[key] for repeat, found in runs.items() if key in found}

    def _of(self, row: Row, subject: str) -> dict[str, dict[str, float]]:
        key = f"{row.leg} {row.name} {subject}"
        runs: dict[str, dict[str, float]] = self._data["runs"].setdefault(key, {})
        return runs

    def _write(self) -> None:
        part = Path(f"{self.path}.part")
        part.write_text(json.dumps(self._data, indent=1) + "\n")
        part.replace(self.path)
