"""
The walk of ``deploy/README.md``, done again: its commands, in its order, in an empty folder.

    python tests/first_walk.py            # does what stands there happen?
    python tests/first_walk.py --write    # put down what happens now

It has a real Kafka at localhost:9092 and, where the system lets it, a network of its own, so that
the ports of the walk are free and nobody else is reached. What differs from run to run is not
compared: numbers, times, ids, widths. A line ``...`` stands for any lines, ``…`` for the rest.
``kafka-topics`` is a stand-in for Kafka's own tool, which is not among the jars that tests fetch.
"""

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.kafka_server import KafkaServer  # noqa: E402 - the same

PAGE: Final = ROOT / "deploy/README.md"
SECTION: Final = "## A first walk\n"
ELISION: Final = "..."
WIDTH: Final = 190
COMMAND_TIMEOUT_S: Final = 120.0
TOPICS: Final = """#!{python}
import argparse, asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--bootstrap-server", required=True)
parser.add_argument("--create", action="store_true", required=True)
parser.add_argument("--topic", required=True)
parser.add_argument("--partitions", type=int, required=True)
parser.add_argument("--replication-factor", type=int, required=True)
parser.add_argument("--config", action="append", default=[])
asked = parser.parse_args()
async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=asked.bootstrap_server)
    await admin.start()
    try:
        configs = dict(one.split("=", 1) for one in asked.config)
        topic = NewTopic(asked.topic, asked.partitions, asked.replication_factor, None, configs)
        answer = await admin.create_topics([topic])
        assert not any(code for _, code, _ in answer.topic_errors), answer
    finally:
        await admin.close()
    print(f"Created topic {{asked.topic}}.")
asyncio.run(main())
"""


@dataclass
class Step:
    """A command, and what it is said to print."""

    command: str
    told: list[str] = field(default_factory=list)

    def shown(self, actual: list[str]) -> list[str]:
        """*actual* as the page shows it: with the elision where it is now, and long lines cut."""
        whole = [one.rstrip() for one in actual]
        lines = [one if len(one) <= WIDTH else one[: WIDTH - 1] + "…" for one in whole]
        if ELISION not in self.told:
            return lines
        head = self.told.index(ELISION)
        tail = len(self.told) - head - 1
        if len(lines) <= head + tail:
            return lines
        return [*lines[:head], ELISION, *lines[len(lines) - tail :]]

    def matches(self, actual: list[str]) -> bool:
        """Whether what was printed is what is said, but for what differs from run to run."""
        pattern = "".join(_pattern(line) for line in self.told)
        return re.fullmatch(pattern, "".join(f"{masked(line)}\n" for line in actual)) is not None


_MASKS: Final = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\b[0-9a-f]{16,32}\b"), "ID"),
    (re.compile(r"\b\d[\d.,]*(?: ?(?:[µnm]?s|min|h|[KM]iB|B|k))?\b"), "N"),
    (re.compile(r"[█▇▆▅▄▃▂▁ ]+|-{2,}|─{2,}"), " "),
    (re.compile(r"(?<=\s)-(?=\s|$)"), "N"),
)


def masked(line: str) -> str:
    """*line* without what differs from run to run."""
    for pattern, stands_for in _MASKS:
        line = pattern.sub(stands_for, line)
    return line.strip()


def _pattern(line: str) -> str:
    if line == ELISION:
        return r"(?:.*\n)*"
    if line.endswith("…"):
        # The cut may be within a number.
        start = re.sub(r"\s*[N\d.,]*$", "", masked(line[:-1]))
        return re.escape(start) + r".*\n"
    return re.escape(masked(line)) + r"\n"


def steps_of(text: str) -> list[Step]:
    """The steps of the walk, from the whole page."""
    section = text.partition(SECTION)[2].partition("\n## ")[0]
    return [
        step
        for block in re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        for step in _steps_of_block(block)
    ]


def _steps_of_block(block: str) -> Iterator[Step]:
    step: Step | None = None
    for line in block.splitlines():
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step(line.removeprefix("$ "))
            continue
        assert step is not None, block
        if line.startswith("> ") and not step.told:
            step.command += "\n" + line.removeprefix("> ")
        else:
            step.told.append(line)
    if step is not None:
        yield step


class Shell:
    """One bash in a folder, to which commands are typed."""

    END: Final = "the command has ended"

    def __init__(self, folder: Path, programs: Path) -> None:
        path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env={"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "COLUMNS": "150"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str) -> tuple[list[str], int]:
        """What a command prints on both channels, and its exit code."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        # A command that hangs is ended with the shell, by the watch over the whole walk.
        process.stdin.write(f"{command}\nprintf '%s %d\\n' '{self.END}' $?\n")
        process.stdin.flush()
        lines: list[str] = []
        for line in process.stdout:
            before, found, code = line.rstrip("\n").partition(f"{self.END} ")
            if found:
                return [*lines, *([before] if before else [])], int(code)
            lines.append(before)
        raise SystemExit(f"the shell ended at: {command}\n" + "\n".join(lines))

    def close(self) -> None:
        """End it with all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 9)
        self._process.wait()


@contextlib.contextmanager
def shell() -> Iterator[Shell]:
    """A bash in an empty folder, beside a Kafka at localhost:9092."""
    work = Path(tempfile.mkdtemp(prefix="otlp-bridge-walk-"))
    programs = work / "programs"
    programs.mkdir()
    (programs / "kafka-topics").write_text(TOPICS.format(python=sys.executable))
    (programs / "kafka-topics").chmod(0o755)
    (work / "empty").mkdir()
    try:
        with KafkaServer(port=9092):
            opened = Shell(work / "empty", programs)
            try:
                yield opened
            finally:
                opened.close()
    finally:
        shutil.rmtree(work, ignore_errors=True)


def walk(*, write: bool) -> int:
    """Do all steps; the number of those that went otherwise."""
    text = PAGE.read_text()
    other, place = 0, text.index(SECTION)
    with shell() as opened:
        for step in steps_of(text):
            actual, code = opened.run(step.command)
            print(f"$ {step.command}", *actual, f"[{code}]", sep="\n", flush=True)
            # The same command may stand there again, with another answer.
            was = _block(step.command, step.told)
            place = text.index(was, place)
            if not step.matches(actual):
                other += 1
                print("--- said was:", *step.told, "---", sep="\n", flush=True)
                now = _block(step.command, step.shown(actual))
                text = text[:place] + now + text[place + len(was) :]
                was = now
            place += len(was)
    if write:
        PAGE.write_text(text)
    print(f"{other} steps went otherwise")
    return 0 if write else other


def _block(command: str, told: list[str]) -> str:
    return "$ " + command.replace("\n", "\n> ") + "\n" + "".join(f"{line}\n" for line in told)


def in_own_network() -> None:
    """Go on with a network in which nothing is but this machine, if the system lets us."""
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    command = ["unshare", *user, "--net"]
    able = (
        shutil.which("unshare")
        and not subprocess.run([*command, "true"], check=False, capture_output=True).returncode
    )
    if able:
        os.execvp("unshare", [*command, sys.executable, *sys.argv, "--here"])


def raise_loopback() -> None:
    """As `ip link set lo up`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh", b"lo", 0x41))  # SIOCSIFFLAGS, UP and RUNNING.


def main() -> int:
    """0 if everything went as it is said."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="put down what happens now")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.here:
        in_own_network()
    else:
        raise_loopback()
    return walk(write=options.write)


if __name__ == "__main__":
    sys.exit(main())
