"""
Fuzz every target in turn, and write what came of it to ``perf/results``.

    .venv/bin/python tests/fuzz/all.py [TARGET ...] [--seconds 600] [--seed 0] [--no-save]

Each target runs in a process of its own (see ``run.py``). All are run, whatever is found; exit code
77 says that something was. A run of some targets puts its rows into the page of the same day.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.faults.table import machine  # noqa: E402 - the path is set above
from tests.fuzz.targets import TARGETS  # noqa: E402 - the same

FOUND = 77
GRACE_S = 120
_HEAD = (
    "| target | result | inputs tried | a second | kept in the corpus | peak MiB | s | seed | UTC |"
)
_LINE = "|---|---|--:|--:|--:|--:|--:|--:|---|"
_MEANING = """\
Command: `make fuzz` (`TARGETS=split SECONDS=60` for a part). atheris follows what the code does
with each input; an input that it found something with stays in `tests/fuzz/found` and is tried by
`make test`."""


@dataclass(frozen=True)
class Run:
    """What one target came to."""

    target: str
    code: int
    output: str
    seconds: float
    at: str

    def figure(self, pattern: str) -> int:
        """A number of the fuzzer's output; 0 if it said none."""
        found = re.findall(pattern, self.output)
        return int(found[-1]) if found else 0

    @property
    def result(self) -> str:
        """In a word; whoever ended in another way than by time or a finding is named too."""
        if self.code == 0:
            return "nothing found"
        (found,) = re.findall(r"Test unit written to \S*?([^/\s]+)$", self.output, re.M) or [""]
        return f"found {found}" if found else f"ended with {self.code}"

    @property
    def line(self) -> str:
        """Its row."""
        tried = self.figure(r"stat::number_of_executed_units: +(\d+)")
        kept = len(list((ROOT / ".cache/fuzz" / self.target).glob("*")))
        peak, seed = self.figure(r"stat::peak_rss_mb: +(\d+)"), self.figure(r"INFO: Seed: (\d+)")
        return (
            f"| {self.target} | {self.result} | {tried:,} | {tried / self.seconds:,.0f} | "
            f"{kept:,} | {peak} | {self.seconds:.0f} | {seed} | {self.at} |"
        )


def fuzz(target: str, seconds: int, seed: int) -> Run:
    """Run one target; what it prints is shown when it is over and something was found."""
    command = [sys.executable, str(Path(__file__).with_name("run.py")), target]
    command += ["--seconds", str(seconds), "--seed", str(seed)]
    began = datetime.now(UTC)
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds + GRACE_S,
            check=False,
        )
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, output = -1, str(late.output)
    took_s = (datetime.now(UTC) - began).total_seconds()
    if code:
        print(output[-6000:])
    return Run(target, code, output, took_s, f"{began:%H:%M}")


def page(lines: dict[str, str]) -> str:
    """The page with these rows, by target."""
    head = ["# Fuzzing", "", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}.", ""]
    head += [_MEANING, "", _HEAD, _LINE]
    return "\n".join([*head, *(lines[name] for name in TARGETS if name in lines)]) + "\n"


def earlier(text: str) -> dict[str, str]:
    """The rows of a page, by target."""
    rows = [line for line in text.partition(_LINE)[2].splitlines() if line.startswith("| ")]
    return {row.split("|")[1].strip(): row for row in rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=600, help="of each target")
    parser.add_argument("--seed", type=int, default=0, help="of the fuzzer; 0 for a new one")
    parser.add_argument("--no-save", action="store_true", help="print the table only")
    options = parser.parse_args(arguments)
    if unknown := set(options.targets) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    path = ROOT / "perf/results" / f"{datetime.now(UTC):%Y-%m-%d}-fuzz.md"
    worst = 0
    print(f"{_HEAD}\n{_LINE}", flush=True)
    for target in options.targets or TARGETS:
        run = fuzz(target, options.seconds, options.seed)
        print(run.line, flush=True)
        worst = worst or (FOUND if run.code else 0)
        if not options.no_save:
            known = earlier(path.read_text()) if path.exists() else {}
            path.write_text(page(known | {target: run.line}))
    return worst


if __name__ == "__main__":
    sys.exit(main())
