"""
The table of a run: one row a scenario, written to ``perf/results`` after ``make faults``.

A run of some of the scenarios puts its rows into the page of the same day and leaves the others as
they are, so that a long matrix can be run piece by piece; each row says its own time and seed.
"""

import datetime
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

COLUMNS = (
    *("scenario", "test", "what is done", "result"),
    *("sent", "acknowledged", "delivered", "dead-lettered", "dropped or rejected"),
    *("duplicates", "bound", "commits", "s", "notes", "seed", "UTC"),
)
_HEAD = "| " + " | ".join(COLUMNS) + " |"
_LINE = "|---|---|---|---" + "|--:" * 9 + "|---|--:|---|"
_FIGURES_BEGIN, _SECONDS_AT = 4, 12
_MEANING = """\
Figures are spans. The bound of duplicates is worked out for each run: spans of requests that
clients sent again, plus spans that were delivered and not yet committed when a process was stopped
or lost its partitions, plus spans of requests that the backend took and did not answer. Commits are
the different committed offsets seen by polling every 200 ms; each was compared with what was
unresolved at that moment. Empty figures belong to scenarios that end before anything flows."""
_NOT_HERE = """\
Numbers are those of the fault matrix. Not among them: F24 (addresses that change: needs name
servers of one's own), F38 and F39 (disks that are full or slow: the bridge keeps nothing on disk)
and F43 (CPU starvation: this machine starves by itself). Times are shorter than a real outage's and
stand in the notes; the sessions of members and brokers (6 s) are shortened with them."""


@dataclass
class Row:
    """What one scenario came to."""

    scenario: str
    test: str
    result: str = "not run"
    what: str = ""
    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    dropped: int = 0
    duplicates: int = 0
    bound: int = 0
    commits_seen: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    seed: int = 0
    at: str = ""

    @property
    def line(self) -> str:
        """The row as the page has it."""
        figures = (
            *(self.sent, self.acknowledged, self.delivered, self.dead_lettered, self.dropped),
            *(self.duplicates, self.bound, self.commits_seen),
        )
        cells = (
            *(self.scenario, self.test, _plain(self.what), self.result),
            *(f"{figure:,}" for figure in figures),
            f"{self.seconds:.1f}",
            _plain("; ".join(self.notes)),
            str(self.seed),
            self.at,
        )
        return "| " + " | ".join(cells) + " |"

    @classmethod
    def of_line(cls, line: str) -> "Row":
        """The row of a line of an earlier page."""
        cells = [
            cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")
        ]
        scenario, test, what, result = cells[:_FIGURES_BEGIN]
        figures = [int(cell.replace(",", "")) for cell in cells[_FIGURES_BEGIN:_SECONDS_AT]]
        seconds, notes, seed, at = cells[_SECONDS_AT:]
        kept = [notes] if notes else []
        return cls(scenario, test, result, what, *figures, float(seconds), kept, int(seed), at)


@dataclass
class Table:
    """The rows of a run."""

    seed: int
    rows: dict[str, Row] = field(default_factory=dict)

    def row(self, scenario: str, test: str) -> Row:
        """The row of *test*, made at its first mention."""
        return self.rows.setdefault(test, Row(scenario, test, seed=self.seed, at=f"{_now():%H:%M}"))

    def text(self, earlier: str = "") -> str:
        """The page: these rows, and those of *earlier* that were not run again."""
        known = {row.test: row for row in map(Row.of_line, rows_of(earlier))} | self.rows
        rows = sorted(known.values(), key=lambda row: (_number(row.scenario), row.test))
        good = sum(row.result == "passed" for row in rows)
        head = f"{_now():%Y-%m-%d %H:%M} UTC, {machine()}: {good} of {len(rows)} passed."
        command = (
            "Command: `make faults`; a row again: `FAULTS_SEED=<seed> make faults ARGS='-k NAME'`."
        )
        lines = ["# Faults", "", head, "", command, "", _MEANING, "", _NOT_HERE, "", _HEAD, _LINE]
        return "\n".join([*lines, *(row.line for row in rows)]) + "\n"

    def write(self, folder: Path = ROOT / "perf" / "results") -> Path:
        """Write the page of today, and say where."""
        path = folder / f"{_now().date().isoformat()}-faults.md"
        folder.mkdir(exist_ok=True)
        path.write_text(self.text(path.read_text() if path.exists() else ""))
        return path


def rows_of(page: str) -> list[str]:
    """The lines of an earlier page that are rows of this form of table."""
    _, found, rows = page.partition(f"{_HEAD}\n{_LINE}\n")
    return [line for line in rows.splitlines() if found and line.startswith("| ")]


def _plain(text: str) -> str:
    """What can stand in a cell."""
    return " ".join(text.replace("|", "/").split())


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _number(scenario: str) -> int:
    digits = "".join(c for c in scenario.split(",")[0] if c.isdigit())
    return int(digits or 0)


def machine() -> str:
    """What a table must say of where it was made."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} CPUs ({model}), {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )
