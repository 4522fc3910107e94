"""The table of a run: one row a scenario, written to ``perf/results`` after ``make faults``."""

import datetime
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

COLUMNS = (
    *("scenario", "test", "result"),
    *("sent", "acknowledged", "delivered", "dead-lettered", "dropped or rejected"),
    *("duplicates", "bound", "commits", "s", "notes"),
)
_HEAD = "| " + " | ".join(COLUMNS) + " |"
_LINE = "|---|---|---" + "|--:" * 9 + "|---|"
_MEANING = """\
Figures are spans. The bound of duplicates is worked out for each run: spans of requests that
clients sent again, plus spans that were delivered and not yet committed when a process was stopped
or lost its partitions, plus spans of requests that the backend took and did not answer. Commits are
the different committed offsets seen by polling every 200 ms; each was compared with what was
unresolved at that moment. Empty figures belong to scenarios that end before anything flows."""


@dataclass
class Row:
    """What one scenario came to."""

    scenario: str
    test: str
    result: str = "not run"
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


@dataclass
class Table:
    """The rows of a run."""

    seed: int
    rows: dict[str, Row] = field(default_factory=dict)

    def row(self, scenario: str, test: str) -> Row:
        """The row of *test*, made at its first mention."""
        return self.rows.setdefault(test, Row(scenario, test))

    def text(self) -> str:
        """The page."""
        rows = sorted(self.rows.values(), key=lambda row: (_number(row.scenario), row.test))
        good = sum(row.result == "passed" for row in rows)
        now = datetime.datetime.now(datetime.UTC)
        head = (
            f"{now:%Y-%m-%d %H:%M} UTC, {_machine()}, seed {self.seed}: "
            f"{good} of {len(rows)} passed."
        )
        again = f"`FAULTS_SEED={self.seed} make faults ARGS='-k NAME'`"
        command = f"Command: `make faults`; some of it again: {again}."
        lines = ["# Faults", "", head, "", command, "", _MEANING, "", _HEAD, _LINE]
        for row in rows:
            cells = (
                row.scenario,
                row.test,
                row.result,
                *(f"{n:,}" for n in (row.sent, row.acknowledged, row.delivered)),
                *(f"{n:,}" for n in (row.dead_lettered, row.dropped, row.duplicates, row.bound)),
                f"{row.commits_seen}",
                f"{row.seconds:.1f}",
                "; ".join(row.notes).replace("|", "/"),
            )
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def write(self) -> Path:
        """Write the page of today, and say where."""
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        path = ROOT / "perf" / "results" / f"{today}-faults.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.text())
        return path


def _number(scenario: str) -> int:
    digits = "".join(c for c in scenario.split(",")[0] if c.isdigit())
    return int(digits or 0)


def _machine() -> str:
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
